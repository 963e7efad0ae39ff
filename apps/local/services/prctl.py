"""What only Linux offers: to leave no process behind, to idle cheaply. A no-op elsewhere."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded by now: a child that was forked off a process with threads may load nothing."""


def end_with_parent() -> None:
    """This process gets SIGTERM when its parent ends, however that ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def wake_rarely() -> None:
    """Timers of this process and its children may be half a millisecond late.

    Cassandra's idle threads look for work every 10 us: at 2,000 records/s that was more CPU than
    the writes themselves (a batch of 8 records: 7.2 ms with it, 3.1 without, latency + 0.7 ms).
    """
    _prctl(_PR_SET_TIMERSLACK, 500_000)


def adopt_orphans() -> None:
    """What our children leave behind becomes our child, so that we can wait for it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if _LIBC is not None:
        _LIBC.prctl(option, value, 0, 0, 0)
