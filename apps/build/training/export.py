"""Trained trees as `stormwatch.models.trees` scores them, and the folder that `load` reads.

An export is right or refused: a booster whose output is more than the sum of its leaves (averaged,
linear leaves, another link, several classes) is refused by name, and every export is scored beside
its booster on rows made of what its trees ask about, before anything is written.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.build.training.parted import Grown, parted
from stormwatch.errors import ModelError
from stormwatch.models import NoModel, networks
from stormwatch.models.card import Card
from stormwatch.models.trees import AS_ZERO, LEFT, RIGHT, ZERO, Tree, Trees, TreesModel, encode

OBJECTIVES: dict[str, frozenset[str]] = {
    "logistic": frozenset({"binary", "cross_entropy"}),
    "identity": frozenset({
        "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank",
        "rank_xendcg",
    }),
}  # fmt: skip
"""LightGBM's objectives whose `predict` is the link of the sum of the leaves."""
ROWS = 600
"""On so many rows at least an export is compared with its booster."""
TOLERANCE = 1e-6
"""The greatest difference allowed; above 1 it is relative."""

Floats = NDArray[np.float64]


def from_lightgbm(booster: Any, link: Literal["logistic", "identity"]) -> Trees:
    """The trees of a LightGBM booster; `link` is "logistic" for a probability, else "identity".

    Raises ModelError, saying where and why, for a booster that cannot be told by trees of numbers
    alone (categories, zeros as missing, linear leaves, random forests, classes, other objectives),
    and where the export scores any row otherwise than the booster.
    """
    dump = booster.dump_model()
    _check(dump, link)
    grown = [_tree(info["tree_structure"], at) for at, info in enumerate(dump["tree_info"])]
    made = ensemble(link, 0.0, dump["max_feature_idx"] + 1, grown)
    compare(booster.predict, made, COMMON, "booster")
    return made


def ensemble(
    link: Literal["logistic", "identity"], bias: float, features: int, grown: Iterable[Grown],
    zero: float = ZERO,
) -> Trees:  # fmt: skip
    """Of trees of any size: those of more leaves than can be scored become several."""
    parts = [part for each in grown for part in parted(each)]
    missing = [part.missing for part in parts]
    kept = missing if any(map(any, missing)) else []
    return Trees(link, float(bias), features, [part.tree for part in parts], kept, zero)


def from_forest(forest: Any) -> Trees:
    """The trees of a scikit-learn RandomForestClassifier of two classes: the probability of the
    second, the mean of the trees'.

    scikit-learn compares a value rounded to 32 bits: the thresholds are moved so that the value as
    it is goes the same way. Raises ModelError for another forest, for a tree of more leaves than
    can be scored, and where the export scores any row otherwise than the forest.
    """
    known = type(forest).__name__ == "RandomForestClassifier"
    if not known or forest.n_outputs_ != 1 or len(forest.classes_) != 2:
        raise ModelError(
            f"The model cannot be exported: it is a {type(forest).__name__}, no "
            "RandomForestClassifier of one output with two classes. Train one."
        )
    count = len(forest.estimators_)
    grown = [_grown(each.tree_, count) for each in forest.estimators_]
    made = ensemble("identity", 0.0, int(forest.n_features_in_), grown)
    common = [0.0, -0.0, 1.0, -1.0, 1e30, -1e30]
    compare(lambda rows: forest.predict_proba(rows)[:, 1], made, common, "forest")
    return made


def _grown(of: Any, count: int) -> Grown:
    """One tree of a forest of `count`."""
    tree = Tree([], [], [], [], [], [])
    places: dict[int, int] = {}
    for node in range(of.node_count):
        if of.children_left[node] < 0:
            places[node] = -1 - len(tree.value)
            tree.value.append(float(of.value[node, 0, 1]) / count)
            tree.cover.append(float(of.weighted_n_node_samples[node]))
        else:
            places[node] = len(tree.feature)
            tree.feature.append(int(of.feature[node]))
            tree.threshold.append(of_doubles(float(of.threshold[node])))
    for node in range(of.node_count):
        if of.children_left[node] >= 0:
            tree.left.append(places[int(of.children_left[node])])
            tree.right.append(places[int(of.children_right[node])])
    return Grown(tree, [AS_ZERO] * len(tree.feature))


def of_doubles(threshold: float, zero: float = ZERO) -> float:
    """The greatest double that is not above `threshold` once it is rounded to 32 bits."""
    single = np.float32(threshold)
    if float(single) > threshold:
        single = np.nextafter(single, np.float32(-np.inf))
    middle = (float(single) + float(np.nextafter(single, np.float32(np.inf)))) / 2
    if np.float32(middle) > single:
        middle = float(np.nextafter(middle, -np.inf))
    return middle if abs(middle) > zero else 0.0  # what is nearer to 0 is scored as 0


def _check(dump: dict[str, Any], link: str) -> None:
    """Raises ModelError for what makes the output another than the link of a sum of leaves."""
    name, *options = (dump.get("objective") or "none").split()
    if dump["num_tree_per_iteration"] != 1:
        raise _refused(
            f"it has {dump['num_tree_per_iteration']} trees an iteration, one for each class",
            "Train one model with one output (objective binary or regression)",
        )
    if dump["average_output"]:
        raise _refused(
            "its output is the mean of its trees (boosting=rf)", "Train with boosting=gbdt or dart"
        )
    if name not in OBJECTIVES[link]:
        raise _refused(
            f"its objective is {name!r}, whose output is not the {link} of the sum of its leaves",
            f"For a {link} output train with one of: {', '.join(sorted(OBJECTIVES[link]))}",
        )
    scaled = [option for option in options if option.startswith("sigmoid:")]
    if scaled not in ([], ["sigmoid:1"]):
        raise _refused(f"its objective is scaled ({scaled[0]})", "Train with sigmoid=1")
    if "sqrt" in options:
        raise _refused("its objective is of square roots (reg_sqrt)", "Train with reg_sqrt=false")


