"""How surprising a reading is, given how often a unit was so far off before.

Three distances of a reading, each that of the sensor where it is largest, in sigmas but the last:
`near`, the mean of the newest few readings from what is normal at this time of the day; `far`, the
same of some fifty; `beyond`, how far a value is outside all that was seen of its sensor, in shares
of what was seen. Each has a histogram, in bins that double, of what it was in the readings before.
A distance's surprise is the number of decades of its tail,

    log10((n + 2) / (m + 1))        n readings before, m of them as far off or farther

and a decade more for each doubling beyond both the farthest ever and what is no wonder; the three
are added, as the logarithms of p-values are to test them together (Fisher 1925). So it does not
matter how wild or calm a unit is: what it does often surprises nobody.
"""

from math import frexp, log10

BINS = 10
"""Of a histogram; there are three, one behind the other."""
FIRST = (-1, -2, -7)
"""Of `near`, `far`, `beyond`: what is below 2 to the power of it is in the first bin."""
NO_WONDER = (3, 3, 7)
"""Bin up to which a distance is no wonder though it was never seen: 4 sigmas, 2 sigmas, the width
of all that was seen."""
_NOTHING = 2.0**-20
_FULL = 60_000  # a count; then all of its histogram are halved

Distances = tuple[float, float, float]


def surprise(rare: list[int], distances: Distances) -> Distances:
    """Decades of each, by the histograms of the readings before."""
    near, far, beyond = (_decades(rare, nth, distances[nth]) for nth in range(3))
    return near, far, beyond


def _decades(rare: list[int], nth: int, distance: float) -> float:
    at = _bin(distance, FIRST[nth])
    if not at:
        return 0.0
    bins = rare[nth * BINS : nth * BINS + BINS]
    decades = log10((sum(bins) + 2) / (sum(bins[at:]) + 1))
    if at > NO_WONDER[nth]:
        top = max((each for each in range(BINS) if bins[each]), default=0)
        decades += max(0, at - max(top, NO_WONDER[nth]))
    return decades


def count(rare: list[int], distances: Distances) -> None:
    """Put a reading's distances to those of the readings before."""
    for nth in range(3):
        first = nth * BINS
        at = first + _bin(distances[nth], FIRST[nth])
        rare[at] += 1
        if rare[at] >= _FULL:
            rare[first : first + BINS] = [each // 2 for each in rare[first : first + BINS]]


def _bin(distance: float, first: int) -> int:
    at = frexp(distance or _NOTHING)[1] - first
    return 0 if at < 0 else at if at < BINS else BINS - 1
