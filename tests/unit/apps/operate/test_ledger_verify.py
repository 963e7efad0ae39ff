"""The ledger against the tables, and alarms for what stays wrong."""

from collections.abc import Iterator

import pytest

from apps.operate import ledger_command
from apps.operate.ledger_alarm import Alarm
from apps.operate.ledger_verify import verify
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.ledger.coverage import Range
from stormwatch.ledger.reconcile import PartitionLedger, TopicLedger, total
from stormwatch.ports import Committed
from stormwatch.records import Fragment, LedgerRow, Outcomes, SetAside
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.stretches import Stretch
from tests.models.verified import SETTINGS, TOPIC, World


@pytest.fixture
def world() -> Iterator[World]:
    yield World()


def test_tables_and_ledger_agree_and_the_states_are_recomputed(world: World) -> None:
    found = verify(SETTINGS, world.admin, world.store, "fraud", TOPIC)
    assert found.sound
    assert found.states == {"scored": 35, "rejected": 4}


def test_what_is_not_committed_yet_is_left_out(world: World) -> None:
    world.write(40, 49, scored=list(range(40, 50)))
    assert world.verify() == []


def test_each_disagreement_is_told(world: World) -> None:
    decisions = world.store.tables["decisions"]
    lost = next(key for key in decisions if key[-1] == "t17")
    del decisions[lost]
    assert world.verify() == [("scored in the ledger, but no row", 1, 17)]
    world.write(0, 39, scored=[17])
    assert world.verify() == []
    of = Fragment(TOPIC, 0, 4, 0, 39, 1, 0)
    rows = [world.decision(21, "again")]
    nothing = LedgerRow(of, "score", {}, 0)
    world.store.write_outcomes(
        Outcomes(of, "fraud", outcome_stamp(of), rows, [], [], nothing, [], [])
    )
    assert world.verify() == [("two rows as scored", 1, 21)]
    extra = SetAside(5, 9, "late", "late", "", "decide", None, b"")
    world.store.write_aside("fraud", [extra], nothing, 1)
    assert ("a row as late, but not in the ledger", 1, 5) in world.verify()
    key = next(key for key in decisions if key[-1] == "t18")
    decisions[key] = {c: (1_790_000_000_000_000, v) for c, (_, v) in decisions[key].items()}
    assert "no row" not in str(world.verify())  # mended by hand, with a clock's timestamp
    decisions[key]["body"] = (1, b"{")
    assert ("scored in the ledger, but no row", 1, 18) in world.verify()
    letters = world.store.tables["dead_letters"]
    del letters[next(key for key in letters if key[4:] == ("rejected", 20))]
    assert ("rejected in the ledger, but no row", 1, 20) in world.verify()


def test_of_a_log_that_was_never_read_nothing_is_verified(world: World) -> None:
    world.admin.delete_topic(TOPIC)
    world.admin.ensure_topic(TOPIC, 1, {})
    found = verify(SETTINGS, world.admin, world.store, "fraud", TOPIC)
    assert (found.offsets, found.states) == (0, {})


def test_rows_of_what_was_cut_away_say_nothing_of_what_stands_there_now(world: World) -> None:
    log = world.admin.describe(TOPIC).topic_id
    cut = Stretch(0, 0, 0, 0, 0, believed_to=30, generation=1)
    world.store.write_stretches(log, [cut, Stretch(0, 1, 1, 30, 30)])
    found = verify(SETTINGS, world.admin, world.store, "fraud", TOPIC)
    assert (found.offsets, found.states, found.sound) == (40, {"scored": 26, "rejected": 3}, True)


def ledger(gaps: list[tuple[int, int]], overlaps: list[tuple[int, int]] = []) -> TopicLedger:  # noqa: B006
    part = PartitionLedger(
        2, 0, 100, 90, {}, len(gaps), 0, len(overlaps),
        tuple(Range(*gap) for gap in gaps),
        tuple(Range(*lap, ("late", "scored")) for lap in overlaps),
    )  # fmt: skip
    return total("t", [part])


def test_only_what_lasts_a_minute_is_an_alarm() -> None:
    alarm = Alarm()
    assert alarm.look(0, [ledger([(5, 9)])]) == []
    assert alarm.look(30, [ledger([(7, 8), (20, 29)], [(40, 40)])]) == []
    (said,) = alarm.look(60, [ledger([(7, 8), (20, 29)], [(40, 40)])])
    assert said.startswith("ALARM: t[2] offsets 7 to 8 have had no end state for 60 s")
    said = alarm.look(91, [ledger([], [(40, 40)])])[0]
    assert "two end states (late, scored) for 61 s" in said
    assert alarm.look(92, [ledger([(7, 8)])]) == []  # it was whole in between
    assert alarm.look(93, []) == []


def test_the_watch_ends_with_1_after_an_alarm(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(seconds: float) -> int:
        now = [0.0]

        def sleep(s: float) -> None:
            now[0] += s

        return ledger_command.watch(
            SETTINGS, world.admin, world.store, [TOPIC], seconds,
            clock=lambda: now[0], sleep=sleep,
        )  # fmt: skip

    assert run(100) == 0
    shown = capsys.readouterr().out
    assert "unaccounted 0" in shown
    assert "[0] 35 scored, 4 rejected, 1 duplicate; offsets 0 to 59, committed to 40" in shown
    source = MemorySource(world.broker, TOPIC, SETTINGS.kafka_group)
    source.commit({0: Committed(42, "")}, wait=True)
    assert run(50) == 0
    assert run(70) == 1
    assert capsys.readouterr().out.count("ALARM: transactions[0] offsets 40 to 41") == 1
    world.store.down = True
    assert run(10) == 0
    assert "down" in capsys.readouterr().out