def _refused(why: str, mend: str, who: str = "booster") -> ModelError:
    what = "LightGBM model" if who == "booster" else who
    return ModelError(f"The {what} cannot be exported: {why}. {mend}.")


def _tree(root: dict[str, Any], number: int) -> Grown:
    tree, missing = Tree([], [], [], [], [], []), list[int]()

    def add(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            if "leaf_coeff" in node:
                raise _refused(
                    f"tree {number} has linear leaves (linear_tree)", "Train with linear_tree=false"
                )
            tree.value.append(node["leaf_value"])
            tree.cover.append(float(node.get("leaf_count", 0)))
            return -len(tree.value)
        if node["decision_type"] != "<=" or node["missing_type"] not in ("None", "NaN"):
            raise _refused(
                f"tree {number} splits feature {node['split_feature']} by {node['decision_type']!r}"
                f", missing values as {node['missing_type']!r}",
                "Features are numbers: train without zero_as_missing and categorical_feature",
            )
        here = len(tree.feature)
        tree.feature.append(node["split_feature"])
        tree.threshold.append(node["threshold"])
        side = LEFT if node["default_left"] else RIGHT
        missing.append(AS_ZERO if node["missing_type"] == "None" else side)
        tree.left.append(0)
        tree.right.append(0)
        tree.left[here] = add(node["left_child"])
        tree.right[here] = add(node["right_child"])
        return here

    add(root)
    return Grown(tree, missing)


def compare(
    predict: Callable[[Floats], Any], trees: Trees, common: list[float], who: str,
    tolerance: float = TOLERANCE,
) -> None:  # fmt: skip
    """Raises ModelError where the export has another score than `who`, by `predict`."""
    try:
        model = TreesModel(NoModel.card, trees)
    except ValueError as error:
        mend = "Train with fewer leaves a tree (num_leaves, max_leaf_nodes), a smaller rate"
        raise _refused(str(error), mend, who) from error
    rows = telling_rows(trees, common)
    theirs = np.asarray(predict(rows), dtype=np.float64)
    apart = np.abs(np.array(model.predict(rows)) - theirs) / np.maximum(1.0, np.abs(theirs))
    worst = int(np.argmax(apart))
    if not apart[worst] <= tolerance:
        row = ", ".join(f"{value:g}" for value in rows[worst].tolist())
        raise _refused(
            f"of {len(rows)} rows {int((apart > tolerance).sum())} get another score than the "
            f"{who}'s, most of all ({row}): the {who} gives {theirs[worst]:.9g}, the export "
            f"{model.predict(rows[worst : worst + 1])[0]:.9g}",
            "Train trees of a supported kind, or report this as a bug",
            who,
        )


COMMON = [0.0, -0.0, np.nan, 1e300, -1e300, np.inf, -np.inf, 1e-40, -1e-40, 1.0, -1.0]


def telling_rows(trees: Trees, common: list[float] = COMMON) -> Floats:
    """Rows in which each feature takes, in turn, all that can tell: `common`, such as zeros, NaN
    and extremes, the thresholds of its own splits and their neighbours."""
    rng = np.random.default_rng(0)
    tests: list[set[float]] = [set() for _ in range(trees.features)]
    for tree in trees.trees:
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            tests[feature] |= {
                threshold, float(np.nextafter(threshold, -np.inf)),
                float(np.nextafter(threshold, np.inf)),
            }  # fmt: skip
    pools = [np.array([*common, *sorted(own)]) for own in tests]
    count = max(ROWS, *map(len, pools))
    columns = [rng.permutation(np.resize(pool, count)) for pool in pools]
    alike = [np.full((1, trees.features), value) for value in common]
    return np.vstack([np.column_stack(columns), *alike])


def save(folder: Path, trees: Trees, **card: Any) -> Card:
    """Write `trees.msgpack` and `card.json`; `card` has the fields of Card that are not derived.

    The version is `name-` and eight digits of the artefact's hash: the same model has the same
    version wherever it was trained.
    """
    return _save(folder, "trees", encode(trees), card)


def save_blend(folder: Path, blend: networks.Blend, **card: Any) -> Card:
    """As `save`, of trees with networks: `blend.msgpack` and `card.json`."""
    return _save(folder, "blend", networks.encode(blend), card)


def _save(folder: Path, kind: str, artefact: bytes, card: dict[str, Any]) -> Card:
    digest = sha256(artefact).hexdigest()
    full = Card(
        version=f"{card['name']}-{digest[:8]}", kind=kind, artefact=f"{kind}.msgpack",
        sha256=digest, **card,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / full.artefact).write_bytes(artefact)
    text = msgspec.json.format(msgspec.json.encode(full), indent=2)
    (folder / "card.json").write_bytes(text + b"\n")
    return full


def libraries(names: Iterable[str] = ("lightgbm", "numpy")) -> dict[str, str]:
    """The installed version of each."""
    return {name: version(name) for name in names}
