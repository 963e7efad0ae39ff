"""A model behind a time limit: slow, hung, raising, missing; never late, one thread at most."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf, isnan, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.adapters.threads import model_guard
from stormwatch.adapters.threads.deadline import Helper, Late
from stormwatch.adapters.threads.model_guard import Guard, supply
from stormwatch.errors import ModelError, SettingsError
from stormwatch.models import NONE, Model, NoModel
from stormwatch.models.circuit_breaker import PAUSE_MAX_S, Breaker
from stormwatch.settings import Settings
from tests.models.card import card

ROWS = [(1.0,), (2.0,), (3.0,)]
DEADLINE_S = 0.1


@dataclass
class Fake:
    """Scores a row by its own value; 9 raises. `gate` closed: does not come back."""

    version: str = "fake-1"
    gate: threading.Event = field(default_factory=threading.Event)
    calls: int = 0
    gives: Callable[[float], float] = lambda value: value / 10

    def __post_init__(self) -> None:
        self.card = card(version=self.version)
        self.gate.set()

    def predict(self, rows) -> list[float]:
        self.calls += 1
        assert self.gate.wait(20)
        if any(value == 9 for (value,) in rows):
            raise ArithmeticError("nine")
        return [self.gives(value) for (value,) in rows]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds, to be set."""
    now = [100.0]
    monkeypatch.setattr(model_guard, "_now", lambda: now[0])
    yield now


def guarded(model: Model, **options: float) -> Guard:
    return Guard(
        lambda: model, model, deadline_s=options.get("deadline_s", DEADLINE_S), probe_s=10.0
    )


def none(found: list[float]) -> bool:
    return len(found) == len(ROWS) and all(map(isnan, found))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_scores_pass_through_with_the_card_and_no_limit_needs_no_thread(clock) -> None:
    before = threading.active_count()
    for options in ({"deadline_s": 0}, {}):
        model = guarded(Fake(), **options)
        assert model.predict(ROWS) == [0.1, 0.2, 0.3]
        assert model.predict([]) == []
        assert model.card.version == "fake-1"
        assert threading.active_count() <= before + bool(not options)


def test_a_model_that_hangs_costs_one_limit_and_one_thread_and_is_tried_again(
    clock, caplog: pytest.LogCaptureFixture
) -> None:
    fake = Fake()
    model = guarded(fake)
    threads = threading.active_count()
    fake.gate.clear()
    began = time.monotonic()
    assert none(model.predict(ROWS))
    assert DEADLINE_S <= time.monotonic() - began < 10 * DEADLINE_S
    (said,) = caplog.messages
    assert "no scores for 3 records after 0.1 s (model.deadline_s)" in said
    assert "Raise model.deadline_s" in said and "tried again in 10 s" in said
    for seconds in range(0, 4000, 7):  # whatever time passes: no second call, no second thread
        clock[0] = 100.0 + seconds
        assert none(model.predict(ROWS))
    assert fake.calls == 1
    assert threading.active_count() == threads + 1
    assert 5 < len(caplog.messages) < 25, "now and then it is said again"
    assert "still working on an earlier batch" in caplog.messages[-1]
    fake.gate.set()
    until(lambda: not model._helper.busy)
    assert none(model.predict(ROWS)), "the pause is not over"
    clock[0] += PAUSE_MAX_S
    assert model.predict(ROWS) == [0.1, 0.2, 0.3]
    assert "The model works again (fake-1)" in caplog.messages[-1]
    assert threading.active_count() == threads + 1


def test_a_model_that_is_only_slow_is_tried_with_one_batch_after_each_pause(clock) -> None:
    fake = Fake()
    model = guarded(fake)
    for wait in (0, 10, 20, 40):
        clock[0] += wait
        fake.gate.clear()
        assert none(model.predict(ROWS)) and none(model.predict(ROWS))
        fake.gate.set()
        until(lambda: not model._helper.busy)
        assert none(model.predict(ROWS))
    assert fake.calls == 4


def test_a_helper_makes_one_call_at_a_time_and_gives_what_it_gives_or_raises() -> None:
    helper = Helper()
    assert helper.call(lambda: "done", 0.5) == "done"
    with pytest.raises(Late):
        helper.call(lambda: time.sleep(0.3), 0.02)
    assert helper.busy
    until(lambda: not helper.busy)
    with pytest.raises(TimeoutError, match="its own"):
        helper.call(lambda: (_ for _ in ()).throw(TimeoutError("its own")), 0.5)


