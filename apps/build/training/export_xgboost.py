"""Trees of XGBoost as trees that `stormwatch.models.trees` scores, exactly as XGBoost does.

XGBoost rounds a value to 32 bits and goes left where it is below the threshold: thresholds are
moved to the greatest double that goes left. The sum of leaves is exact here and in 32 bits there.
"""

import json
import math
from typing import Any, Literal

import numpy as np

from apps.build.training.export import compare, ensemble, of_doubles
from apps.build.training.parted import Grown
from stormwatch.errors import ModelError
from stormwatch.models.trees import LEFT, RIGHT, Tree, Trees

LINKS: dict[str, Literal["logistic", "identity"]] = {
    "binary:logistic": "logistic", "reg:logistic": "logistic", "reg:squarederror": "identity",
    "reg:absoluteerror": "identity", "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity", "rank:ndcg": "identity", "rank:pairwise": "identity",
    "rank:map": "identity",
}  # fmt: skip
"""Objectives whose `predict` is the link of the sum of the leaves and the base score."""
TOLERANCE = 1e-5
"""XGBoost adds its leaves in 32 bits."""
_COMMON = [0.0, -0.0, np.nan, 1e30, -1e30, 1e-40, -1e-40, 1.0, -1.0]  # it takes no infinity


def from_xgboost(booster: Any) -> tuple[Trees, int]:
    """The trees of a Booster, and how many rounds they are: all, or up to the best one.

    Where training stopped early its estimators score with the rounds up to the best one, and so
    does this. Raises ModelError, saying where and why, for a booster that trees of numbers cannot
    tell, and where the export scores any row otherwise than the booster.
    """
    import xgboost

    told = json.loads(bytes(booster.save_raw("json")))["learner"]
    name, boosted = told["objective"]["name"], told["gradient_booster"]
    weights = boosted.get("weight_drop")
    model = boosted["gbtree"]["model"] if weights is not None else boosted.get("model", {})
    parameters = told["learner_model_param"]
    if "trees" not in model:
        raise _refused(f"its booster is {boosted['name']!r}", "Train with booster=gbtree or dart")
    if name not in LINKS:
        known = ", ".join(sorted(LINKS))
        raise _refused(f"its objective is {name!r}", f"Train with one of: {known}")
    if int(parameters["num_class"]) > 1 or int(parameters.get("num_target", 1)) > 1:
        raise _refused("it has several outputs", "Train one model with one output")
    rounds = len(model["iteration_indptr"]) - 1
    best = int(told["attributes"].get("best_iteration", rounds - 1)) + 1
    kept = model["trees"][: model["iteration_indptr"][best]]
    grown = [
        _tree(tree, number, 1.0 if weights is None else weights[number])
        for number, tree in enumerate(kept)
    ]
    (base,) = np.atleast_1d(json.loads(parameters["base_score"])).tolist()
    bias = math.log(base / (1 - base)) if LINKS[name] == "logistic" else base
    made = ensemble(LINKS[name], bias, int(parameters["num_feature"]), grown, zero=0.0)

    def predict(rows: Any) -> Any:
        matrix = xgboost.DMatrix(rows, feature_names=booster.feature_names)
        return booster.predict(matrix, iteration_range=(0, best))

    compare(predict, made, _COMMON, "XGBoost model", TOLERANCE)
    return made, best


def _tree(told: dict[str, Any], number: int, weight: float) -> Grown:
    if any(told["split_type"]):
        raise _refused(
            f"tree {number} splits by categories", "Train on numbers: enable_categorical=False"
        )
    tree, missing, places = Tree([], [], [], [], [], []), list[int](), dict[int, int]()
    lefts, rights, values = told["left_children"], told["right_children"], told["split_conditions"]
    for node, left in enumerate(lefts):
        if left < 0:
            places[node] = -1 - len(tree.value)
            tree.value.append(float(np.float32(values[node])) * weight)
            tree.cover.append(float(told["sum_hessian"][node]))
        else:
            places[node] = len(tree.feature)
            tree.feature.append(told["split_indices"][node])
            tree.threshold.append(_below(values[node]))
            missing.append(LEFT if told["default_left"][node] else RIGHT)
    for node, left in enumerate(lefts):
        if left >= 0:
            tree.left.append(places[left])
            tree.right.append(places[rights[node]])
    return Grown(tree, missing)


def _below(threshold: float) -> float:
    """The greatest double that is below `threshold` once both are of 32 bits."""
    before = np.nextafter(np.float32(threshold), np.float32(-np.inf))
    return of_doubles(float(before), zero=0.0)


def _refused(why: str, mend: str) -> ModelError:
    return ModelError(f"The XGBoost model cannot be exported: {why}. {mend}.")
