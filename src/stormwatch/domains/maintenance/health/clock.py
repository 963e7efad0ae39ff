"""Whether the clock of a unit can be believed, by the times of its readings in their order.

Time is covered as far as readings came one interval after the other. A clock that goes back makes
readings of times that are covered already, one after the other; a backlog after an outage
fills times that are not. A clock that leaps forward makes a gap in which the counter of cycles
goes on by one: an outage would have taken more.
"""

from struct import Struct

EVENLY = 20
"""Intervals that are known before one is judged."""
SKEWED_AFTER = 3
"""Readings of a wrong clock, after which it is told."""
LEAP = 4.0
"""Intervals."""
_ROW = Struct("<qqIHBBBf")
# newest arrival, covered until, cycle, intervals known, readings since it went back, since it
# leapt, even ones in a row, interval
_WEIGHT = 0.05
_MOST, _FULL = 65535, 255
_BELIEVED = 50  # readings after a leap, from which its clock is taken for right


def interval_of(body: bytes) -> float:
    """Between two readings of the unit as a rule, ms; 0 where it is not known."""
    interval: float = _ROW.unpack(body)[-1] if body else 0.0
    return interval


def look(body: bytes, time: int, cycle: int) -> tuple[bytes, float]:
    """What is known after a reading, and by how many seconds the clock is off; 0: not at all.

    `time`: of the reading, ms; `cycle`: its counter, 0 if it has none. Less than 0: it is behind.
    """
    cycle &= 0xFFFFFFFF
    if not body:
        return _ROW.pack(time, time, cycle, 0, 0, 0, 0, 0.0), 0.0
    last, covered, before, count, back, leapt, evens, interval = _ROW.unpack(body)
    step, off = time - last, 0.0
    in_order = count < EVENLY or last == covered  # else it may be two intervals to the next one
    is_even = 0 < step <= (LEAP * interval if count else step)
    if count < EVENLY:
        covered = max(covered, time)
    elif time <= covered:
        goes_on = is_even if back else step <= -interval
        back = min(back + 1, _FULL) if goes_on else 0
        off = time - covered - back * interval if back >= SKEWED_AFTER else 0.0
    else:
        back = 0
        if step > LEAP * interval and cycle and cycle == before + 1:
            leapt = 1
        elif leapt:
            leapt = leapt + 1 if is_even and leapt < _BELIEVED else 0
        if not leapt and is_even and (covered == last or evens >= SKEWED_AFTER):
            covered = time
        off = time - covered - leapt * interval if leapt >= SKEWED_AFTER else 0.0
    evens = min(evens + 1, _FULL) if is_even else 0
    if is_even and not back and in_order:
        interval += max(_WEIGHT, 1 / (count + 1)) * (step - interval)
        count = min(count + 1, _MOST)
    return _ROW.pack(time, covered, cycle, count, back, leapt, evens, interval), round(off) / 1000
