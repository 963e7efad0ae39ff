"""The compiled core and the reference in Python: the same bytes of whatever comes."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from stormwatch import compiled
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Details, Label, Transaction
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

_FOUND, _WRONG = compiled.look()
pytestmark = pytest.mark.skipif(
    _FOUND is None or _WRONG != "",
    reason=_WRONG or "the compiled core is not installed: ./stormwatch native build",
)

NOON = 1_760_000_000_000
DAY = 86_400_000
POLICY = Policy.of(Settings())
TIGHT = POLICY._replace(lateness_ms=10 * DAY, horizon_ms=2 * DAY, max_ids=8)


def payments(seed: int, count: int, odd: float = 0.0) -> Iterator[Transaction]:
    """Of a few customers; some repeated, changed, late, or in another currency. `odd`: the share of
    what only Python decides."""
    draw, before = random.Random(seed), list[Transaction]()
    time = NOON
    for nth in range(count):
        time += int(draw.expovariate(1 / draw.choice([1_000, 3_600_000, 20_000_000, 2 * DAY])))
        if before and draw.random() < 0.05:
            yield draw.choice(before[-50:])
            continue
        at = time - (int(draw.expovariate(1 / DAY)) if draw.random() < 0.1 else 0)
        id_ = draw.choice(before[-20:]).id if before and draw.random() < 0.02 else f"p{nth}"
        more = label = None
        currency = draw.choice(["EUR", "EUR", "EUR", "USD", "JPY", "HUF", "KRW"])
        if draw.random() < odd:
            more = Details(kind=draw.choice(["refund", "purchase"]), place=(1.0 * nth % 50, 8.0))
        if draw.random() < odd / 2 and before:
            paid = draw.choice(before[-40:])
            label = Label(paid.id, paid.time, draw.choice(["fraud", "cleared"]))
            id_ = f"l{nth}"
        if draw.random() < odd / 10:
            currency = "XXX"
        made = Transaction(
            id_, f"c{draw.randrange(6)}", "t1", at,
            draw.choice([1, 250, 1_999, 5_000, 40_000, 9_999_999]), currency, "mårket",
            draw.choice(["", "DE", "FR"]), draw.choice([0, 60, -330]), more,
            draw.random() < odd / 9, label,
        )  # fmt: skip
        before = [*before[-50:], made]
        yield made


def played(core: str, events: list[Transaction], batch: int, policy: Policy) -> Iterator[Any]:
    """Of each batch the outcomes, from the states before it."""
    contract = Contract(Fraud.load(core=core), policy, "test")
    known: dict[str, Entry] = {}
    for first in range(0, len(events), batch):
        some = events[first : first + batch]
        fragment = Fragment("payments", 0, 32, first, first + len(some) - 1, 1, 0)
        told = [(first + nth, NOON, event) for nth, event in enumerate(some)]
        states = {event.entity: known.get(event.entity) or Entry(0, b"") for event in some}
        found = contract.apply(fragment, Parsed(told, [], []), states, NOON)
        known |= {row.entity: Entry(row.stripe, row.blob) for row in found.states}
        yield found


@pytest.mark.parametrize("policy", [POLICY, TIGHT], ids=["shipped", "tight"])
@pytest.mark.parametrize("odd", [0.0, 0.02])
@pytest.mark.parametrize("batch", [1, 7, 100])
def test_both_make_the_same_bytes(batch: int, odd: float, policy: Policy) -> None:
    events = [*payments(batch, 400, odd)]
    both = (played(core, events, batch, policy) for core in ("compiled", "python"))
    ends = set()
    for one, other in zip(*both, strict=True):
        assert one == other
        ends |= set(one.ledger.bitmaps)
    assert {"scored", "duplicate", "late"} <= {str(end) for end in ends}


def test_a_record_read_twice_is_known_by_both() -> None:
    events = [*payments(3, 40)]
    for core in ("compiled", "python"):
        contract = Contract(Fraud.load(core=core), POLICY, "test")
        fragment = Fragment("payments", 0, 32, 0, len(events) - 1, 1, 0)
        told = Parsed([(nth, NOON, event) for nth, event in enumerate(events)], [], [])
        states = {event.entity: Entry(0, b"") for event in events}
        first = contract.apply(fragment, told, states, NOON)
        states = {row.entity: Entry(row.stripe, row.blob, 7) for row in first.states}
        again = contract.apply(fragment, told, states, NOON)
        assert len(again.replayed) == len(events) and not again.decisions


def test_the_setting_leaves_it_out() -> None:
    assert Fraud.load(core="compiled").compiled(POLICY) is not None
    assert Fraud.load(core="python").compiled(POLICY) is None


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_of_a_million_payments() -> None:
    for seed in range(100):
        events = [*payments(seed, 10_000, 0.001 if seed % 2 else 0.0)]
        policy = TIGHT if seed % 3 else POLICY
        both = (played(core, events, 500, policy) for core in ("compiled", "python"))
        for one, other in zip(*both, strict=True):
            assert one == other
