"""What producers date wrongly: one record sets no clock, and no time kills what sets it aside."""

import time
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from apps.prove.verdict.as_judged import AsJudged, of_archive
from stormwatch.records import Record
from stormwatch.runner.faults import Faults
from tests.runner.drive import Stage, stage

DAY = 86_400_000
NOW = time.time_ns() // 1_000_000
NS = NOW * 1_000_000
AHEAD = NOW + 200 * DAY


def payment(name: str, at: int, amount: int = 2_000) -> bytes:
    when = datetime.fromtimestamp(at / 1000, UTC).isoformat()
    return msgspec.json.encode(
        {"id": name, "customer": "C1", "terminal": "T1", "time": when, "amount": amount,
         "currency": "EUR"}
    )  # fmt: skip


def go(made: Stage, *records: tuple[bytes, int | None]) -> dict[str, int]:
    """The codes of what was set aside, and how many were decided; every record has its end."""
    topic = made.settings.topic_transactions
    for value, at in records:
        made.world.broker.append(topic, b"C1", value, timestamp=at)
    account = made.run("fraud", topic, lambda plan: Faults(), 1)
    assert account.sound and sum(account.states.values()) == len(records)
    found = Counter(letter.row.code for letter in made.world.store.set_aside("fraud", 99))
    return found | {"scored": account.states["scored"]}


@pytest.mark.parametrize("kafka", [AHEAD, -1, NS], ids=["as far ahead", "none", "nanoseconds"])
def test_one_payment_dated_far_ahead_makes_none_late(
    kafka: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = [(payment(f"after-{n}", NOW - 5_000 + n), None) for n in range(5)]
    with stage(monkeypatch) as made:
        records = [(payment("before", NOW - 9_000), None), (payment("ahead", AHEAD), kafka), *after]
        assert go(made, *records) == {"scored": 6, "too_far_in_future": 1}
        (letter,) = made.world.store.set_aside("fraud", 99)
        assert letter.row.offset == 1 and "which is not believed" in letter.row.reason
        topic = made.settings.topic_transactions
        judged = AsJudged(made.settings, lambda: of_archive(made.world.store, "fraud", topic))
        read = Record(1, kafka, b"C1", payment("ahead", AHEAD))
        ((again,),) = judged(letter.partition, [[read]])
        assert again.dated == letter.row.timestamp, "who reads it again judges it as it was"


def test_whatever_time_kafka_gives_what_is_set_aside_is_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Case 9: a bad record, a conflict, and a payment that may be an alert, dated in ns."""
    with stage(monkeypatch) as made:
        good = payment("a", NOW - 9_000)
        records = [
            (good, NS), (b"{", NS), (payment("a", NOW - 9_000, 7), NS), (payment("b", NOW), -NS),
            *((payment(f"fast-{n}", NOW + n, 900_000), NS) for n in range(9)),
            (payment("c", NOW), NOW * 1000), (payment("d", NOW), 2**63 - 1),
            (payment("e", NOW), None),
        ]  # fmt: skip
        assert go(made, *records) == {"scored": 14, "not_json": 1, "conflict": 1}
        assert made.world.store.alerts("fraud", 99)
