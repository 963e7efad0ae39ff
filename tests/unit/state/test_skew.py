"""Skew: what is served equals what is computed again, and what does not is told."""

from typing import Any

import pytest

from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Label, Transaction
from stormwatch.records import Fragment, Outcomes
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.skew import KEPT, Found, SkewProbe

HOUR = 3_600_000
POLICY = Policy(86_400_000, 86_400_000, 64)


class World:
    """A deciding bolt: states in a store, batches, a probe of every entity."""

    def __init__(self, domain: Any) -> None:
        self.contract: Contract[Any, Any] = Contract(domain, POLICY, "decide")
        self.blobs: dict[str, bytes] = {}
        self.found: list[Found] = []
        self.probe = SkewProbe(self.found.append, every=1)
        self.offset = 0

    def decide(self, events: list[Transaction], again: int = 0) -> tuple[Fragment, Outcomes]:
        last = self.offset + len(events) - 1
        fragment = Fragment("transactions", 0, 1, self.offset, last, 1, again)
        parsed = Parsed([(self.offset + n, 0, one) for n, one in enumerate(events)], [], [])
        states = {one.entity: Entry(0, self.blobs.get(one.entity, b"")) for one in events}
        outcomes = self.contract.apply(
            fragment, parsed, states, 0, lambda one: tuple(float(n) for n in range(14))
        )
        self.probe.scored(fragment, parsed, states, outcomes, self.contract.domain)
        return fragment, outcomes

    def commit(self, fragment: Fragment, outcomes: Outcomes) -> None:
        self.blobs |= {row.entity: row.blob for row in outcomes.states}
        self.offset = fragment.last + 1
        self.probe.committed(fragment)


def payments(first: int, count: int, customer: str = "c") -> list[Transaction]:
    return [
        Transaction(f"p{n}", customer, "t", (n + 1) * HOUR, 500 + n * 7, "EUR")
        for n in range(first, first + count)
    ]


def label(of: Transaction, at: int) -> Transaction:
    told = Label(of.id, of.time, "fraud")
    return Transaction(f"l{of.id}", of.customer, "t", at, of.amount, "EUR", label=told)


@pytest.mark.parametrize("size", [1, 3, 40])
def test_what_is_served_is_what_is_computed_again(size: int) -> None:
    made = World(Fraud())
    events = payments(0, 70)
    events.insert(30, label(events[4], 31 * HOUR))
    for at in range(0, len(events), size):
        made.commit(*made.decide(events[at : at + size]))
    assert made.found[-1].differing == 0
    assert made.found[-1].compared >= len(events) - KEPT


def test_a_batch_that_was_not_committed_counts_once() -> None:
    made = World(Fraud())
    for n in range(2 * KEPT):
        made.decide(payments(n, 1))
        made.commit(*made.decide(payments(n, 1), again=1))
    assert made.found[-1] == (2 * KEPT, 0, "")


def test_what_another_process_wrote_begins_anew() -> None:
    made, other = World(Fraud()), World(Fraud())
    for n in range(10):
        made.commit(*made.decide(payments(n, 1)))
    other.blobs, other.offset = dict(made.blobs), made.offset
    other.commit(*other.decide(payments(10, 4)))
    made.blobs, made.offset = dict(other.blobs), other.offset
    for n in range(14, 14 + KEPT):
        made.commit(*made.decide(payments(n, 1)))
    assert made.found == [(KEPT, 0, "")]


def test_a_state_that_was_changed_beside_the_events_is_told() -> None:
    class Forgetful(Fraud):
        """Remembers something outside of its state."""

        calls = 0

        def advance(self, *told: Any) -> Any:
            self.calls += 1
            row, carry = super().advance(*told)
            return ((row[0] + (self.calls == 5), *row[1:]), carry) if row else (row, carry)

    made = World(Forgetful())
    for n in range(KEPT):
        made.commit(*made.decide(payments(n, 1)))
    (found,) = made.found
    assert (found.compared, found.differing) == (KEPT, 1)
    assert "of p4 of c amount is 529 live, 528 computed again from the same events" in found.told


def test_no_more_than_so_many_entities_are_kept() -> None:
    made = World(Fraud())
    for n in range(600):
        made.commit(*made.decide(payments(n, 1, f"c{n}")))
    assert len(made.probe._stretches) == 512
