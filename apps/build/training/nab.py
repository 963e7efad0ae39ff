"""The Numenta Anomaly Benchmark's scoring (v1.1), for detectors that give a score a row.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015, and the code of
numenta/NAB (nab/sweeper.py): the first 15 % of a file (750 rows at most) are not judged; within a
labelled window the earliest detection counts, by a sigmoid of its place; a window without one costs
1; a detection outside costs up to 0.11, less shortly after a window. One threshold, the best, holds
for the whole corpus. 0 is a detector that says nothing, 100 a perfect one.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from stormwatch.parsing.fields import to_ms

FALSE_POSITIVE = 0.11
TWEETS = "realTweets/"


class Series(NamedTuple):
    """One file: its values and the first and last row of each labelled window."""

    values: list[float]
    windows: list[tuple[int, int]]
    times: Sequence[int] = ()  # ms since the epoch, taken as UTC


class Judged(NamedTuple):
    """What a detection in a row is worth: within window `window`, or outside (-1)."""

    window: int
    worth: float


def read(folder: Path) -> dict[str, Series]:
    """Every labelled file of the corpus. Raises OSError, KeyError, ValueError for another one."""
    labels: dict[str, list[list[str]]] = json.loads(
        (folder / "labels" / "combined_windows.json").read_text()
    )
    return {name: _series(folder / "data" / name, spans) for name, spans in labels.items()}


def _series(path: Path, spans: Sequence[Sequence[str]]) -> Series:
    with path.open(newline="") as file:
        rows = [(datetime.fromisoformat(r["timestamp"]), float(r["value"]))
                for r in csv.DictReader(file)]  # fmt: skip
    windows = []
    for low, high in spans:
        first, last = datetime.fromisoformat(low), datetime.fromisoformat(high)
        inside = [at for at, (time, _) in enumerate(rows) if first <= time <= last]
        windows.append((inside[0], inside[-1]))
    times = [to_ms(time.replace(tzinfo=UTC)) for time, _ in rows]
    return Series([value for _, value in rows], windows, times)


def judge(series: Series) -> list[Judged | None]:
    """Of each row what a detection is worth; None within the part that is not judged."""
    size = len(series.values)
    unjudged = min(int(0.15 * size), 750)
    out: list[Judged | None] = []
    at, before = 0, None
    for row in range(size):
        while at < len(series.windows) and row > series.windows[at][1]:
            before, at = series.windows[at], at + 1
        if at < len(series.windows) and series.windows[at][0] <= row:
            first, last = series.windows[at]
            worth = _sigmoid(-(last - row + 1) / (last - first + 1)) / _sigmoid(-1.0)
            found = Judged(at, worth)
        else:
            far = 4.0 if before is None else (row - before[1]) / (before[1] - before[0])
            found = Judged(-1, FALSE_POSITIVE * _sigmoid(far))
        out.append(found if row >= unjudged else None)
    return out


def _sigmoid(place: float) -> float:
    return -1.0 if place > 3 else 2 / (1 + math.exp(5 * place)) - 1


def best_threshold(corpus: Mapping[str, Series], scores: Mapping[str, Sequence[float]]) -> float:
    """The score from which on rows count as detections so that the corpus scores best."""
    found = sorted(
        (
            (score, name, judged)
            for name, series in corpus.items()
            for score, judged in zip(scores[name], judge(series), strict=True)
            if judged is not None and score > 0
        ),
        key=lambda one: -one[0],
    )
    total, best, threshold = 0.0, 0.0, math.inf
    held: dict[tuple[str, int], float] = {}
    for at, (score, name, judged) in enumerate(found):
        if judged.window < 0:
            total += judged.worth
        else:
            before = held.get((name, judged.window), -1.0)
            held[name, judged.window] = max(before, judged.worth)
            total += max(0.0, judged.worth - before)
        if (at + 1 == len(found) or found[at + 1][0] < score) and total > best:
            best, threshold = total, score
    return threshold


def score(
    corpus: Mapping[str, Series],
    scores: Mapping[str, Sequence[float]],
    threshold: float,
    names: Iterable[str],
) -> float:
    """The standard profile's score of these files, 0 to 100 (negative for worse than silence)."""
    gained, windows = 0.0, 0
    for name in names:
        held: dict[int, float] = {}
        for value, judged in zip(scores[name], judge(corpus[name]), strict=True):
            if judged is None or value < threshold:
                continue
            if judged.window < 0:
                gained += judged.worth
            else:
                held[judged.window] = max(held.get(judged.window, -1.0), judged.worth)
        gained += sum(worth + 1 for worth in held.values())
        windows += len(corpus[name].windows)
    return 100 * gained / (2 * windows)
