"""Measures social media monitoring on public data: `python -m apps.build.training.social FOLDER`.

FOLDER holds `social/vader_tweets_ground_truth.tsv` and `nab/`. Protocols: docs/quality-social.md.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.build.training import nab
from stormwatch.domains.social.domain import LAG, SPIKE_FROM
from stormwatch.domains.social.rate import Rate, learn, surprise

RATING_CUT = 0.2
"""Ratings (-4 to 4) above it are positive, below its negative are negative."""
SENTIMENT_CUT = 500
"""The same for sentiment, of 10,000: VADER's own 0.05."""


class Agreement(NamedTuple):
    """How sentiment agrees with people's mean rating."""

    tweets: int
    correlation: float  # Pearson's r
    accuracy: float  # share in the same of three classes
    macro_f1: float


class Spikes(NamedTuple):
    """The detector by the Numenta Anomaly Benchmark's standard profile."""

    threshold: float  # best over the whole corpus, the benchmark's rule
    corpus: float
    tweets: float  # the ten tweet-volume files at that threshold
    tweets_fixed: float  # the same at the threshold that the topology uses
    tweets_own: float  # the same at the threshold best for them alone
    threshold_own: float


def agreement(path: Path, sentiment: Callable[[str], int]) -> Agreement:
    """Sentiment against the rated tweets. Raises OSError or ValueError for another file."""
    rows = [line.split("\t", 2) for line in path.read_text(encoding="utf-8").splitlines()]
    rated = np.array([float(rating) for _, rating, _ in rows])
    found = np.array([sentiment(text) for _, _, text in rows], dtype=float)
    truth, said = _classes(rated, RATING_CUT), _classes(found, SENTIMENT_CUT)
    f1 = [
        2 * np.sum((truth == k) & (said == k)) / (np.sum(truth == k) + np.sum(said == k))
        for k in (-1, 0, 1)
    ]
    r = float(np.corrcoef(rated, found)[0, 1])
    return Agreement(len(rows), r, float(np.mean(truth == said)), float(np.mean(f1)))


def _classes(values: NDArray[np.float64], cut: float) -> NDArray[np.int64]:
    classes: NDArray[np.int64] = (values > cut).astype(np.int64) - (values < -cut)
    return classes


def detect(values: Sequence[float], unit: int = 1) -> list[float]:
    """Surprise of each row in deviations, 0 where not told, one pass, learning LAG rows behind."""
    rate = Rate()
    counts = [round(value * unit) for value in values]
    out = []
    for row, count in enumerate(counts):
        if row >= LAG:
            learn(rate, row - LAG, counts[row - LAG])
        out.append(surprise(rate, row, count) / 1000)
    return out


def spikes(folder: Path) -> Spikes:
    """The detector over the corpus; what are no counts (all but tweets) is read in thousandths."""
    corpus = nab.read(folder)
    tweets = [name for name in corpus if name.startswith(nab.TWEETS)]
    found = {n: detect(s.values, 1 if n in tweets else 1000) for n, s in corpus.items()}
    best = nab.best_threshold(corpus, found)
    own = nab.best_threshold({name: corpus[name] for name in tweets}, found)
    return Spikes(
        best,
        nab.score(corpus, found, best, corpus),
        nab.score(corpus, found, best, tweets),
        nab.score(corpus, found, SPIKE_FROM / 1000, tweets),
        nab.score(corpus, found, own, tweets),
        own,
    )


def main(folder: Path) -> None:
    """Print both."""
    from stormwatch.adapters.sentiment import sentiment

    print(agreement(folder / "social" / "vader_tweets_ground_truth.tsv", sentiment))
    print(spikes(folder / "nab"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
