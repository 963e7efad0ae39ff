"""A trained model as a folder that `stormwatch.models.load` reads.

An export is right or refused: a booster whose output is more than the sum of its leaves (averaged,
linear leaves, another link, several classes) is refused by name, and every export is scored beside
its booster on rows made of what its trees ask about, before anything is written.
"""

from collections.abc import Iterable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from stormwatch.errors import ModelError
from stormwatch.models import NoModel, networks
from stormwatch.models.card import Card
from stormwatch.models.trees import Tree, Trees, TreesModel, encode

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
    alone (categories, missing values, linear leaves, random forests, classes, other objectives),
    and where the export scores any row otherwise than the booster.
    """
    dump = booster.dump_model()
    _check(dump, link)
    trees = [_tree(info["tree_structure"], at) for at, info in enumerate(dump["tree_info"])]
    features = dump["max_feature_idx"] + 1
    made: Trees = msgspec.convert([link, 0.0, features, trees], Trees)
    _compare(booster, made)
    return made


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


def _refused(why: str, mend: str) -> ModelError:
    return ModelError(f"The LightGBM model cannot be exported: {why}. {mend}.")


def _tree(root: dict[str, Any], number: int) -> Tree:
    tree = Tree([], [], [], [], [])

    def add(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            if "leaf_coeff" in node:
                raise _refused(
                    f"tree {number} has linear leaves (linear_tree)", "Train with linear_tree=false"
                )
            tree.value.append(node["leaf_value"])
            return -len(tree.value)
        if node["decision_type"] != "<=" or node["missing_type"] != "None":
            raise _refused(
                f"tree {number} splits feature {node['split_feature']} by {node['decision_type']!r}"
                f", missing values as {node['missing_type']!r}",
                "Features are numbers that are always there: train with use_missing=false, without "
                "zero_as_missing and categorical_feature",
            )
        here = len(tree.feature)
        tree.feature.append(node["split_feature"])
        tree.threshold.append(node["threshold"])
        tree.left.append(0)
        tree.right.append(0)
        tree.left[here] = add(node["left_child"])
        tree.right[here] = add(node["right_child"])
        return here

    add(root)
    return tree


def _compare(booster: Any, trees: Trees) -> None:
    """Raises ModelError where the export has another score than the booster."""
    try:
        model = TreesModel(NoModel.card, trees)
    except ValueError as error:
        raise _refused(str(error), "Train with num_leaves of 64 or fewer and a smaller rate") from (
            error
        )
    rows = _telling_rows(trees)
    theirs = np.asarray(booster.predict(rows), dtype=np.float64)
    apart = np.abs(np.array(model.predict(rows)) - theirs) / np.maximum(1.0, np.abs(theirs))
    worst = int(np.argmax(apart))
    if not apart[worst] <= TOLERANCE:
        row = ", ".join(f"{value:g}" for value in rows[worst].tolist())
        raise _refused(
            f"of {len(rows)} rows {int((apart > TOLERANCE).sum())} get another score than the "
            f"booster's, most of all ({row}): the booster gives {theirs[worst]:.9g}, the export "
            f"{model.predict(rows[worst : worst + 1])[0]:.9g}",
            "Train trees of a supported kind, or report this as a bug",
        )


def _telling_rows(trees: Trees) -> Floats:
    """Rows in which each feature takes, in turn, all that can tell: zeros, NaN, the thresholds of
    its own splits and their neighbours, and extremes."""
    rng = np.random.default_rng(0)
    tests: list[set[float]] = [set() for _ in range(trees.features)]
    for tree in trees.trees:
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            tests[feature] |= {
                threshold, float(np.nextafter(threshold, -np.inf)),
                float(np.nextafter(threshold, np.inf)),
            }  # fmt: skip
    common = [0.0, -0.0, np.nan, 1e300, -1e300, np.inf, -np.inf, 1e-40, -1e-40, 1.0, -1.0]
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
