"""What would have cleared a payment: held against the whole way, state and all, with the change."""

from itertools import islice
from typing import Any, NamedTuple

import msgspec

from apps.data.generate.transactions import Transactions
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.flips import SCORES, Flip, flips, with_amount
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.reasons.catalogue import flips as texts
from stormwatch.records import Rejection
from stormwatch.state.judge import Verdict

FRAUD = Fraud()


class Alert(NamedTuple):
    state: bytes  # before it
    event: Transaction
    row: tuple[float, ...]
    verdict: Verdict
    flips: list[Flip]


def alerts() -> list[Alert]:
    states: dict[str, CustomerState] = {}
    before, events, rows, carries = list[bytes](), list[Transaction](), [], list[Any]()
    for _, value, _ in islice(Transactions(12, customers=150), 6_000):
        event = FRAUD.parse(value, 4_000_000_000_000)
        assert not isinstance(event, Rejection)
        state = states.setdefault(event.customer, FRAUD.new_state())
        before.append(msgspec.msgpack.encode(state))
        row, carry = FRAUD.advance(state, event)
        events.append(event)
        rows.append(row)
        carries.append(carry)
    verdicts = FRAUD.decide(events, rows, carries)
    found = zip(before, events, rows, verdicts, strict=True)
    return [
        Alert(*one, flips(FRAUD, *one[1:3], one[3].outcome, one[3].score))
        for one in found
        if one[3].outcome != "approve"
    ]


ALERTS = alerts()


def decided(state: bytes, event: Transaction) -> Verdict:
    known = msgspec.msgpack.decode(state, type=CustomerState)
    row, carry = FRAUD.advance(known, event)
    return FRAUD.decide([event], [row], [carry])[0]


def test_most_alerts_have_one_and_several_fields_are_told() -> None:
    assert len(ALERTS) > 30
    assert sum(bool(one.flips) for one in ALERTS) > 0.8 * len(ALERTS)
    assert {flip.field for one in ALERTS for flip in one.flips} >= {"amount", "country"}


def test_an_amount_that_is_told_clears_it_by_the_whole_way_and_one_above_does_not() -> None:
    held = tried = 0
    for one in ALERTS:
        for flip in one.flips:
            if flip.field == "amount":
                amount = round(float(flip.now.split()[0]) * 100)
                found = decided(one.state, of_amount(one.event, amount))
                assert found.outcome == "approve"
                assert found.score == flip.score
                # Told in whole units, and from a grid: a little more may clear it as well.
                nearer = amount + max(100, (one.event.amount - amount) // 10)
                tried += 1
                held += decided(one.state, of_amount(one.event, nearer)).outcome != "approve"
    assert tried > 20
    assert held > 0.9 * tried  # a model may clear an island in between


def of_amount(event: Transaction, amount: int) -> Transaction:
    return msgspec.structs.replace(event, amount=amount)


def test_features_of_another_amount_are_those_that_the_state_gives() -> None:
    for one in ALERTS[:40]:
        for amount in (100, one.event.amount // 3 + 1, one.event.amount):
            known = msgspec.msgpack.decode(one.state, type=CustomerState)
            wanted, _ = FRAUD.advance(known, of_amount(one.event, amount))
            found = with_amount(one.row, int(wanted[0]))
            far = [abs(a - b) for a, b in zip(found, wanted, strict=True)]
            # The month's spread is recorded to three decimals of one distance.
            assert max(far) <= max(0.002, 0.002 * abs(one.event.amount)), one.event


def test_what_another_model_decided_is_not_told() -> None:
    one = ALERTS[0]
    assert flips(FRAUD, one.event, one.row, one.verdict.outcome, 0.123) == []


def test_each_has_its_text_and_a_bounded_number_of_scores() -> None:
    for one in ALERTS:
        for flip in one.flips:
            assert flip.text.startswith("had it been")
            assert "{" not in flip.text
    assert set(texts("fraud")) >= {"amount", "hour", "country", "terminal", "place"}
    count = 0

    class Counting(Fraud):
        def decide(self, events: Any, features: Any, carries: Any) -> list[Verdict]:
            nonlocal count
            count += len(events)
            return super().decide(events, features, carries)

    one = ALERTS[0]
    flips(Counting(), one.event, one.row, one.verdict.outcome, one.verdict.score)
    assert 0 < count <= SCORES
