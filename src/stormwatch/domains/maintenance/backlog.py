"""Readings of the judge `any` that an outage delayed are learned in their place by time. Pure.

What is known of such a unit is of any size, so it is not kept twice without need. Where the times
of its readings leap, there is a gap that late ones may fill: what was known before the leap is kept
beside the readings after it, as `reorder` does at all times. A late one is then put in its place
and what follows is learned once more. The gap stays open until KEPT readings have come that are
younger than its newest late one; meanwhile two to four times as much is kept of the unit.

A late reading where there was no such gap, or of before it, is decided by what is known, and
learned of those sensors only of which nothing younger was.
"""

from bisect import bisect_right
from collections.abc import Callable

import msgspec

from stormwatch.domains.maintenance import reorder
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.findings import Findings
from stormwatch.domains.maintenance.reorder import KEPT, Packing, time_of
from stormwatch.domains.maintenance.state import Known, Life, Recent, UnitState
from stormwatch.records import NOT_LEARNED, REORDERED

LEAP = 1.25
"""Usual intervals between two readings; after a longer one some may be on their way."""

Learn = Callable[[bytes, Reading], tuple[bytes, Findings]]
"""What is known of a unit's sensors after a reading, and what there is to say of it."""


def follow(
    state: UnitState, life: Life, event: Reading, learn: Learn, interval: float
) -> tuple[Findings, str]:
    """Learn a reading: what there is to say of it, and a note where it was late.

    `interval`: between the unit's readings as a rule, ms; 0: not known.
    """
    recent, body = state.recent, life.body
    if event.time < state.time and recent is not None and event.time > recent.base.time:
        return _insert(state, life, recent, event, learn)
    life.body, findings = learn(body, event)
    if not findings.learned:
        return findings, NOT_LEARNED if event.time <= state.time else ""
    if event.time < state.time:  # of a sensor that had told nothing younger
        return findings, ""
    before, state.time = state.time, event.time
    leaps = 0 < LEAP * interval < event.time - before
    if leaps and before:
        known = Known(before, body=body)
        if recent is None:
            recent = Recent(known, known)
        recent.mark, recent.marked = known, len(recent.readings)
        recent.opened = len(recent.readings)
    if recent is not None:
        recent.readings.append(_packed(event))
        if len(recent.readings) - recent.opened >= KEPT:
            recent = None
        else:
            _turn(recent, UnitState(state.time, body=life.body))
    state.recent = recent
    return findings, ""


def _insert(
    state: UnitState, life: Life, recent: Recent, event: Reading, learn: Learn
) -> tuple[Findings, str]:
    times = [time_of(each) for each in recent.readings]

    def advance(inner: UnitState, reading: Reading) -> Findings:
        assert isinstance(inner.body, bytes)
        inner.body, findings = learn(inner.body, reading)
        inner.time = max(inner.time, reading.time)
        return findings

    outer, place = UnitState(state.time, body=life.body), bisect_right(times, event.time)
    recent.opened = recent.opened + 1 if place < recent.opened else place + 1
    count = len(recent.readings) + 1
    findings = reorder.insert(outer, recent, place, event, advance, _PACKING)
    recent.opened = max(recent.opened - (count - len(recent.readings)), 0)
    assert isinstance(outer.body, bytes)
    life.body = outer.body
    return findings, REORDERED if findings.learned else NOT_LEARNED


def _turn(recent: Recent, state: UnitState) -> None:
    count = len(recent.readings)
    reorder.turn(recent, state)
    recent.opened = max(recent.opened - (count - len(recent.readings)), 0)


def _packed(event: Reading) -> bytes:
    return event.time.to_bytes(8, "little", signed=True) + msgspec.msgpack.encode(event.sensors)


_sensors = msgspec.msgpack.Decoder(dict[str, float]).decode


def _unpacked(packed: bytes, unit: str) -> Reading:
    return Reading("", unit, time_of(packed), 0, (), _sensors(packed[8:]))


_PACKING = Packing(_packed, _unpacked)
