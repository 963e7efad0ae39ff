"""Numenta Anomaly Benchmark v1.1, all 58 series, standard profile.

Protocol: the files of numenta/NAB under `data`, windows of `labels/combined_windows.json`; each
file is one unit of the equipment type `series`, its rows are readings in the order of the file,
decided one after the other by the domain as it is shipped: one pass, nothing of later rows, one
setting for all files. The first 15 % of a file (750 rows at most) are not judged. A row counts by
the score of its decision; one that tells nothing new (see `Carry.is_again`) has 0. One threshold,
the best, holds for the whole corpus, as in the published table; beside it stand the score at the
threshold that the product alarms at, and that of each group of files at the threshold that is best
for the other groups. 100 is a detector that tells each window in its first row and nothing else, 0
one that says nothing.

Published [numenta/NAB, results/final_results.json]: ARTime 74.9, Numenta HTM 70.1, CAD OSE 69.9.
The constants of the detector (spans, weights, threshold) were chosen on this corpus.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.build.training import nab
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.findings import LIMIT

SENSOR = "value"


def scores_of(domain: Maintenance, series: nab.Series) -> list[float]:
    """Of each row the score of its decision."""
    state = domain.new_state()
    readings = [
        Reading(str(row), "series", time, 0, (), {SENSOR: value}, "series")
        for row, (time, value) in enumerate(zip(series.times, series.values, strict=True))
    ]
    told = [domain.advance(state, reading) for reading in readings]
    rows, carries = [row for row, _ in told], [carry for _, carry in told]
    return [verdict.score for verdict in domain.decide(readings, rows, carries)]


def crossed(corpus: Mapping[str, nab.Series], scores: Mapping[str, Sequence[float]]) -> float:
    """The score of all files, each group of them at the threshold that is best for the others."""
    gained, windows = 0.0, 0
    for group in sorted({name.split("/")[0] for name in corpus}):
        ours = [name for name in corpus if name.startswith(f"{group}/")]
        others = {name: series for name, series in corpus.items() if name not in ours}
        found = sum(len(corpus[name].windows) for name in ours)
        if found:
            limit = nab.best_threshold(others, scores)
            gained += nab.score(corpus, scores, limit, ours) * found
            windows += found
    return gained / windows


def run(data: Path | None, say: Say) -> list[Figure]:
    """See the module."""
    assert data is not None
    corpus, scores = nab.read(data), {}
    domain = Maintenance.load()
    for name, series in corpus.items():
        scores[name] = scores_of(domain, series)
        say(f"{name}: {len(series.values):,} rows")
    best = nab.best_threshold(corpus, scores)
    rows = sum(map(len, scores.values()))
    told = sum(score >= LIMIT for found in scores.values() for score in found)
    return [
        figure(
            "standard profile, best threshold", [nab.score(corpus, scores, best, corpus)],
            baseline=50.8, published=74.9, reach=60.0, note=f"threshold {best:.2f}",
        ),
        figure("standard profile, threshold of the product",
               [nab.score(corpus, scores, LIMIT, corpus)], note=f"threshold {LIMIT:.2f}"),
        figure("standard profile, threshold of the other groups", [crossed(corpus, scores)]),
        figure("rows told as anomalies, %", [100 * told / rows], baseline=6.3, up=False),
    ]  # fmt: skip


CASE = Case("NAB", "maintenance", "anomalies in any series of numbers", "nab", run)
