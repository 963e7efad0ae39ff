"""When Python's cyclic garbage collector runs: between batches, not in the middle of one.

A batch makes and frees tens of thousands of objects: with Python's own thresholds the collector
took a quarter of the scoring time, and with far higher ones the driver's cycles piled up until one
collection held a batch up for 260 ms. After a batch hardly anything of it is alive, so that looking
then costs next to nothing.
"""

import gc

_SAFETY = 100_000
"""New objects more than freed ones that set the collector off in the middle of a batch."""
_MIDDLE_EVERY, _ALL_EVERY = 100, 10_000
"""Batches between two looks at what outlived a first look, and at everything."""


def spare_start() -> None:
    """What lives now is not looked at again; what comes is looked at by `Collector`."""
    gc.freeze()
    gc.set_threshold(_SAFETY, 1_000_000, 1_000_000)


class Collector:
    """To be called after each batch."""

    def __init__(self) -> None:
        self._batches = 0

    def __call__(self) -> None:
        self._batches += 1
        if self._batches % _ALL_EVERY == 0:
            gc.collect(2)
        elif self._batches % _MIDDLE_EVERY == 0:
            gc.collect(1)
        else:
            gc.collect(0)
