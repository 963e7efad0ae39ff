"""Is what is scored here the model that was brought? Asked with rows made to hurt."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.build.own_model.source import Floats, Source
from apps.build.training.export import ROWS, telling_rows
from stormwatch.models import Model

Flags = NDArray[np.bool_]

TOLERANCE = 1e-5
"""The greatest difference allowed; above 1 it is relative."""
_OWN_ROWS = 500


class Compared(NamedTuple):
    """What came of it."""

    rows: int
    worst: float
    left_out: str = ""  # rows that the original does not take


def rows_for(source: Source, sample: Floats | None) -> Floats:
    """Zeros, NaN, thresholds and their neighbours, extremes; and rows of the sample."""
    if source.trees is not None:
        made = telling_rows(source.trees, list(source.common))
    else:
        width = source.width * source.window
        pool = np.array(source.common)
        rng = np.random.default_rng(0)
        size = max(ROWS, len(pool))
        made = np.column_stack([rng.permutation(np.resize(pool, size)) for _ in range(width)])
        usual = np.abs(pool) <= 1e3  # most of what a stream brings is of such sizes
        own = rng.choice(pool[usual], (size, width)) + rng.normal(size=(size, width))
        made = np.vstack([made, own, np.repeat(pool[:, None], width, axis=1)])
    if sample is None or not len(sample):
        return made
    step = -(-len(sample) // _OWN_ROWS)
    return np.vstack([made, sample[::step]])


def compare(source: Source, model: Model, rows: Floats, feature_names: tuple[str, ...]) -> Compared:
    """The greatest difference from the original's score, and from the model's own in other batches.

    Raises ValueError, saying in which row and why, above TOLERANCE; and for a score that depends on
    the batch.
    """
    mine = np.array(model.predict(rows))
    _same_in_any_batch(model, rows, mine)
    if source.original is None:
        return Compared(0, 0.0)
    theirs, kept, left_out = _asked(source, rows)
    return Compared(
        int(kept.sum()), _apart(rows[kept], mine[kept], theirs, feature_names), left_out
    )


def against(model: Model, rows: Floats, stated: Floats, feature_names: tuple[str, ...]) -> Compared:
    """The same with scores that somebody states of rows."""
    mine = np.array(model.predict(rows))
    return Compared(len(rows), _apart(rows, mine, stated, feature_names))


def _same_in_any_batch(model: Model, rows: Floats, mine: Floats) -> None:
    for size, some in ((1, rows[:64]), (7, rows[:210])):
        parts = [model.predict(some[at : at + size]) for at in range(0, len(some), size)]
        found = np.array([score for part in parts for score in part])
        differs = np.flatnonzero(~_equal(found, mine[: len(some)]))
        if len(differs):
            at = int(differs[0])
            raise ValueError(
                f"row {at} gets {mine[at]!r} in a batch of {len(rows)} and {found[at]!r} in one of "
                f"{size}: a score may not depend on the batch. Export it without batch "
                "normalisation in training mode and without dropout (PyTorch: model.eval())"
            )


def _asked(source: Source, rows: Floats) -> tuple[Floats, Flags, str]:
    """The original's scores, of which rows, and what had to be left out for it to answer."""
    assert source.original is not None
    every: Flags = np.ones(len(rows), dtype=np.bool_)
    finite: Flags = np.array(np.isfinite(rows).all(axis=1))
    small: Flags = finite.copy()
    small &= (np.abs(np.nan_to_num(rows)) < 1e30).all(axis=1)
    problem: Exception | None = None
    for kept, left_out in (
        (every, ""), (finite, "it takes no NaN, and none comes"),
        (small, "it takes neither NaN nor values from 1e30 on"),
    ):  # fmt: skip
        try:
            with np.errstate(all="ignore"):
                made = np.asarray(source.original(rows[kept]), dtype=np.float64)
            return _scored(made.reshape(int(kept.sum())), kept, small, left_out)
        except Exception as error:  # whatever a framework raises of NaN: tried without
            problem = error
    raise ValueError(f"the original gives no scores of rows: {problem}") from problem


def _scored(theirs: Floats, kept: Flags, small: Flags, left_out: str) -> tuple[Floats, Flags, str]:
    """Without the rows of NaN or of values from 1e30 on of which the original has no score."""
    without = ~np.isfinite(theirs) & ~small[kept]
    if not without.any():
        return theirs, kept, left_out
    where = np.flatnonzero(kept)[~without]
    left: Flags = np.zeros(len(kept), dtype=np.bool_)
    left[where] = True
    return theirs[~without], left, left_out or "it has no score of NaN, and none comes"


def _equal(one: Floats, other: Floats) -> Flags:
    found: Flags = (one == other) | (np.isnan(one) & np.isnan(other))
    return found


def _apart(rows: Floats, mine: Floats, theirs: Floats, feature_names: tuple[str, ...]) -> float:
    with np.errstate(invalid="ignore"):
        apart = np.abs(mine - theirs) / np.maximum(1.0, np.abs(theirs))
    apart = np.where(_equal(mine, theirs), 0.0, apart)
    apart = np.where(np.isnan(apart), np.inf, apart)
    worst = int(np.argmax(apart))
    if apart[worst] > TOLERANCE:
        last = rows[worst][-len(feature_names) :].tolist()
        told = ", ".join(f"{n}={v:.9g}" for n, v in zip(feature_names, last, strict=True))
        raise ValueError(
            f"{int((apart > TOLERANCE).sum())} of {len(rows)} rows get another score, most of all "
            f"row {worst}: the original gives {theirs[worst]:.9g}, the converted model "
            f"{mine[worst]:.9g}, of {told}"
        )
    return float(apart[worst])
