"""How large a batch may be, after it timed out in Storm again and again. Pure.

A batch that takes longer than the message time-out is replayed for ever: each replay only adds to
the load that made it slow. So a batch that timed out twice comes again with a quarter of its
records, and again, down to one. The limit doubles after RELAX batches that came through.
"""

TIMEOUTS = 2
"""Time-outs of a batch before it is cut: one alone may be a pause, or a process that died."""
SHRINK = 4
RELAX = 16


class BatchLimit:
    """See the module. `most` is the largest batch allowed now."""

    def __init__(self, most: int, timeout_s: float) -> None:
        self.most = self._full = most
        self._timeout_s = timeout_s
        self._timeouts = self._passed = 0

    def timed_out(self, records: int, flying_s: float) -> int:
        """A batch came back after `flying_s`; how many of its records are to be sent again."""
        if flying_s < self._timeout_s:
            return records
        self._timeouts += 1
        self._passed = 0
        if self._timeouts < TIMEOUTS or records < 2:
            return records
        self.most = max(1, records // SHRINK)
        return self.most

    def passed(self) -> None:
        """A batch came through."""
        self._timeouts = 0
        if self.most < self._full:
            self._passed += 1
            if self._passed >= RELAX:
                self.most, self._passed = min(self._full, 2 * self.most), 0
