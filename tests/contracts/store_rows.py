"""Rows for the store's tests."""

from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import DecisionRow, Fragment, LedgerRow, Outcomes, SetAside, StateRow

DAY = 86_400_000
NOW = 20_000 * DAY + 5_000  # some day's Kafka time


def fragment(topic: str, first: int = 0, last: int = 9, **other: int) -> Fragment:
    """An attempt at offsets first to last."""
    return Fragment(
        topic, other.get("partition", 0), other.get("epoch", 0), first, last,
        other.get("generation", 1), other.get("attempt", 0),
    )  # fmt: skip


def decision(i: int = 0, **other: object) -> DecisionRow:
    """Row i; stripe i % 4."""
    row = {
        "stripe": i % 4, "entity": f"entity-{i}", "time": NOW - 1000 + i, "id": f"id-{i}",
        "outcome": "approve", "score": i / 8, "body": b'{"i":%d}' % i, "timestamp": NOW + i,
        "alert": False,
    } | other  # fmt: skip
    return DecisionRow(**row)  # type: ignore[arg-type]


def state(i: int = 0, blob: bytes = b"blob", stamp: int = 1) -> StateRow:
    """The state of entity i."""
    return StateRow(i % 4, f"entity-{i}", blob, stamp)


def aside(offset: int, **other: object) -> SetAside:
    """A rejected record."""
    row = {
        "offset": offset, "timestamp": NOW + offset, "state": "rejected", "code": "not_json",
        "reason": "It is no JSON.", "component": "parse", "key": b"k", "raw": b"{",
    } | other  # fmt: skip
    return SetAside(**row)  # type: ignore[arg-type]


def ledger_row(of: Fragment, part: str = "score", **states: list[int]) -> LedgerRow:
    """A ledger row with the offsets of each state."""
    bits = {state: bitmap_of(offsets, of.first) for state, offsets in states.items()}
    return LedgerRow(of, part, bits, 12)


def outcomes(
    domain: str,
    rows: list[DecisionRow],
    *,
    stamp: int = 1,
    of: Fragment | None = None,
    set_aside: list[SetAside] | None = None,
) -> Outcomes:
    """What one batch leads to."""
    of = of or fragment(f"{domain}-topic", 0, max(len(rows) - 1, 0))
    scored = list(range(of.first, of.first + len(rows)))
    return Outcomes(
        fragment=of, domain=domain, stamp=stamp, decisions=rows, states=[], aside=set_aside or [],
        ledger=ledger_row(of, scored=scored), replayed=[], timestamps=[],
    )  # fmt: skip
