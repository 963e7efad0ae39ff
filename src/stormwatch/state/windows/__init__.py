"""Keyed event-time windows: tumbling, sliding, session. Pure; a base for domains.

A domain keeps a `WindowState` in its state (so one for each key) and calls `Windows.take` from
`advance`, record by record. The contract:

- **Edges**: a window is [start, end), in ms: a record at `start` is in, one at `end` is not.
  Tumbling and sliding windows start at multiples of their step since the epoch. A session ends
  `gap` after its last record: a record exactly `gap` later begins another one.
- **Time** is the key's own: its watermark is the greatest event time it has seen. There is no clock
  and no timer: windows of a key that falls silent close at its next record.
- **Closing**: a window closes, and its result comes out once and for all, when the watermark has
  reached end + lateness. Windows close in order of end, then start. Empty windows do not exist.
- **Late**: a record is judged by the watermark before it. It is late, for the late stream, when no
  window that it belongs to is open or can still be opened; it is then not aggregated anywhere. In
  sliding windows it may be in time for some only. A closed session is not opened again: a record
  that would have joined it begins one of its own.
- **Itself**: `current` holds the windows over the record's time as they are before it (`itself`
  False: features that must not see the record) or after it (True). It is told of a late record too,
  from what is still open.
- **Nulls**: a value None moves the watermark and may close windows, but opens none and is not
  aggregated. Zero, "" and [] are values.
- **Ties**: records of one time are taken in order of arrival. `add` sees the order of arrival, not
  of time; aggregates of sessions must not depend on order, for sessions merge.
- **Memory**: at most (size + lateness) / step + 1 open windows a key ((gap + lateness) / gap + 1
  accumulators for sessions), whatever comes.
- **State** goes through msgpack and back bit for bit at any moment, if the accumulators do.
"""

from stormwatch.state.windows.aggregate import COUNT, MAX, MEAN, MIN, SUM, Aggregate
from stormwatch.state.windows.keyed import Taken, WindowResult, Windows, WindowState
from stormwatch.state.windows.shapes import Session, Shape, Sliding, Tumbling

__all__ = [
    "COUNT", "MAX", "MEAN", "MIN", "SUM", "Aggregate", "Session", "Shape", "Sliding", "Taken",
    "Tumbling", "WindowResult", "WindowState", "Windows",
]  # fmt: skip
