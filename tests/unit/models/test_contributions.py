"""Contributions against independent computations: Shapley's sum over all subsets, and LightGBM's
own."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial, isnan, nan

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.build.training.export import from_lightgbm
from stormwatch.models import NoModel, load
from stormwatch.models.contributions import log_odds, parts_of, replaced
from stormwatch.models.tree_contributions import TreeParts
from stormwatch.models.trees import (
    AS_ZERO,
    LEFT,
    RIGHT,
    Tree,
    Trees,
    TreesModel,
    decode,
    encode,
)
from tests.models.card import card


def shapley(worth: Callable[[frozenset[int]], float], players: int) -> list[float]:
    """By the definition: over all subsets without the player."""
    out = []
    for player in range(players):
        others = [other for other in range(players) if other != player]
        total = 0.0
        for size in range(players):
            weight = factorial(size) * factorial(players - 1 - size) / factorial(players)
            for chosen in combinations(others, size):
                inside = frozenset(chosen)
                total += weight * (worth(inside | {player}) - worth(inside))
        out.append(total)
    return out


def expected(
    tree: Tree, row: Sequence[float], known: frozenset[int], missing: Sequence[int] = ()
) -> float:
    """The mean of a tree where only these features are known, node by node (EXPVALUE)."""

    def count(node: int) -> float:
        if node < 0:
            return tree.cover[-1 - node]
        return count(tree.left[node]) + count(tree.right[node])

    def value(node: int) -> float:
        if node < 0:
            return tree.value[-1 - node]
        left, right = tree.left[node], tree.right[node]
        if tree.feature[node] in known:
            told = row[tree.feature[node]]
            if isnan(told) and missing and missing[node] != AS_ZERO:
                return value(left if missing[node] == LEFT else right)
            return value(left if (0.0 if isnan(told) else told) <= tree.threshold[node] else right)
        a, b = count(left), count(right)
        return (a * value(left) + b * value(right)) / (a + b)

    return value(0 if tree.feature else -1)


@st.composite
def ensembles(draw: st.DrawFn) -> Trees:
    features = draw(st.integers(1, 5))
    trees = []
    for _ in range(draw(st.integers(1, 3))):
        tree = Tree([], [], [], [], [], [])

        def grow(depth: int, tree: Tree = tree) -> int:
            if depth == 0 or draw(st.booleans()):
                tree.value.append(draw(st.integers(-64, 64)) / 16)
                tree.cover.append(float(draw(st.integers(1, 50))))
                return -len(tree.value)
            node = len(tree.feature)
            tree.feature.append(draw(st.integers(0, features - 1)))
            tree.threshold.append(float(draw(st.integers(-2, 2))))
            tree.left.append(0)
            tree.right.append(0)
            tree.left[node] = grow(depth - 1)
            tree.right[node] = grow(depth - 1)
            return node

        grow(draw(st.integers(0, 4)))
        trees.append(tree)
    told = st.sampled_from([AS_ZERO, LEFT, RIGHT])
    missing = [[draw(told) for _ in tree.feature] for tree in trees]
    return Trees("identity", 0.5, features, trees, draw(st.sampled_from([[], missing])))


@given(ensembles(), st.lists(st.sampled_from([-3.0, -2.0, -0.5, 0.0, 1.0, 4.0, nan]), min_size=5))
def test_of_trees_they_are_shapley_values_over_all_subsets(trees: Trees, row: list[float]) -> None:
    row = row[: trees.features]
    parts = TreeParts(trees).of(row)

    def worth(known: frozenset[int]) -> float:
        codes = trees.missing or [[]] * len(trees.trees)
        each = zip(trees.trees, codes, strict=True)
        return sum(expected(tree, row, known, missing) for tree, missing in each)

    assert parts.amounts == pytest.approx(shapley(worth, trees.features), abs=1e-9)
    assert parts.base == pytest.approx(trees.bias + worth(frozenset()), abs=1e-9)
    (score,) = TreesModel(NoModel.card, trees).predict([tuple(row)])
    assert parts.base + parts.amounts.sum() == pytest.approx(score, abs=1e-9)
    assert parts.total == pytest.approx(score, abs=1e-9)


def test_what_is_missing_goes_its_own_way_and_not_that_of_zero() -> None:
    tree = Tree(
        feature=[0], threshold=[0.0], left=[-1], right=[-2], value=[1.0, 3.0], cover=[1.0, 1.0]
    )
    trees = Trees(
        link="identity", bias=0.0, features=1, trees=[tree], missing=[[RIGHT]], zero=1e-35
    )  # fmt: skip
    told = TreeParts(trees)
    assert [told.of([value]).total for value in (0.0, nan, 1.0)] == [1.0, 3.0, 3.0]


def test_of_a_booster_they_are_what_lightgbm_says() -> None:
    rng = np.random.default_rng(1)
    x = np.round(rng.normal(size=(1_500, 8)), 1)
    y = (x[:, 0] * x[:, 1] + x[:, 2] + rng.normal(size=1_500) > 0.5).astype(int)
    quiet = {"num_threads": 1, "verbose": -1, "use_missing": False, "min_data_in_leaf": 5}
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 31, "bagging_fraction": 0.7, "bagging_freq": 1}
        | quiet,
        lightgbm.Dataset(x, y),
        30,
    )
    trees = decode(encode(from_lightgbm(booster, "logistic")))
    told = TreeParts(trees)
    wanted = np.asarray(booster.predict(x[:40], pred_contrib=True))
    found = np.array([[*told.of(row).amounts, told.base] for row in x[:40]])
    assert np.abs(found - wanted).max() < 1e-9


def test_trees_without_counts_are_told_as_if_each_leaf_had_the_same() -> None:
    bare = Tree([0, 1], [0.0, 0.0], [-1, -2], [1, -3], [1.0, 2.0, 6.0])
    even = Tree(*(getattr(bare, name) for name in Tree.__struct_fields__[:5]), [7.0] * 3)
    (one, other) = (TreeParts(Trees("identity", 0.0, 2, [tree])) for tree in (bare, even))
    assert one.base == other.base == pytest.approx(3.0)
    assert one.of([1.0, 1.0]).amounts.tolist() == other.of([1.0, 1.0]).amounts.tolist()


def test_the_shipped_fraud_model_tells_of_itself_and_adds_up() -> None:
    from stormwatch.domains.fraud.domain import SHIPPED

    model = load(SHIPPED)
    drawn = np.random.default_rng(2).lognormal(2, 2, (20, len(model.card.feature_names)))
    for row, score in zip(drawn, model.predict(drawn), strict=True):
        parts = parts_of(model, tuple(row.tolist()))
        assert parts is not None
        assert parts.is_log_odds
        assert abs(parts.base + parts.amounts.sum() - log_odds(score)) < 1e-6


REFERENCE = np.array([1.0, -1.0, 0.5, 2.0])


@given(st.lists(st.integers(-3, 3), min_size=4, max_size=4))
def test_of_any_model_they_add_up_and_are_exact_where_two_features_meet(row: list[int]) -> None:
    def predict(rows: np.ndarray) -> list[float]:
        return (3 * rows[:, 0] + rows[:, 1] * rows[:, 2] - rows[:, 3] ** 2).tolist()

    parts = replaced(predict, [float(value) for value in row], REFERENCE)
    assert parts is not None

    def worth(known: frozenset[int]) -> float:
        mixed = [float(row[at]) if at in known else REFERENCE[at] for at in range(4)]
        return float(predict(np.array([mixed]))[0])

    # An order and its reverse are all the orders there are of a pair.
    assert parts.amounts == pytest.approx(shapley(worth, 4), abs=1e-9)
    assert parts.base + parts.amounts.sum() == pytest.approx(parts.total, abs=1e-9)


def test_of_sequences_a_feature_has_what_all_its_values_add() -> None:
    class Sum:
        card = card(feature_names=("a", "b"), window=3)

        def predict(self, rows: np.ndarray) -> list[float]:
            return (rows @ np.array([1.0, 10.0] * 3)).tolist()

    parts = parts_of(Sum(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert parts is not None
    assert parts.amounts.tolist() == [9.0, 120.0]
    assert (parts.base, parts.total) == (0.0, 129.0)


def test_without_a_score_nothing_is_told() -> None:
    assert replaced(lambda rows: [float("nan")] * len(rows), [1.0] * 4, REFERENCE) is None


def test_probabilities_are_told_in_log_odds_in_proportion() -> None:
    parts = replaced(lambda rows: (0.1 + 0.2 * rows[:, 0]).tolist(), [3.0, 0.0], np.zeros(2))
    assert parts is not None
    told = parts.in_log_odds()
    assert told.base == log_odds(0.1)
    assert told.base + told.amounts.sum() == pytest.approx(log_odds(0.7))
    assert told.amounts[1] == 0
