"""The benchmark through the domain, on series that can be read at a glance."""

import random

import pytest

from apps.build.evaluate.cases.nab import crossed, scores_of
from apps.build.training.nab import Series
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.findings import LIMIT

MINUTES = 300_000


def made(jump_at: int) -> Series:
    draw = random.Random(1)
    values = [draw.gauss(20, 1) + 15 * (at >= jump_at) for at in range(400)]
    return Series(values, [(jump_at - 10, jump_at + 29)], [at * MINUTES for at in range(1, 401)])


def test_a_row_has_the_score_of_its_decision_and_nothing_of_later_rows() -> None:
    domain, series = Maintenance.load(), made(300)
    scores = scores_of(domain, series)
    assert scores[300] == max(scores) > LIMIT
    assert sum(score >= LIMIT for score in scores[100:300]) == 0
    assert 0.0 in scores[301:311], "what was told just before is no news"
    short = Series(series.values[:350], series.windows, series.times[:350])
    assert scores_of(domain, short) == scores[:350]


def test_each_group_is_scored_at_the_threshold_of_the_others() -> None:
    corpus = {"a/one": Series([0.0] * 100, [(40, 49)]), "b/two": Series([0.0] * 100, [(40, 49)])}
    scores = {
        "a/one": [5.0 if at == 40 else 3.0 if at == 70 else 0.0 for at in range(100)],
        "b/two": [4.0 if at == 40 else 0.0 for at in range(100)],
    }
    # a at 4, the best of b: its window alone; b at 5, the best of a: nothing
    assert crossed(corpus, scores) == pytest.approx(50)
