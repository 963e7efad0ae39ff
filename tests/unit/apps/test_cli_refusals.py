"""What a command says instead of doing nothing, or another thing than was meant."""

from collections.abc import Iterator

import pytest

from apps.cli.__main__ import main
from apps.local.doctor import kafka_check
from apps.local.doctor.finding import FAIL
from apps.local.services import manage
from stormwatch.adapters import connect
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.settings import Settings


@pytest.fixture
def without_topics(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Kafka without topics and an empty store."""
    broker, store = MemoryBroker(), MemoryStore()
    before = connect.use(
        connect.Doubles(
            lambda _, topic: MemorySource(broker, topic),
            lambda: MemorySink(broker),
            lambda: MemoryAdmin(broker),
            lambda: store,
        )
    )
    monkeypatch.setattr(connect, "archive", lambda settings: store)
    monkeypatch.setattr(manage, "expect", lambda *given: None)
    yield
    connect.use(before)


@pytest.mark.parametrize("command", [["chaos", "kill-bolt"], ["soak", "--hours", "1"]])
def test_what_is_made_for_cassandra_starts_nothing_beside_spanner(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORMWATCH_STORE", "spanner")
    assert main(command) == 1
    assert 'store is "spanner"' in capsys.readouterr().err


@pytest.mark.usefixtures("without_topics")
def test_a_ledger_of_nothing_is_no_proof(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger"]) == 1
    assert "nothing to prove" in capsys.readouterr().err


@pytest.mark.usefixtures("without_topics")
def test_doctor_names_a_stream_of_kinesis_that_is_not_there() -> None:
    found = list(kafka_check.check(Settings(source="kinesis", topic_transactions="payments")))
    (absent,) = (one for one in found if "payments" in one.what)
    assert (absent.check, absent.level) == ("Kinesis stream", FAIL)
    assert all(one.check != "Kinesis stream" for one in kafka_check.check(Settings()))
