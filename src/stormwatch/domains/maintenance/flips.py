"""What would have cleared an alert of a machine: another value of one sensor, in this one reading.

A reading's features are the work of many, so the unit's readings before it are learned again, from
the log. Only where that gives the very decision that was stored is anything told: the domain then
decides the reading once more with each value that is tried. A value is moved towards the median of
the unit's last readings, else to that of its first ones (what wears was off in the last, too), and
the least way there that clears the alert is told.
"""

import copy
from collections import deque
from collections.abc import Iterable, Sequence
from statistics import median, pstdev
from typing import NamedTuple

import msgspec

from stormwatch.domains.maintenance.domain import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.reasons.catalogue import flips as texts
from stormwatch.reasons.flip import Flip
from stormwatch.state.judge import Verdict

STEPS = 16
"""Values of each sensor that are tried on the way, twice."""
MOST = 3
"""Sensors that are told, the least change first."""
_LAST = 15
_DIGITS = 6


class Stored(NamedTuple):
    """What was decided, to hold the history against."""

    features: tuple[float, ...]
    outcome: str
    score: float


def flips(
    domain: Maintenance, before: Iterable[Reading], event: Reading, stored: Stored
) -> list[Flip] | None:
    """`before`: the unit's readings and events in the order of the log. None where these do not
    give the decision as it was stored: some are missing."""
    state, seen = domain.new_state(), set[str]()
    first, last = list[dict[str, float]](), deque[dict[str, float]](maxlen=_LAST)
    for one in before:
        if one.id not in seen:
            seen.add(one.id)
            domain.advance(state, one)
            if one.event is None:
                last.append(one.sensors)
                if len(first) < _LAST:
                    first.append(one.sensors)
    tried = _Tried(domain, state)
    row, (now,) = tried.rows([event])[0], tried.decided([event])
    if Stored(row, now.outcome, now.score) != stored:
        return None
    if now.outcome not in domain.alert_outcomes or event.event is not None:
        return []
    found = [
        made
        for name in event.sensors
        if (made := _nearest(tried, event, name, last) or _nearest(tried, event, name, first))
    ]
    return [flip for _, flip in sorted(found, key=lambda one: one[0])[:MOST]]


class _Tried:
    """Decides readings, each as the next of the unit."""

    def __init__(self, domain: Maintenance, state: UnitState) -> None:
        self._domain, self._state = domain, state
        self.words = domain.words

    def rows(self, events: Sequence[Reading]) -> list[tuple[float, ...]]:
        return [self._domain.advance(copy.deepcopy(self._state), one)[0] for one in events]

    def decided(self, events: Sequence[Reading]) -> list[Verdict]:
        made = [self._domain.advance(copy.deepcopy(self._state), one) for one in events]
        return self._domain.decide(events, [row for row, _ in made], [one for _, one in made])

    def cleared(self, event: Reading, name: str, values: Sequence[float]) -> list[Verdict | None]:
        """Of each value the verdict, where it is no alert."""
        events = [_with(event, name, value) for value in values]
        alerts = self._domain.alert_outcomes
        return [None if one.outcome in alerts else one for one in self.decided(events)]


def _with(event: Reading, name: str, value: float) -> Reading:
    return msgspec.structs.replace(event, sensors=event.sensors | {name: value})


def _nearest(
    tried: _Tried, event: Reading, name: str, last: Sequence[dict[str, float]]
) -> tuple[float, Flip] | None:
    """How far the sensor's nearest value is that clears it, in spreads of its own; and that."""
    known = [one[name] for one in last if name in one]
    was = event.sensors[name]
    if not known or (usual := median(known)) == was:
        return None
    way = [step / STEPS for step in range(1, STEPS + 1)]
    values = [was + part * (usual - was) for part in way]
    clear = tried.cleared(event, name, values)
    at = next((at for at, one in enumerate(clear) if one is not None), None)
    if at is None:
        return None
    finer = [was + (way[at] - (1 - part) / STEPS) * (usual - was) for part in way]
    rounded = [*dict.fromkeys(float(f"{value:.{_DIGITS}g}") for value in finer)]
    clear = tried.cleared(event, name, rounded)
    cleared = ((value, one) for value, one in zip(rounded, clear, strict=True) if one is not None)
    now, verdict = next(cleared, (was, None))
    if verdict is None:
        return None
    words, unit = tried.words(event, name)
    said = texts("maintenance")["sensor"]
    told = [f"{value:.{_DIGITS}g} {unit}".rstrip() for value in (was, now)]
    text = said.format(words=words, was=told[0], now=told[1])
    spread = pstdev(known) or abs(usual) * 0.01 or 1.0
    return abs(now - was) / spread, Flip(name, told[0], told[1], text, verdict.score)
