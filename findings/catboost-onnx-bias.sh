#!/usr/bin/env bash
# CatBoost: a classifier with `boost_from_average` becomes another model when it is exported to ONNX.
#
# A good engineer would guess: `save_model(..., format="onnx")` gives the same probabilities within float precision, as
# it does for the default settings. With `boost_from_average=True` the bias is exported in a form that ONNX Runtime
# does not add as CatBoost does: probabilities differ by up to 0.9. With `loss_function="Poisson"` the exported
# regressor gives the logarithm of what `predict` gives.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check catboost==1.2.10 onnxruntime==1.32.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import catboost
import numpy as np
import onnxruntime

onnxruntime.set_default_logger_severity(3)
print("catboost", catboost.__version__, "onnxruntime", onnxruntime.__version__)
random = np.random.default_rng(0)
rows = random.normal(size=(4000, 4)).astype(np.float32)
labels = (random.random(4000) < 1 / (1 + np.exp(3 - 1.5 * rows[:, 0]))).astype(int)
common = {"iterations": 50, "depth": 3, "verbose": 0, "random_seed": 1, "allow_writing_files": False}


def run(model: object) -> list:
    model.save_model("model.onnx", format="onnx")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {"features": rows})


def classified(**settings: object) -> float:
    model = catboost.CatBoostClassifier(**common, **settings).fit(rows, labels)
    exported = np.array([each[1] for each in run(model)[1]])
    own = model.predict_proba(rows)[:, 1]
    print(f"{settings}: mean {own.mean():.3f}, exported {exported.mean():.3f}, "
          f"largest difference {abs(own - exported).max():.6f}")
    return abs(own - exported).max()


assert classified() < 1e-5
assert classified(boost_from_average=True) > 0.1, "gone: the bias is exported"
counts = random.poisson(np.exp(rows[:, 0] * 0.3 + 1))
poisson = catboost.CatBoostRegressor(**common, loss_function="Poisson").fit(rows, counts)
own, exported = poisson.predict(rows), run(poisson)[0].ravel()
print(f"Poisson: predict {own[0]:.4f}, exported {exported[0]:.4f}, its exponential {np.exp(exported[0]):.4f}")
assert abs(own - exported).max() > 0.1, "gone: Poisson is exported with its exponential"
assert abs(own - np.exp(exported)).max() < 1e-4
PYTHON
