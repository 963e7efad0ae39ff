"""The model port: scores equal a plain walk and LightGBM; a bad folder is told with its mend."""

import math
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from apps.build.own_model.files import walk as plain_walk
from apps.build.training.export import (
    ensemble,
    from_forest,
    from_lightgbm,
    libraries,
    save,
    telling_rows,
)
from apps.build.training.parted import Grown
from stormwatch.errors import ModelError
from stormwatch.models import NoModel, load, round6
from stormwatch.models.card import Card
from stormwatch.models.trees import (
    AS_ZERO,
    LEFT,
    MAX_LEAVES,
    RIGHT,
    ZERO,
    Tree,
    Trees,
    TreesModel,
    decode,
    encode,
)
from tests.models.card import card

FEATURES = 4
VALUES = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e9, 1e9))


@st.composite
def a_tree(draw: st.DrawFn, most: int = 64) -> Tree:
    """Any binary tree, grown by splitting random leaves; nodes and leaves numbered as they come."""
    tree = Tree([], [], [], [], [draw(st.floats(-50, 50))])
    places: list[tuple[list[int], int] | None] = [None]  # where leaf i hangs
    for _ in range(draw(st.integers(0, most - 1))):
        leaf = draw(st.integers(0, len(places) - 1))
        node = len(tree.feature)
        tree.feature.append(draw(st.integers(0, FEATURES - 1)))
        tree.threshold.append(draw(VALUES))
        if (place := places[leaf]) is not None:
            place[0][place[1]] = node
        tree.left.append(-1 - leaf)
        tree.right.append(-1 - len(tree.value))
        places[leaf] = (tree.left, node)
        places.append((tree.right, node))
        tree.value.append(draw(st.floats(-50, 50)))
    return tree


ENSEMBLES = st.builds(
    Trees,
    st.sampled_from(["identity", "logistic"]),
    st.floats(-5, 5),
    st.just(FEATURES),
    st.lists(st.one_of(a_tree(8), a_tree()), max_size=6),
)
ROWS = st.lists(st.tuples(*[VALUES] * FEATURES), max_size=40)


def walk(trees: Trees, row: tuple[float, ...]) -> float:
    total = trees.bias
    for tree in trees.trees:
        at = 0 if tree.feature else -1
        while at >= 0:
            value = row[tree.feature[at]] if abs(row[tree.feature[at]]) > ZERO else 0.0
            side = tree.left if value <= tree.threshold[at] else tree.right
            at = side[at]
        total += tree.value[-1 - at]
    return 1 / (1 + math.exp(-total)) if trees.link == "logistic" else total


@given(ENSEMBLES, ROWS)
def test_scores_equal_a_walk_from_node_to_node(trees: Trees, rows: list[tuple[float, ...]]) -> None:
    scores = TreesModel(card(), trees).predict(rows)
    assert scores == pytest.approx([walk(trees, row) for row in rows], abs=1e-8)


@given(ENSEMBLES, ROWS, st.integers(1, 7))
def test_a_score_is_the_same_bits_in_any_batch(
    trees: Trees, rows: list[tuple[float, ...]], size: int
) -> None:
    model = TreesModel(card(), trees)
    pieces = [model.predict(rows[i : i + size]) for i in range(0, len(rows), size)]
    assert [s for piece in pieces for s in piece] == model.predict(rows)
    assert [model.predict([row])[0] for row in rows] == model.predict(rows)


@given(a_tree(300), ROWS, st.data())
@settings(max_examples=25)
def test_a_large_tree_is_the_sum_of_its_parts(
    tree: Tree, rows: list[tuple[float, ...]], data: st.DataObject
) -> None:
    sides = st.integers(AS_ZERO, RIGHT)
    missing = data.draw(st.lists(sides, min_size=len(tree.feature), max_size=len(tree.feature)))
    trees = ensemble("identity", 0.0, FEATURES, [Grown(tree, missing)])
    assert all(len(part.value) <= MAX_LEAVES for part in trees.trees)
    some = [tuple(math.nan if v == 1.0 else v for v in row) for row in rows]
    found = TreesModel(card(), trees).predict(some)
    whole = Trees("identity", 0.0, FEATURES, [tree], [missing])
    assert found == pytest.approx([plain_walk(whole, list(row)) for row in some], abs=1e-8)


