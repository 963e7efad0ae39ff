"""What a case is, and the figures that it gives."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import msgspec

Say = Callable[[str], None]
"""Takes a line of progress."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measured number beside what it is compared with."""

    metric: str  # with its unit where it has one
    ours: float  # the mean over `runs`
    runs: int = 1  # seeds or folds
    spread: float = 0.0  # standard deviation over them
    baseline: float | None = None  # a simple method in the same protocol
    published: float | None = None  # the best that was published by the same protocol
    reach: float | None = None  # what this project wants to reach
    up: bool = True  # whether more is better
    note: str = ""  # what a reader must know of it

    @property
    def reached(self) -> bool | None:
        """Whether it is as good as wanted; None where nothing is wanted."""
        if self.reach is None:
            return None
        return self.ours >= self.reach if self.up else self.ours <= self.reach


class Case(NamedTuple):
    """One protocol. `run` raises SettingsError for data that it cannot use."""

    name: str  # for `--case`, e.g. "card-weeks"
    domain: str  # "fraud" or "maintenance"
    title: str
    needs: str  # the folder within the data folder; "" if it makes its own data
    run: Callable[[Path | None, Say], Sequence[Figure]]


def over(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean, standard deviation (0 for one value) and number of what seeds or folds gave."""
    return fmean(values), stdev(values) if len(values) > 1 else 0.0, len(values)


def figure(metric: str, values: Sequence[float], **compared: float | bool | str | None) -> Figure:
    """A figure of what seeds or folds gave; `compared` as in Figure."""
    ours, spread, runs = over(values)
    return msgspec.convert(
        {"metric": metric, "ours": ours, "runs": runs, "spread": spread, **compared}, Figure
    )
