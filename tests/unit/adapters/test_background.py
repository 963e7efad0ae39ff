"""What is made in the background: waiting, trying again, final errors."""

import threading
import time

import pytest

from stormwatch.adapters.threads import background
from stormwatch.adapters.threads.background import Lazy
from stormwatch.errors import InfrastructureError, SchemaError, StoreUnavailable


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(background, "PAUSE_S", 0.001)
    monkeypatch.setattr(background, "PAUSE_MAX_S", 0.01)


def test_the_factory_starts_at_once_and_runs_once():
    calls = []
    made = Lazy(lambda: calls.append(1) or "thing", "The thing")
    assert made.get(5) == made.get(0) == "thing"
    assert calls == [1]


def test_waiting_ends_with_the_timeout_and_says_for_what():
    gate = threading.Event()
    made = Lazy(lambda: gate.wait(5) and "late", "Cassandra")
    began = time.monotonic()
    with pytest.raises(InfrastructureError, match="Cassandra is not ready yet: the first attempt"):
        made.get(0.01)
    assert time.monotonic() - began < 1
    gate.set()
    assert made.get(5) == "late"


def test_what_is_lacking_before_the_first_attempt_ends_is_of_the_kind_that_was_said():
    gate = threading.Event()
    made = Lazy(lambda: gate.wait(5) and "late", "Cassandra", StoreUnavailable)
    with pytest.raises(StoreUnavailable, match="Cassandra is not ready yet: the first attempt"):
        made.get(0)
    gate.set()
    assert made.get(5) == "late"


def test_infrastructure_is_tried_again_and_its_cause_told():
    failures = [StoreUnavailable("no answer from 127.0.0.1")] * 3
    gate = threading.Event()

    def factory():
        if failures:
            raise failures.pop()
        gate.wait(5)
        return "thing"

    made = Lazy(factory, "Cassandra")
    while failures:
        time.sleep(0.001)
    with pytest.raises(StoreUnavailable, match="not ready yet: no answer from 127") as raised:
        made.get(0)
    assert isinstance(raised.value.__cause__, StoreUnavailable)
    gate.set()
    assert made.get(5) == "thing"


@pytest.mark.parametrize("error", [SchemaError("older"), ZeroDivisionError("a bug"), SystemExit(3)])
def test_other_errors_are_final_and_told_each_time(error):
    calls = []

    def factory():
        calls.append(1)
        raise error

    made = Lazy(factory, "Cassandra")
    for _ in range(2):
        with pytest.raises(type(error)) as raised:
            made.get(5)
        assert raised.value is error
    assert calls == [1]


def test_close_ends_the_attempts_and_the_thing():
    closed = []

    class Thing:
        def close(self):
            closed.append(1)

    made = Lazy(Thing, "The thing")
    made.get(5)
    made.close()
    made.close()
    assert closed == [1]
    with pytest.raises(InfrastructureError, match="was closed"):
        made.get(0)

    def never():
        raise StoreUnavailable("down")

    trying = Lazy(never, "Cassandra")
    trying.close()
    trying._thread.join(5)
    assert not trying._thread.is_alive()


def test_close_waits_for_nothing_and_what_comes_later_is_closed_too():
    gate, closed = threading.Event(), threading.Event()

    class Thing:
        def __init__(self):
            gate.wait(5)

        def close(self):
            closed.set()

    made = Lazy(Thing, "The thing")
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 1 and not closed.is_set()
    gate.set()
    assert closed.wait(5)
    with pytest.raises(InfrastructureError, match="was closed"):
        made.get(0)