def test_what_came_to_the_format_later_is_written_only_where_it_says_something() -> None:
    """So that models of before keep their bytes, and with them their versions."""
    old = msgspec.msgpack.decode(encode(GOOD))
    assert len(old) == 4
    told = msgspec.structs.replace(GOOD, missing=[[RIGHT]])
    assert decode(encode(told)) == told != GOOD
    with pytest.raises(ValueError, match="does not fit the trees"):
        TreesModel(card(), msgspec.structs.replace(GOOD, missing=[[LEFT, LEFT]]))


@given(ENSEMBLES)
def test_an_artefact_reads_back_as_it_was_written(trees: Trees) -> None:
    assert decode(encode(trees)) == trees


def test_scores_equal_lightgbm(tmp_path: Path) -> None:
    import lightgbm

    rng = np.random.default_rng(7)
    x = rng.normal(size=(4000, 5)).round(2)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 1).astype(int)
    options = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(x, y), 30)
    save_model(tmp_path, from_lightgbm(booster, "logistic"), tuple("abcde"))
    scores = load(tmp_path).predict([tuple(row) for row in x.tolist()])
    assert scores == pytest.approx(booster.predict(x).tolist(), abs=1e-9)


def boosted(rows: int = 800, **options: object) -> tuple[object, np.ndarray]:
    """A LightGBM booster trained with these options, and rows to score."""
    import lightgbm

    rng = np.random.default_rng(7)
    x = rng.normal(size=(rows, 5)).round(2)
    x[rng.random(x.shape) < 0.1] = 0.0
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0.5).astype(float)
    if options["objective"] == "gamma":
        y += 0.5  # it takes no zeros
    if options["objective"] in ("multiclass", "multiclassova"):
        y = np.abs(x[:, 0]).astype(int) % 3
    group = [rows] if options["objective"] == "lambdarank" else None
    categories = options.pop("categorical_feature", "auto")
    if categories != "auto":
        x[:, 0] = np.abs(x[:, 0] * 3).astype(int)
    data = lightgbm.Dataset(x, y, group=group, categorical_feature=categories)
    fixed = {"num_leaves": 15, "verbose": -1, "num_threads": 1, "seed": 3}
    return lightgbm.train(fixed | options, data, 20), x


FOREST = {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}


@pytest.mark.parametrize(
    ("link", "options"),
    [
        ("logistic", {"objective": "binary"}),
        ("logistic", {"objective": "binary", "boosting": "dart"}),
        ("logistic", {"objective": "binary", "is_unbalance": True}),
        ("logistic", {"objective": "cross_entropy"}),
        ("logistic", {"objective": "binary", "use_missing": False}),
        ("identity", {"objective": "regression"}),
        ("identity", {"objective": "regression_l1"}),
        ("identity", {"objective": "quantile", "alpha": 0.9}),
        ("identity", {"objective": "huber"}),
        ("identity", {"objective": "lambdarank"}),
        ("logistic", {"objective": "binary", "num_leaves": 200, "min_child_samples": 2}),
    ],
)
def test_what_is_exported_scores_as_the_booster_whatever_the_row(
    link: str, options: dict[str, object]
) -> None:
    booster, x = boosted(**options)
    trees = from_lightgbm(booster, link)
    model = TreesModel(card(feature_names=tuple("abcde")), trees)
    rows = np.vstack([x, telling_rows(trees)])
    assert len(rows) >= 500 and np.isnan(rows).any() and (rows == 0).any()
    assert model.predict(rows) == pytest.approx(booster.predict(rows).tolist(), abs=1e-9)


