"""Units compared with a training's units of the same age."""

import math

import numpy as np
import pytest

from stormwatch.models import phases
from stormwatch.models.phases import BINS, CHANCE, LEAST, Phases, describe, indices


def training(seed: int, units: int = 200) -> tuple[np.ndarray, list[int]]:
    """One column that rises with age, one that does not; two phases, three units of a third."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=units)
    rows = [np.column_stack([own + 10 * phase, rng.normal(size=units)]) for phase in (0, 1)]
    few = np.zeros((3, 2))
    return np.vstack([*rows, few]), [0] * units + [1] * units + [2] * 3


ROWS, OF = training(1)
KNOWN = Phases(describe(ROWS, OF), 2)


def test_the_index_is_that_of_the_formula_less_what_chance_makes() -> None:
    """One column, one phase of 100 units in equal bins; 40 units in two of the five."""
    column = np.arange(100.0)[:, None]
    known = Phases(describe(column, [0] * 100), 1)
    now = known.counted(np.repeat([[1.0], [99.0]], 20, axis=0), [0] * 40)
    expected = (100 / BINS + 1 / BINS) / 101
    shares = [(20 + expected) / 41] * 2 + [expected / 41] * 3
    psi = sum((a - expected) * math.log(a / expected) for a in shares)
    assert indices(now, 40) == [pytest.approx(psi - CHANCE * (1 / 40 + 1 / 100), abs=1e-6)]
    assert indices(now, 5) == [0.0], "of five units it may well be chance"


def test_a_younger_fleet_is_not_another_one() -> None:
    young, of = training(2)
    told = KNOWN.counted(young[:200], of[:200])
    assert indices(told, 200) == [0.0, 0.0]
    moved = KNOWN.counted(young[:200] + np.array([0, 1.0]), of[:200])
    assert indices(moved, 200)[0] == 0.0
    assert indices(moved, 200)[1] > 0.5


def test_counts_add_up_and_rows_without_a_phase_are_none() -> None:
    young, of = training(3)
    whole = KNOWN.counted(young, of)
    parts = KNOWN.counted(young[:77], of[:77]).plus(KNOWN.counted(young[77:], of[77:]))
    assert whole.rows == parts.rows == 400, "the third phase had too few units"
    assert np.array_equal(whole.actual, parts.actual)
    assert np.allclose(whole.expected, parts.expected)
    assert math.isclose(whole.rarity, parts.rarity)
    assert KNOWN.counted(young, [-1] * len(young)).rows == 0


def test_a_phase_of_few_units_is_not_described() -> None:
    assert [each.number for each in describe(ROWS, OF)] == [0, 1]
    assert not KNOWN.knows(2)
    rows = np.zeros((LEAST, 1))
    assert [each.units for each in describe(rows, [4] * LEAST)] == [LEAST]


def test_what_never_varied_is_as_expected_until_it_does() -> None:
    known = Phases(describe(np.zeros((100, 1)), [0] * 100), 1)
    assert indices(known.counted(np.zeros((50, 1)), [0] * 50), 50) == [0.0]
    assert indices(known.counted(np.ones((50, 1)), [0] * 50), 50)[0] > 1


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        Phases(describe(ROWS, OF), 3)


def test_chance_is_the_quantile_that_it_says() -> None:
    """By the closed form of chi-squared with four degrees of freedom."""
    assert phases.BINS == 5
    assert math.exp(-CHANCE / 2) * (1 + CHANCE / 2) == pytest.approx(1e-3, rel=0.01)