def test_what_a_model_explains_passes_through_and_what_it_cannot_is_left_out(
    clock, caplog: pytest.LogCaptureFixture
) -> None:
    model = Fake()
    model.card = card(feature_names=("value",))
    guard = guarded(model, deadline_s=5.0)
    parts = guard.explain((3.0,))
    assert parts is not None
    assert (parts.base, parts.amounts.tolist(), parts.total) == (0.0, [0.3], 0.3)
    assert guard.explain((9.0,)) is None
    assert "explains nothing" in caplog.text
    assert guard.predict(ROWS) == [0.1, 0.2, 0.3]  # it counts as no failure of the model
    assert Guard(lambda: model, None, deadline_s=1.0, probe_s=1.0).explain((3.0,)) is None


def test_only_the_rows_that_raise_have_no_score(clock, caplog: pytest.LogCaptureFixture) -> None:
    fake = Fake()
    model = guarded(fake)
    found = model.predict([(1.0,), (9.0,), (3.0,)])
    assert (found[0], isnan(found[1]), found[2]) == (0.1, True, 0.3)
    (said,) = caplog.messages
    assert "no score of 1 of 3 records: it raised ArithmeticError('nine')" in said
    for _ in range(50):
        model.predict([(9.0,)])
    assert len(caplog.messages) == 1, "said once a minute"
    clock[0] += 61
    model.predict([(9.0,)])
    assert len(caplog.messages) == 2
    assert model.predict(ROWS) == [0.1, 0.2, 0.3], "it is asked each time"


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_no_number_is_no_score_and_is_told(clock, caplog, value: float) -> None:
    model = guarded(Fake(gives=lambda _: value))
    assert str(model.predict(ROWS)) == str([value] * 3)
    assert "it gave no finite number" in caplog.text


def test_another_number_of_scores_is_none(clock) -> None:
    class Short(Fake):
        def predict(self, rows) -> list[float]:
            return [1.0]

    assert guarded(Short()).predict(ROWS) == [1.0] * 3  # each row alone
    model = guarded(Fake())
    model._model = type("Twice", (Fake,), {"predict": lambda self, rows: [1.0, 2.0]})()
    assert none(model.predict(ROWS))


def test_a_model_that_cannot_be_loaded_is_loaded_later(clock, caplog) -> None:
    tries = []

    def load() -> Model:
        tries.append(clock[0])
        if len(tries) < 3:
            raise ModelError("trees.msgpack is truncated. Restore it")
        return Fake()

    settings = Settings(model_unusable="rules", model_deadline_s=DEADLINE_S)
    model = supply(settings)(load)
    assert model.card.version == NONE
    assert none(model.predict(ROWS)) and none(model.predict(ROWS))
    assert "The model cannot be used: trees.msgpack is truncated. Restore it" in caplog.text
    clock[0] += 10
    assert none(model.predict(ROWS))
    clock[0] += 20
    assert model.predict(ROWS) == [0.1, 0.2, 0.3]
    assert model.card.version == "fake-1"
    assert len(tries) == 3
    assert "9 records were decided by rules alone" in caplog.messages[-1]


def test_by_default_a_model_that_cannot_be_loaded_stops_the_start(caplog) -> None:
    def load() -> Model:
        raise ModelError("no such file")

    with pytest.raises(ModelError, match="no such file"):
        supply(Settings())(load)
    assert not caplog.messages


def test_no_model_by_wish_needs_no_guard() -> None:
    assert isinstance(supply(Settings())(NoModel), NoModel)


def test_the_limit_fits_into_the_message_time_out() -> None:
    with pytest.raises(SettingsError, match=r"model.deadline_s \(31\) and topology.work_timeout_s"):
        Settings(model_deadline_s=31)


_STOPPED = """
import sys, time
from stormwatch.adapters.threads.deadline import Helper
print("begun", flush=True)
print(Helper().call(lambda: time.sleep(0.5) or "in time", 1.0), flush=True)
"""


def test_a_process_that_stood_still_does_not_count_against_the_model() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STOPPED], env={"PYTHONPATH": "src"}, text=True,
        cwd=Path(__file__).parents[3], stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGSTOP)
        time.sleep(2)  # over its limit
        child.send_signal(signal.SIGCONT)
        assert child.stdout.readline() == "in time\n"


@given(st.lists(st.booleans(), max_size=40), st.floats(0.1, 600))
def test_pauses_double_up_to_a_limit_and_begin_anew(passes: list[bool], first: float) -> None:
    breaker, now, failures = Breaker(first), 0.0, 0
    for passed in passes:
        assert breaker.ready(now)
        if passed:
            breaker.passed()
            failures = 0
            assert breaker.closed
            continue
        pause = breaker.failed(now)
        assert pause == max(first, min(first * 2**failures, PAUSE_MAX_S))
        assert not breaker.closed and not breaker.ready(now + pause * 0.99)
        failures += 1
        now += pause
