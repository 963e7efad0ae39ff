"""The benchmark's scoring, on series small enough to score by hand."""

import math

import pytest

from apps.build.training.nab import Series, best_threshold, judge, score

ONE = Series([0.0] * 100, [(40, 49), (80, 89)])
"""Rows 0 to 14 are not judged."""


def row(*hits):
    return [1.0 if at in hits else 0.0 for at in range(100)]


def points(*hits):
    return score({"a": ONE}, {"a": row(*hits)}, 0.5, ["a"])


def test_silence_is_0_and_the_first_row_of_every_window_100():
    assert points() == 0
    assert points(40, 80) == pytest.approx(100)
    assert points(40) == pytest.approx(50)


def test_the_earliest_detection_of_a_window_counts_and_later_ones_cost_nothing():
    assert points(40, 41, 49, 80) == points(40, 80)
    late = (2 / (1 + math.exp(5 * -0.1)) - 1) / (2 / (1 + math.exp(-5)) - 1)
    assert points(49, 80) == pytest.approx(100 * (1 + (1 + late) / 2) / 2)


def test_false_alarms_cost_up_to_a_ninth_less_soon_after_a_window():
    assert points(20, 40, 80) == pytest.approx(100 - 100 * 0.11 / 4)
    soon = 2 / (1 + math.exp(5 * 1 / 9)) - 1
    assert points(40, 50, 80) == pytest.approx(100 + 100 * 0.11 * soon / 4)
    assert points(40, 78, 80) == pytest.approx(100 - 100 * 0.11 / 4)


def test_the_first_part_of_a_file_is_not_judged():
    assert points(0, 14) == 0 > points(15)
    assert [one is None for one in judge(ONE)] == [True] * 15 + [False] * 85


def test_the_threshold_is_the_best_for_all_files_together():
    scores = {"a": [3.0 if at in (40, 80) else 2.0 if at in (20, 60) else 0.0 for at in range(100)]}
    assert best_threshold({"a": ONE}, scores) == 3.0
    missed = {"a": [1.0 if at == 20 else 0.0 for at in range(100)]}
    assert best_threshold({"a": ONE}, missed) == math.inf
