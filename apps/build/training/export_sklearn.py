"""Tree models of scikit-learn as trees that `stormwatch.models.trees` scores, exactly as it does.

Its forests and boosted trees round a value to 32 bits before they compare it; its histogram trees
do not, and say where NaN goes.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from apps.build.training.export import compare, ensemble, of_doubles
from apps.build.training.parted import Grown
from stormwatch.errors import ModelError
from stormwatch.models.trees import LEFT, RIGHT, Tree, Trees

_SINGLE = [0.0, -0.0, 1.0, -1.0, 1e30, -1e30]
_DOUBLE = [*_SINGLE, math.nan, 1e300, -1e300]
TOLERANCE = 1e-6

Predict = Callable[[Any], Any]
Link = Literal["logistic", "identity"]


def score_of(model: Any) -> Predict:
    """What an estimator's score is: of a classifier the probability of the second of its classes.

    Raises ModelError for one of other classes, or that gives no probability.
    """
    classes = getattr(model, "classes_", None)
    if classes is None:
        return lambda rows: np.asarray(model.predict(rows)).reshape(len(rows))
    if len(classes) != 2 or not hasattr(model, "predict_proba"):
        raise ModelError(
            f"The {type(model).__name__} cannot be used: it has {len(classes)} classes"
            f"{'' if hasattr(model, 'predict_proba') else ' and no predict_proba'}. Train a "
            "classifier of two classes that gives probabilities."
        )
    return lambda rows: model.predict_proba(rows)[:, 1]


def from_sklearn(model: Any) -> Trees | None:
    """The trees of an estimator; None of one that is no ensemble of trees, or not one of numbers.

    Raises ModelError for a tree too deep, and where the export scores any row otherwise.
    """
    made = _made(model)
    if made is None:
        return None
    trees, common = made
    compare(score_of(model), trees, common, type(model).__name__, TOLERANCE)
    return trees


def _made(model: Any) -> tuple[Trees, list[float]] | None:
    name = type(model).__name__
    if getattr(model, "n_outputs_", 1) != 1:
        return None
    if name.startswith(("DecisionTree", "ExtraTree", "RandomForest")):
        return _of_forest(model), _SINGLE
    if name.startswith("GradientBoosting") and model.estimators_.shape[1] == 1:
        return _or_none(_of_boosted(model), _SINGLE)
    if name.startswith("HistGradientBoosting") and model.n_trees_per_iteration_ == 1:
        return _or_none(_of_histograms(model), _DOUBLE)
    return None


def _or_none(trees: Trees | None, common: list[float]) -> tuple[Trees, list[float]] | None:
    return None if trees is None else (trees, common)


def _of_forest(model: Any) -> Trees:
    grown = getattr(model, "estimators_", [model])
    column = 1 if hasattr(model, "classes_") else 0
    trees = [_grown(one.tree_, 1 / len(grown), column) for one in grown]
    return ensemble("identity", 0.0, model.n_features_in_, trees, zero=0.0)


def _of_boosted(model: Any) -> Trees | None:
    link = _link(str(model.loss))
    start = np.ravel(model._raw_predict_init(np.zeros((1, model.n_features_in_))))
    trees = [_grown(one[0].tree_, model.learning_rate, 0) for one in model.estimators_]
    constant = isinstance(model.init_, str) or type(model.init_).__name__.startswith("Dummy")
    if link is None or not constant:
        return None
    return ensemble(link, start[0], model.n_features_in_, trees, zero=0.0)


def _of_histograms(model: Any) -> Trees | None:
    link = _link(str(model.loss))
    trees = [_histogram(one[0].nodes) for one in model._predictors]
    if link is None or model.is_categorical_ is not None:
        return None
    bias = float(np.ravel(model._baseline_prediction)[0])
    return ensemble(link, bias, model.n_features_in_, trees, zero=0.0)


def _link(loss: str) -> Link | None:
    if loss == "log_loss":
        return "logistic"
    return "identity" if loss in ("squared_error", "absolute_error", "quantile", "huber") else None


def _grown(of: Any, weight: float, column: int) -> Grown:
    """One tree, its leaves times `weight`."""
    tree, missing, places = Tree([], [], [], [], [], []), list[int](), dict[int, int]()
    for node in range(of.node_count):
        if of.children_left[node] < 0:
            places[node] = -1 - len(tree.value)
            tree.value.append(float(of.value[node, 0, column]) * weight)
            tree.cover.append(float(of.weighted_n_node_samples[node]))
        else:
            places[node] = len(tree.feature)
            tree.feature.append(int(of.feature[node]))
            tree.threshold.append(of_doubles(float(of.threshold[node]), zero=0.0))
            missing.append(LEFT if of.missing_go_to_left[node] else RIGHT)
    for node in range(of.node_count):
        if of.children_left[node] >= 0:
            tree.left.append(places[int(of.children_left[node])])
            tree.right.append(places[int(of.children_right[node])])
    return Grown(tree, missing)


def _histogram(nodes: Any) -> Grown:
    tree, missing, places = Tree([], [], [], [], [], []), list[int](), dict[int, int]()
    for at, node in enumerate(nodes):
        if node["is_leaf"]:
            places[at] = -1 - len(tree.value)
            tree.value.append(float(node["value"]))
            tree.cover.append(float(node["count"]))
        else:
            places[at] = len(tree.feature)
            tree.feature.append(int(node["feature_idx"]))
            tree.threshold.append(float(node["num_threshold"]))
            missing.append(LEFT if node["missing_go_to_left"] else RIGHT)
    for node in nodes:
        if not node["is_leaf"]:
            tree.left.append(places[int(node["left"])])
            tree.right.append(places[int(node["right"])])
    return Grown(tree, missing)
