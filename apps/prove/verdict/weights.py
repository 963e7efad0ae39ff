"""What an item's state must be, whatever order its neighbours were told in. Pure.

Weights add up. With time they are halved, rounding down: each by itself at least, all together at
most. Where no half-life ends between them the two bounds are one, and the state is exact. So is a
key's that one partition alone feeds: it is told in the order of offsets.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from stormwatch.domains.recommend.items import Ask, take
from stormwatch.domains.recommend.neighbours import HALF_LIFE, SIZE, ItemState
from stormwatch.state.envelope import Envelope

_STEPS = 64
_SCALE = [round(16 * 2 ** (step / _STEPS)) for step in range(_STEPS)]


@dataclass
class Learned:
    """All that one key was told."""

    marks: dict[int, int] = field(default_factory=dict)
    """Partition -> the last offset that told it something."""
    newest: int = 0
    sums: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Neighbour -> (scaled weight, its half-life)."""
    alone: ItemState | None = None
    """Of a key of one partition: its state."""


def learn(learned: dict[str, Learned], ask: Ask, partition: int) -> None:
    """Take in what one event tells one item."""
    one = learned.setdefault(ask.name, Learned())
    if not ask.learned:
        return
    one.marks[partition] = ask.offset
    one.newest = max(one.newest, ask.time)
    period, within = divmod(ask.time, HALF_LIFE)
    scale = _SCALE[within * _STEPS // HALF_LIFE]
    for other, weight in ask.learned:
        one.sums.setdefault(other, []).append((weight * scale, period))
    if ask.name.startswith(" "):
        one.alone = one.alone or ItemState(names=[], counts=[], errors=[])
        take(one.alone, ask, decided=False)


def wrong_state(want: Learned, have: Envelope[ItemState]) -> str:
    """What is wrong with a stored state; "" if it may be."""
    marks = {partition: offset for partition, _, offset in have.marks}
    if marks != want.marks:
        return f"it has counted up to {marks}, not {want.marks}"
    if have.newest != want.newest:
        return f"its newest event is of {have.newest}, not {want.newest}"
    if want.alone is not None:
        return "" if have.body == want.alone else "it is not what its events give in their order"
    return _wrong_body(want, have.body)


def _wrong_body(want: Learned, body: ItemState) -> str:
    last = max(period for some in want.sums.values() for _, period in some)
    if body.period != last:
        return f"its counts are of the half-life {body.period}, not {last}"
    bounds = {name: _bounds(some, last) for name, some in want.sums.items()}
    least, most = _bounds([each for some in want.sums.values() for each in some], last)
    if not least <= body.total <= most:
        return f"its total is {body.total}, not {least}" + (f" to {most}" if most > least else "")
    return next(_wrong_counts(want, body, bounds, least == most), "")


def _wrong_counts(
    want: Learned, body: ItemState, bounds: dict[str, tuple[int, int]], exact: bool
) -> Iterator[str]:
    counts = dict(zip(body.names, body.counts, strict=True))
    errors = dict(zip(body.names, body.errors, strict=True))
    if len(counts) != len(body.names) or len(counts) > SIZE:
        yield f"it has {len(body.names)} neighbours, {len(counts)} of them different"
    halvings = len({period for some in want.sums.values() for _, period in some})
    for name, count in counts.items():
        least, most = bounds.get(name, (0, 0))
        if name not in bounds:
            yield f"{name} was never told"
        elif count - errors[name] > most + halvings * (not exact):
            yield f"{name} has {count - errors[name]} for certain, at most {most} are possible"
        elif exact and count < least:
            yield f"{name} has {count}, it was told {least}"
    if len(want.sums) <= SIZE:  # none had to make room
        for name, (least, most) in bounds.items():
            if not least <= counts.get(name, 0) <= most or errors.get(name, 0):
                yield f"{name} has {counts.get(name, 0)}, not {least}" + (
                    f" to {most}" if most > least else ""
                )
    elif exact and sum(body.counts) != body.total:
        yield f"its counts come to {sum(body.counts)}, its total is {body.total}"


def _bounds(some: list[tuple[int, int]], last: int) -> tuple[int, int]:
    """Rounded down one by one, and rounded down together."""
    least = sum(weight >> min(last - period, 64) for weight, period in some)
    whole = sum((Fraction(weight, 1 << (last - period)) for weight, period in some), Fraction())
    return least, int(whole)
