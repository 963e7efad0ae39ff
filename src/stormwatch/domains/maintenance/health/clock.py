"""Whether the clock of a unit can be believed, by the times of its readings in their order.

Time is covered as far as readings came one interval after the other. A clock that goes back makes
readings of times that are covered already, one interval after the other; a backlog after an outage
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
_ROW = Struct("<qqIHBBf")  # newest arrival, covered until, cycle, intervals, back, leapt, interval
_WEIGHT = 0.05
_MOST = 65535


def look(body: bytes, time: int, cycle: int) -> tuple[bytes, float]:
    """What is known after a reading, and by how many seconds the clock is off; 0: not at all.

    `time`: of the reading, ms; `cycle`: its counter, 0 if it has none. Less than 0: it is behind.
    """
    if not body:
        return _ROW.pack(time, time, cycle & 0xFFFFFFFF, 0, 0, 0, 0.0), 0.0
    last, covered, before, count, back, leapt, interval = _ROW.unpack(body)
    step = time - last
    is_even = 0 < step <= LEAP * interval if count else step > 0
    off = 0.0
    if count < EVENLY:
        if is_even:
            interval += (step - interval) / (count + 1)
            count += 1
        covered = max(covered, time)
    elif time <= covered:
        goes_on = is_even if back else step <= -interval
        back = min(back + 1, 255) if goes_on else 0
        off = (time - covered) / 1000 if back >= SKEWED_AFTER else 0.0
    else:
        back = 0
        is_leap = step > LEAP * interval and cycle and cycle == before + 1
        leapt = 1 if is_leap else min(leapt + 1, 255) if leapt and is_even else 0
        if is_even:
            interval += _WEIGHT * (step - interval)
            count = min(count + 1, _MOST)
            if not leapt and (covered == last or time - covered <= LEAP * interval):
                covered = time
        if leapt >= SKEWED_AFTER:
            off = (time - covered) / 1000
            if leapt >= 50:
                leapt, covered = 0, time
    known = _ROW.pack(time, covered, cycle & 0xFFFFFFFF, count, back, leapt, interval)
    return known, off