@pytest.mark.parametrize(
    ("link", "options", "why"),
    [
        ("logistic", {"objective": "binary", "linear_tree": True}, "tree 0 has linear leaves"),
        ("logistic", {"objective": "binary"} | FOREST, "the mean of its trees"),
        ("identity", {"objective": "regression"} | FOREST, "the mean of its trees"),
        ("logistic", {"objective": "binary", "sigmoid": 0.5}, r"scaled \(sigmoid:0.5\)"),
        ("logistic", {"objective": "cross_entropy_lambda"}, "objective is 'cross_entropy_lambda'"),
        ("logistic", {"objective": "regression"}, "not the logistic of the sum"),
        ("identity", {"objective": "binary"}, "not the identity of the sum"),
        ("identity", {"objective": "poisson"}, "objective is 'poisson'"),
        ("identity", {"objective": "gamma"}, "objective is 'gamma'"),
        ("identity", {"objective": "tweedie"}, "objective is 'tweedie'"),
        ("identity", {"objective": "regression", "reg_sqrt": True}, "reg_sqrt"),
        ("logistic", {"objective": "multiclass", "num_class": 3}, "3 trees an iteration"),
        ("logistic", {"objective": "multiclassova", "num_class": 3}, "3 trees an iteration"),
        ("logistic", {"objective": "binary", "zero_as_missing": True}, "missing values as 'Zero'"),
        (
            "logistic",
            {"objective": "binary", "categorical_feature": [0]},
            "splits feature 0 by '==",
        ),
    ],
)
def test_what_trees_cannot_tell_is_refused_with_the_reason(
    link: str, options: dict[str, object], why: str
) -> None:
    booster, _ = boosted(**options)
    with pytest.raises(ModelError, match=why) as told:
        from_lightgbm(booster, link)
    assert "cannot be exported" in str(told.value)


def test_an_export_that_scores_otherwise_than_its_booster_is_refused_with_the_row() -> None:
    """Whatever LightGBM may learn to do that this exporter does not know of."""
    booster, _ = boosted(objective="binary")

    class Odd:
        def dump_model(self) -> dict[str, object]:
            return booster.dump_model()

        def predict(self, rows: np.ndarray) -> np.ndarray:
            found = booster.predict(rows)
            found[np.isnan(rows).any(axis=1)] += 1e-5
            return found

    with pytest.raises(ModelError, match=r"rows \d+ get another score .*nan.*: the booster gives"):
        from_lightgbm(Odd(), "logistic")


def grown(classes: int = 2, **options: Any) -> Any:
    draw = np.random.default_rng(3)
    rows = np.round(draw.normal(size=(500, 4)), 2)
    label = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0.3).astype(int)
    label += (classes > 2) * (rows[:, 3] > 1)
    options = {"n_estimators": 12, "max_leaf_nodes": 20, "random_state": 1, **options}
    return RandomForestClassifier(**options).fit(rows, label)


def test_a_forest_scores_as_exported_whatever_the_row() -> None:
    """At each threshold, too, and at the doubles beside it: the forest compares floats."""
    forest = grown()
    trees = from_forest(forest)
    model = TreesModel(NoModel.card, trees)
    rows = list(telling_rows(trees, [0.0, 1.0, -1e30]))
    draw = np.random.default_rng(4).normal(size=(300, 4))
    halves = [
        np.float32(t) + k * np.spacing(np.float32(t)) / 2
        for tree in trees.trees for t in tree.threshold for k in (-1, 0, 1)
    ]  # fmt: skip
    beside = np.array([each for each in halves if not 0 < abs(each) < ZERO], float)
    mixed = np.vstack([*rows, draw, np.resize(beside, (200, 4))])
    assert len(mixed) > 500
    theirs = forest.predict_proba(mixed)[:, 1]
    assert np.abs(np.array(model.predict(mixed)) - theirs).max() < 1e-9
    assert 0.0 < theirs.min() + 0.2 < theirs.max()


def test_a_forest_that_cannot_be_told_by_trees_is_refused() -> None:
    with pytest.raises(ModelError, match="no RandomForestClassifier of one output with two"):
        from_forest(grown(classes=3))
    assert from_forest(grown(max_leaf_nodes=None, max_features=1)).trees  # of any size

    class Odd:
        def __init__(self) -> None:
            self._forest = grown()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._forest, name)

        def predict_proba(self, rows: np.ndarray) -> np.ndarray:
            return self._forest.predict_proba(rows) * 0.9

    Odd.__name__ = "RandomForestClassifier"
    with pytest.raises(ModelError, match=r"rows \d+ get another score .*: the forest gives"):
        from_forest(Odd())


def save_model(folder: Path, trees: Trees, names: tuple[str, ...] = tuple("abcd")) -> Card:
    return save(
        folder, trees, name="t", framework="LightGBM", target="probability", feature_set="t-1",
        feature_names=names, thresholds={"review": 0.5}, split="none", metrics={"auc": 0.9},
        data="made up", data_hash="00", seed=1, parameters={}, libraries=libraries(["numpy"]),
    )  # fmt: skip


