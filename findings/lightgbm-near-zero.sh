#!/usr/bin/env bash
# LightGBM: near zero, `predict` does not follow the `<=` of the model that it dumps.
#
# A good engineer would guess: a split that `dump_model` tells as `feature <= threshold`, missing_type None, sends
# a value that equals the threshold to the left. But `predict` first makes 0 of every value up to 1e-35 (as a
# 32-bit float), and LightGBM splits zeros from negative values by a threshold of just that: a value at the
# threshold goes to the right. NaN becomes 0 in the same place, so it goes where 0 goes.
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
rows = np.repeat([[-2.0], [-1.0], [0.0], [1.0]], 50, axis=0)
labels = np.repeat([1.0, 1.0, 0.0, 0.0], 50)
options = {"objective": "regression", "num_leaves": 2, "min_data_in_leaf": 1, "verbose": -1, "use_missing": False}
booster = lightgbm.train(options, lightgbm.Dataset(rows, labels), 1)
root = booster.dump_model()["tree_info"][0]["tree_structure"]
threshold = root["threshold"]
left, right = root["left_child"]["leaf_value"], root["right_child"]["leaf_value"]
print(f"split: {root['decision_type']} {threshold!r}, missing_type {root['missing_type']}")
print(f"left {left:.4f}, right {right:.4f}")
assert root["decision_type"] == "<=" and abs(threshold) < 1e-34 and left != right
for value in (threshold, np.nextafter(threshold, -1), np.nan, 0.0):
    print(f"predict({value!r}) = {booster.predict([[value]])[0]:.4f}")
assert booster.predict([[threshold]])[0] == right, "gone: a value at the threshold goes to the left"
assert booster.predict([[np.nextafter(threshold, -1)]])[0] == left
assert booster.predict([[np.nan]])[0] == right, "gone: NaN is no zero"
PYTHON
