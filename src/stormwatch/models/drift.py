"""Whether what is decided is still like what the model was trained on: counted while it runs.

Of every tenth decision features and score are kept; each full window gives the population
stability index of every feature and of the score (`stormwatch.models.distribution`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from stormwatch.metrics import MUCH_DRIFT
from stormwatch.models.card import Card
from stormwatch.models.distribution import Distribution, Flags, Floats

EVERY = 10
"""One decision in so many is looked at."""
WINDOW = 2_000
"""Of those, so many make a window: then they are compared, and the next window begins."""
SCORE = "score"
"""The name of the score among the indices."""
SHOWN = 3


class _Sampled(msgspec.Struct):
    features: tuple[float, ...]
    model: str
    score: float


_decode = msgspec.json.Decoder(_Sampled).decode


class Found(NamedTuple):
    """Of one window."""

    indices: Mapping[str, float]  # by feature, and SCORE
    told: str  # a sentence while much has changed in two windows in a row, else ""


class Drift:
    """Of one model in one process. Observes only: no decision depends on it."""

    def __init__(
        self, card: Card, trained_on: Distribution, settled: Any = None, *, window: int = WINDOW
    ) -> None:
        """`settled`: of feature rows, which are of an entity known for long enough to be compared:
        a new installation knows nobody, its model was trained on entities that it knew."""
        self._card, self._trained_on, self._settled = card, trained_on, settled
        self._window = window
        self._taken = self._kept = self._skip = 0
        self._counts: Floats | None = None
        self._lasting = Lasting(card.version)

    def look(self, bodies: Sequence[bytes]) -> Found | None:
        """Of the stored decisions of one batch; what was found where they fill a window.

        What is kept are counts, whatever the window.
        """
        chosen = bodies[self._skip :: EVERY]
        self._skip = (self._skip - len(bodies)) % EVERY
        rows = [one for one in map(_decode, chosen) if one.model == self._card.version]
        found = None
        while rows:
            some, rows = rows[: self._window - self._taken], rows[self._window - self._taken :]
            self._count(some)
            if self._taken == self._window:
                found = self._compare()
        return found

    def _count(self, some: Sequence[_Sampled]) -> None:
        self._taken += len(some)
        width = len(self._card.feature_names)
        rows = np.array([one.features[:width] for one in some])
        scores = np.array([one.score for one in some])
        if self._settled is not None:
            kept: Flags = self._settled(rows)
            rows, scores = rows[kept], scores[kept]
        if len(rows):
            counts = self._trained_on.counted(rows, scores)
            self._counts = counts if self._counts is None else self._counts + counts
            self._kept += len(rows)

    def _compare(self) -> Found | None:
        counts, kept = self._counts, self._kept
        self._taken, self._kept, self._counts = 0, 0, None
        if counts is None or kept < self._window // 2:
            return None
        features, score = self._trained_on.stability(counts)
        names = (*self._card.feature_names, SCORE)
        indices = dict(zip(names, (round(one, 4) for one in (*features, score)), strict=True))
        return Found(indices, self._lasting.told(indices))


class Lasting:
    """What has changed much in two windows in a row."""

    def __init__(self, version: str) -> None:
        """`version`: of the model."""
        self._version = version
        self._before: set[str] = set()

    def told(self, indices: Mapping[str, float], of: str = "") -> str:
        """Of the indices of one window: a sentence, or "" where nothing has lasted. `of`: what they
        are of."""
        much = {name for name, index in indices.items() if index > MUCH_DRIFT}
        lasting, self._before = much & self._before, much
        return self._sentence(indices, lasting, of) if lasting else ""

    def _sentence(self, indices: Mapping[str, float], lasting: Iterable[str], of: str) -> str:
        most = sorted(lasting, key=lambda name: -indices[name])
        named = ", ".join(f"{name} {indices[name]:.2f}" for name in most[:SHOWN])
        more = f" and {len(most) - SHOWN} more" if len(most) > SHOWN else ""
        return (
            f"What is decided is no longer like what the model {self._version} was trained on "
            f"(population stability index above {MUCH_DRIFT}: {named}{more}"
            f"{'; ' if of else ''}{of}). Look at whether the source changed; else train a model on "
            "data of your own: ./stormwatch train"
        )
