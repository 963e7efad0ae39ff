#!/usr/bin/env bash
# LightGBM: the sum of the leaf values of a dumped model is not always what it predicts.
#
# A good engineer who exports the trees of `dump_model()` would guess: a prediction is the sum of the leaf values that a
# row reaches, through the usual link. True for plain boosting, and silently wrong elsewhere: with `linear_tree` the
# leaf value is not used (the leaf has coefficients), with `boosting=rf` the mean counts (and `raw_score=True` gives
# the sum), with `sigmoid` another slope, with `reg_sqrt` the signed square.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check lightgbm==4.7.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import lightgbm
import numpy as np

print("lightgbm", lightgbm.__version__)
random = np.random.default_rng(0)
rows = random.normal(size=(2000, 4))
target = rows[:, 0] * 2 + rows[:, 1]
label = (target > 0).astype(int)


def leaves(node: dict) -> dict[int, float]:
    if "leaf_index" in node:
        return {node["leaf_index"]: node["leaf_value"]}
    return leaves(node["left_child"]) | leaves(node["right_child"])


def difference(settings: dict, labels: np.ndarray) -> float:
    """Between what the model predicts and the usual link of the sum of its leaf values."""
    settings = {**settings, "verbose": -1, "num_leaves": 7, "seed": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, labels), 10)
    reached = booster.predict(rows, pred_leaf=True)
    total = np.zeros(len(rows))
    for number, tree in enumerate(booster.dump_model()["tree_info"]):
        values = leaves(tree["tree_structure"])
        total += [values[leaf] for leaf in reached[:, number]]
    if settings["objective"] == "binary":
        total = 1 / (1 + np.exp(-total))
    return float(abs(total - booster.predict(rows)).max())


regression, binary = {"objective": "regression"}, {"objective": "binary"}
forest = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
same = {"regression": (regression, target), "binary": (binary, label)}
other = {
    "linear_tree": (regression | {"linear_tree": True}, target),
    "boosting=rf": (regression | forest, target),
    "sigmoid=2": (binary | {"sigmoid": 2.0}, label),
    "reg_sqrt": (regression | {"reg_sqrt": True}, target),
}
for name, (settings, labels) in (same | other).items():
    found = difference(settings, labels)
    print(f"{name:12} largest difference {found:.6f}")
    assert (found > 0.01) == (name in other), f"gone: {name}"
PYTHON
