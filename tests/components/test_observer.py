"""What labels say of earlier decisions is counted: alerts found and missed, false ones."""

import msgspec
import pytest

from bolts import fraud
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import ALERT_OUTCOMES
from stormwatch.domains.fraud.event import Label, Transaction
from stormwatch.metrics import Snapshot, precision_recall
from stormwatch.records import Fragment
from stormwatch.testing import TICK, batch, drive

FAR = 1 << 62
HOUR = 3_600_000


def payment(name: str, nth: int, amount: int) -> Transaction:
    return Transaction(name, "c", "t", (nth + 1) * HOUR, amount, "EUR")


def label(name: str, of: Transaction, kind: str, at: int) -> Transaction:
    told = Label(of.id, of.time, kind)
    return Transaction(name, "c", "t", at, of.amount, "EUR", label=told)


def sent(first: int, events: list[Transaction]):
    """As parse hands on one batch."""
    fragment = Fragment("transactions", 0, 1, first, first + len(events) - 1, 1, 0)
    rows = [(first + i, FAR, event) for i, event in enumerate(events)]
    return batch(fragment, Parsed(rows, [], []), str(first))


def decided(store) -> dict[str, str]:
    """Outcome by id."""
    rows = (msgspec.json.decode(row["body"][1]) for row in store.tables["decisions"].values())
    return {row["id"]: row["outcome"] for row in rows}


def test_labels_give_precision_and_recall(store, broker):
    usual = [payment(f"u{n}", n, 1_000) for n in range(30)]
    burst = [
        msgspec.structs.replace(payment(f"b{n}", 31, 90_000), time=32 * HOUR + n * 60_000)
        for n in range(12)
    ]
    payments = [*usual, *burst]
    drive(fraud.FraudBolt, sent(0, payments))
    outcomes = decided(store)
    alerted = [one for one in payments if outcomes[one.id] in ALERT_OUTCOMES]
    passed = [one for one in payments if outcomes[one.id] == "approve"]
    assert len(alerted) > 1 and len(passed) > 1
    arrive = 100 * HOUR
    labels = [
        label("l1", alerted[0], "fraud", arrive), label("l2", alerted[1], "cleared", arrive + 1),
        label("l3", passed[0], "chargeback", arrive + 2),
        label("l4", passed[1], "cleared", arrive + 3),
        label("l5", payment("never-seen", 5, 1), "fraud", arrive + 4),
    ]  # fmt: skip
    drive(fraud.FraudBolt, sent(len(payments), labels), TICK)
    [body] = store.meters("test").values()
    labelled = msgspec.json.decode(body, type=Snapshot).labelled
    assert labelled == {"found": 1, "false_alert": 1, "missed": 1, "passed": 1, "waiting": 1}
    assert precision_recall(labelled) == (0.5, 0.5)


def test_a_label_waits_for_its_payment_and_is_told_when_its_time_is_over(store, broker):
    usual = [payment(f"u{n}", n, 1_000) for n in range(30)]
    early, never = payment("early", 40, 1_000), payment("never", 41, 1_000)
    labels = [
        label("l1", early, "fraud", 60 * HOUR),
        label("l2", never, "fraud", 60 * HOUR),
        label("l3", never, "cleared", 60 * HOUR + 1),
    ]
    later = [payment("later", 60, 1_000), payment("last", 60 + 25, 1_000)]
    drive(
        fraud.FraudBolt, sent(0, usual), sent(30, labels), sent(33, [early]), sent(34, later), TICK
    )
    [body] = store.meters("test").values()
    labelled = msgspec.json.decode(body, type=Snapshot).labelled
    assert labelled == {"missed": 1, "waiting": 0, "unknown": 1}


def test_a_label_comes_back_with_what_it_says():
    from stormwatch.records import Decision, Learned

    body = msgspec.json.encode({
        "id": "l", "entity": "c", "time": 1, "outcome": "labelled", "score": -1.0, "reasons": [],
        "features": [], "feature_set": "label-1", "model": "none", "rules": "r", "topic": "labels",
        "partition": 0, "offset": 1, "timestamp": 1,
        "learned": {"id": "p", "time": 5, "positive": True},
    })  # fmt: skip
    assert msgspec.json.decode(body, type=Decision).learned == Learned("p", 5, positive=True)


@pytest.mark.parametrize(
    ("labelled", "shares"),
    [({}, (None, None)), ({"missed": 2}, (None, 0.0)), ({"found": 3, "false_alert": 1}, (0.75, 1))],
)
def test_shares_of_nothing_are_none(labelled, shares):
    assert precision_recall(labelled) == shares
