"""Readings that come late are learned in their place in event time, within a bound. Pure.

Beside what is known of a unit stand its newest readings, by event time, and what was known before
the first of them and half way through. A reading that is older than the newest one is put in its
place, and what follows it is learned once more: from then on all is as if it had come in order. Of
one for which fewer than KEPT younger ones have come this always holds; of an older one as long as
there is room, which is for up to 2 * KEPT - 1. What is older still is not learned.

A late reading is decided by what was known in its place, itself included, as in order. In order
nothing is learned twice. It takes 6 kB a unit at most: 2 * KEPT - 1 readings of 150 bytes, and what
was known at three places.
"""

from bisect import bisect_left
from collections.abc import Callable
from math import isnan, nan
from operator import itemgetter
from struct import Struct
from typing import NamedTuple, TypeVar

import msgspec

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import learns
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.domains.maintenance.state import Known, Recent, UnitState
from stormwatch.records import NOT_LEARNED, REORDERED

KEPT = 8
"""Younger readings that may have come before a late one for it to find its place."""

Row = tuple[float, ...]
Advance = Callable[[UnitState, Reading], Row]
"""Learns a reading that is newer than what the state has learned, and gives its features."""

Told = TypeVar("Told")


class Packing(NamedTuple):
    """How readings are kept; their time comes first."""

    pack: Callable[[Reading], bytes]
    unpack: Callable[[bytes, str], Reading]


_NAMES = tuple(sensor.name for sensor in WEARING)
_TAKE = itemgetter(*_NAMES)
_HEAD = Struct(f"<qI{len(_NAMES)}d")  # time, cycle, sensors (nan: absent); the settings follow
_SETTINGS = [Struct(f"<{count}d") for count in range(9)]


def follow(
    state: UnitState, recent: Recent | None, event: Reading, advance: Advance
) -> tuple[Row, Recent | None, str]:
    """Learn a reading: its features, the newest readings with it, and a note where it was late.

    `state` holds its body as bytes.
    """
    if learns(state, event):
        recent = recent or begun(state, event)
        row = advance(state, event)
        follows(state, recent, event)
        return row, recent, ""
    place = None if recent is None else _place(recent, event.time)
    if recent is None or place is None:
        return advance(state, event), recent, NOT_LEARNED
    return insert(state, recent, place, event, advance, _PACKING), recent, REORDERED


def begun(state: UnitState, event: Reading) -> Recent:
    """The newest readings of a unit, of which this one, not learned yet, will be the first."""
    known = _known(state)
    if not known.body:  # of a life that begins: what is older than its end is not asked for
        known = msgspec.structs.replace(known, time=min(known.time, event.time - 1))
    return Recent(known, known)


def follows(state: UnitState, recent: Recent, event: Reading) -> None:
    """Put a reading that `state` has just learned, in order, to the newest ones."""
    recent.readings.append(_packed(event))
    recent.mark, recent.marked = None, 0
    turn(recent, state)


def _place(recent: Recent, time: int) -> int | None:
    """Where a reading of that time belongs; None where there is no room, or has one of that time
    been learned."""
    if time <= recent.base.time:
        return None
    times = [time_of(each) for each in recent.readings]
    at = bisect_left(times, time)
    return None if at < len(times) and times[at] == time else at


def insert(
    state: UnitState, recent: Recent, place: int, event: Reading,
    advance: Callable[[UnitState, Reading], Told], packing: Packing,
) -> Told:  # fmt: skip
    """Learn from the nearest place before it that is known; return what is told at its own.

    `state` then is as if the readings had come in this order.
    """
    readings, split = recent.readings, recent.split
    at, known = 0, recent.base
    if place >= split:
        at, known = split, recent.middle
    if recent.mark is not None and at <= recent.marked <= place:
        at, known = recent.marked, recent.mark
    readings.insert(place, packing.pack(event))
    inner = UnitState(
        known.time, known.cycle, known.offset, known.body, health=known.health
    )  # fmt: skip
    told = None
    for nth in range(at, len(readings)):
        if nth == split and place < split:
            recent.middle = _known(inner)
        if nth == place:
            told = advance(inner, event)
            recent.mark, recent.marked = _known(inner), place + 1
        else:
            advance(inner, packing.unpack(readings[nth], event.unit))
    state.time, state.cycle, state.offset = inner.time, inner.cycle, inner.offset
    state.body, state.health = inner.body, inner.health
    turn(recent, state)
    assert told is not None
    return told


def turn(recent: Recent, state: UnitState) -> None:
    """Give up the older half once the younger one is full."""
    if len(recent.readings) - recent.split < KEPT:
        return
    recent.marked -= recent.split
    if recent.marked < 0:
        recent.mark, recent.marked = None, 0
    del recent.readings[: recent.split]
    recent.base, recent.middle = recent.middle, _known(state)
    recent.split = len(recent.readings)


def _known(state: UnitState) -> Known:
    assert isinstance(state.body, bytes)
    return Known(state.time, state.cycle, state.offset, state.body, state.health)


def _packed(event: Reading) -> bytes:
    try:
        values = _TAKE(event.sensors)
    except KeyError:
        values = tuple(event.sensors.get(name, nan) for name in _NAMES)
    settings = event.settings
    return _HEAD.pack(event.time, event.cycle, *values) + _SETTINGS[len(settings)].pack(*settings)


def time_of(packed: bytes) -> int:
    """Of a reading as it is kept: its first eight bytes, ms."""
    return int.from_bytes(packed[:8], "little", signed=True)


def _unpacked(packed: bytes, unit: str) -> Reading:
    time, cycle, *values = _HEAD.unpack_from(packed)
    count = (len(packed) - _HEAD.size) // 8
    settings = _SETTINGS[count].unpack_from(packed, _HEAD.size)
    pairs = zip(_NAMES, values, strict=True)
    sensors = {name: value for name, value in pairs if not isnan(value)}
    return Reading("", unit, time, cycle, settings, sensors)


_PACKING = Packing(_packed, _unpacked)
