"""What is remembered of an item: which others the same users touch, decayed, in whole numbers.

Forward decay (Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009): a weight is scaled *up* by its
place within its half-life and counts are halved once a half-life, so that adding is all there is
between: no float, no drift, the same bytes wherever a batch is cut. Neighbours are kept by Space
Saving (Metwally, Agrawal and El Abbadi, ICDT 2005): SIZE of them; a new one takes the place of the
least and inherits its count as `error`; `count - error` is certain, and that alone is told.
"""

import msgspec

SIZE = 48
HALF_LIFE = 14 * 86_400_000
"""After so many ms a weight counts half."""
_STEPS = 64
_SCALE = [round(16 * 2 ** (step / _STEPS)) for step in range(_STEPS)]


class ItemState(msgspec.Struct, array_like=True):
    """Neighbours of one item: `counts[i]`, of which at most `errors[i]` is too much."""

    period: int = 0  # half-lives since the epoch that the counts stand for
    total: int = 0  # of all weights learned
    names: list[str] = []
    counts: list[int] = []
    errors: list[int] = []


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """An item's best neighbours with their certain counts, and what all its weights come to."""

    total: int
    best: list[tuple[str, int]]


def learn(state: ItemState, other: str, weight: int, time: int, size: int = SIZE) -> None:
    """Count `other` as a neighbour, in place; `time` is the event's, ms."""
    period, within = divmod(time, HALF_LIFE)
    if period > state.period:
        _age(state, period - state.period)
        state.period = period
    scaled = weight * _SCALE[within * _STEPS // HALF_LIFE] >> min(state.period - period, 64)
    if scaled <= 0:
        return
    state.total += scaled
    if other in state.names:
        state.counts[state.names.index(other)] += scaled
    elif len(state.names) < size:
        state.names.append(other)
        state.counts.append(scaled)
        state.errors.append(0)
    else:
        least = min(state.counts)
        at = state.counts.index(least)
        state.names[at], state.counts[at], state.errors[at] = other, least + scaled, least


def best(state: ItemState, count: int) -> Answer:
    """The `count` neighbours of which most is certain; ties by name."""
    certain = zip(state.names, state.counts, state.errors, strict=True)
    ranked = sorted(((error - n, name) for name, n, error in certain if n > error))
    return Answer(state.total, [(name, -less) for less, name in ranked[:count]])


def _age(state: ItemState, periods: int) -> None:
    shift = min(periods, 64)
    kept = [
        (name, count >> shift, error >> shift)
        for name, count, error in zip(state.names, state.counts, state.errors, strict=True)
        if count >> shift
    ]
    state.total >>= shift
    state.names = [name for name, _, _ in kept]
    state.counts = [count for _, count, _ in kept]
    state.errors = [error for _, _, error in kept]
