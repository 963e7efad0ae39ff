"""What the watcher of a run sees of the ledger, and what is shown of it."""

import time
from types import SimpleNamespace

import msgspec
import pytest

from apps.data.streams import Stream
from apps.local.run import watch
from apps.local.run.view import Panel, Screen, plain
from apps.local.run.watch import Watcher
from apps.operate import looks
from apps.operate.figures import NOTHING
from apps.operate.ledger_alarm import Alarm
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySource
from stormwatch.errors import BrokerUnavailable
from stormwatch.ports import Committed
from stormwatch.records import Decision, DecisionRow, Reason
from tests.models.verified import SETTINGS, TOPIC, World


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> tuple[Watcher, World]:
    monkeypatch.setattr(watch, "LEDGER_EVERY_S", 0.0)
    monkeypatch.setattr(watch, "LEDGER_SHARE", 0.0)
    world = World()
    outside = SimpleNamespace(settings=SETTINGS, admin=MemoryAdmin(world.broker), store=world.store)
    made = Watcher([Stream("fraud", TOPIC, "transactions")], outside, 0, dict)
    made._alarm = Alarm(patience_s=0.0)
    return made, world


def test_the_ledger_is_looked_at_and_a_lasting_gap_is_an_alarm_once(
    watcher: tuple[Watcher, World],
) -> None:
    made, world = watcher
    assert made.ledgers("fraud") == []
    made._reconcile()
    (found,) = made.ledgers("fraud")
    assert found.sound and not made.alarms
    commit = {0: Committed(43, "")}
    MemorySource(world.broker, TOPIC, SETTINGS.kafka_group).commit(commit, wait=True)
    for _ in range(3):
        made._reconcile()
    (said,) = made.alarms
    assert "offsets 40 to 42 have had no end state" in said
    panel = Panel("fraud", NOTHING, None, ledgers=made.ledgers("fraud"))
    (line,) = plain(Screen("r", "running", 1.0, [panel], {}))
    assert "unaccounted 3," in line, "told although nothing was decided"
    unread = panel._replace(look=NOTHING._replace(ends={"scored": 1}), ledgers=())
    assert "unaccounted –" in plain(Screen("r", "running", 1.0, [unread], {}))[0]


def test_an_error_of_its_own_ends_the_run_with_a_word_and_no_silence(
    watcher: tuple[Watcher, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = watcher
    monkeypatch.setattr(watch, "take", lambda *_: 1 / 0)
    made.start()
    made.join(5)
    assert isinstance(made.ended_by, ZeroDivisionError)


def test_an_outage_is_told_only_where_it_lasts(
    watcher: tuple[Watcher, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise BrokerUnavailable("Kafka does not answer.")

    made, _ = watcher
    monkeypatch.setattr(watch, "EVERY_S", 0.01)
    monkeypatch.setattr(watch, "PATIENCE_S", 0.3)
    monkeypatch.setattr(watch, "take", away)
    made.start()
    time.sleep(0.1)
    assert made.trouble == "", "the first seconds of a normal start"
    until = time.monotonic() + 5
    while not made.trouble and time.monotonic() < until:
        time.sleep(0.02)
    made.stop()
    assert made.trouble == "Kafka does not answer."


def test_alerts_of_the_run_before_are_not_shown_and_the_records_of_this_are_read(
    watcher: tuple[Watcher, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, world = watcher
    value = b'{"id": "i", "amount": 125000, "currency": "EUR", "merchant": "Shop\\u001b[2J"}'
    topic = world.broker.topic(TOPIC)
    assert topic is not None
    log = topic.logs[0].records
    offset = log[-1].offset
    log[-1] = msgspec.structs.replace(log[-1], value=value)
    reason = Reason("a", "large", 1.0)
    decision = Decision("i", "C1", 1, "decline", 0.9, (reason,), (), "f", "m", "r", TOPIC, 0,
                        offset, 7_000)  # fmt: skip
    body = msgspec.json.encode(decision)
    row = DecisionRow(0, "C1", 1, "i", "decline", 0.9, body, 7_000, True)
    old = msgspec.structs.replace(row, id="old", timestamp=4_999)
    monkeypatch.setattr(world.store, "alerts", lambda *_: [row, old])
    stream = Stream("fraud", TOPIC, "transactions")
    seen = looks.take(stream, made._outside, began=5_000)
    assert [each.id for each in seen.newest] == ["i"]
    reader = looks.Records(SETTINGS)
    source = MemorySource(world.broker, TOPIC, SETTINGS.kafka_group)
    reader._sources[TOPIC] = source
    reader.learn(stream, seen.newest)
    assert reader.words["fraud"] == {("C1", "i"): "1250.00 EUR at Shop\\x1b[2J"}
    reader.close()


def test_all_topics_of_a_domain_count(watcher: tuple[Watcher, World]) -> None:
    made, world = watcher
    made._streams = [Stream("fraud", TOPIC, "transactions", ("mapped", "not-yet-there"))]
    world.admin.ensure_topic("mapped", 1, {})
    made._reconcile()
    assert {one.topic for one in made.ledgers("fraud")} == {TOPIC, "mapped", "not-yet-there"}
    lost = [msgspec.structs.replace(one, unaccounted=n, conflicting=1)
            for n, one in enumerate(made.ledgers("fraud"), start=2)]  # fmt: skip
    panel = Panel("fraud", NOTHING, None, ledgers=lost)
    (line,) = plain(Screen("r", "running", 1.0, [panel], {}))
    assert "unaccounted 9, 3 twice," in line