STUMP = Tree([1], [0.5], [-1], [-2], [-1.0, 1.0])
GOOD = Trees("logistic", 0.0, 4, [STUMP])


def test_the_card_comes_with_the_model(tmp_path: Path) -> None:
    written = save_model(tmp_path, GOOD)
    model = load(tmp_path, feature_set="t-1", feature_names=tuple("abcd"))
    assert model.card == written
    assert model.predict([]) == []
    assert [round6(s) for s in model.predict([(0, 0, 0, 0), (0, 1, 0, 0)])] == [0.268941, 0.731059]
    with pytest.raises(ValueError, match="rows have 3 values; the model takes 4"):
        model.predict([(0.0, 0.0, 0.0)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"card\.json cannot be read .* train it again"):
        load(tmp_path)
    save_model(tmp_path, GOOD)
    (tmp_path / "trees.msgpack").unlink()
    with pytest.raises(ModelError, match=r"trees\.msgpack cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:-1] + b"\x7f"])
def test_a_truncated_or_changed_artefact_is_refused(tmp_path: Path, damage: object) -> None:
    save_model(tmp_path, GOOD)
    path = tmp_path / "trees.msgpack"
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ModelError, match=r"trees\.msgpack .* truncated or changed"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": 1}', "\udcff"])
def test_a_corrupt_card_is_refused(tmp_path: Path, text: str) -> None:
    save_model(tmp_path, GOOD)
    (tmp_path / "card.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"card\.json is not a model's card"):
        load(tmp_path)


def test_another_kind_of_artefact_is_refused(tmp_path: Path) -> None:
    written = save_model(tmp_path, GOOD)
    other = msgspec.structs.replace(written, kind="pickle")
    (tmp_path / "card.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(ModelError, match="kind 'pickle'; this version scores blend, onnx, trees"):
        load(tmp_path)


def test_a_model_for_other_features_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path, GOOD)
    with pytest.raises(ModelError, match="4 features of 't-1'; this version computes 3 of 't-2'"):
        load(tmp_path, feature_set="t-2", feature_names=tuple("abc"))
    with pytest.raises(ModelError, match="Use the model trained for them"):
        load(tmp_path, feature_set="t-1", feature_names=tuple("abdc"))


@pytest.mark.parametrize(
    "trees",
    [
        Trees("logistic", 0.0, 3, [STUMP]),  # the card says four features
        Trees("logistic", 0.0, 4, [Tree([4], [0.5], [-1], [-2], [-1.0, 1.0])]),
        Trees("logistic", 0.0, 4, [Tree([1], [0.5], [-1], [-1], [-1.0, 1.0])]),
        Trees("logistic", 0.0, 4, [Tree([1], [0.5], [-1], [0], [-1.0, 1.0])]),
        Trees("logistic", 0.0, 4, [Tree([1], [0.5], [-1], [-2], [-1.0])]),
        Trees("logistic", 0.0, 4, [Tree([1], [math.nan], [-1], [-2], [-1.0, 1.0])]),
        Trees("logistic", 0.0, 4, [Tree([1], [0.5], [-1], [-2], [-1.0, math.inf])]),
        Trees("logistic", 0.0, 4, [Tree([], [], [], [], [1e5])]),
        Trees("logistic", 0.0, 4, [Tree([1, 1], [0.5, 0.5], [-1, 1], [-2, -3], [0.0] * 3)]),
    ],
)
def test_an_unsound_artefact_is_refused(tmp_path: Path, trees: Trees) -> None:
    save_model(tmp_path, trees)
    with pytest.raises(ModelError, match="cannot be scored"):
        load(tmp_path)


def test_bytes_that_are_no_trees_are_refused(tmp_path: Path) -> None:
    written = save_model(tmp_path, GOOD)
    (tmp_path / "trees.msgpack").write_bytes(b"\xc1")
    digest = sha256(b"\xc1").hexdigest()
    other = msgspec.structs.replace(written, sha256=digest)
    (tmp_path / "card.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(ModelError, match="cannot be scored"):
        load(tmp_path)
