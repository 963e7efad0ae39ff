#!/usr/bin/env bash
# skl2onnx: a classifier converted from a float64 example passes the ONNX checker and cannot be loaded.
#
# A good engineer would guess: `to_onnx(model, X[:1])` with the very array that the model was trained on (float64, NumPy's
# default) gives a file that ONNX Runtime loads.
# The conversion succeeds, `onnx.checker` has no objection, and ONNX Runtime refuses the file: the operator ZipMap
# knows no doubles. It loads with a float32 example, or with `options={"zipmap": False}`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check skl2onnx==1.20.0 scikit-learn==1.9.1 onnxruntime==1.32.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import skl2onnx
import sklearn
from sklearn.linear_model import LogisticRegression

print("skl2onnx", skl2onnx.__version__, "scikit-learn", sklearn.__version__,
      "onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
random = np.random.default_rng(0)
rows = random.normal(size=(500, 4))
model = LogisticRegression().fit(rows, rows[:, 0] > 0)


def load(example: np.ndarray, **options: object) -> None:
    converted = skl2onnx.to_onnx(model, example, **options)
    onnx.checker.check_model(converted)
    onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )


load(rows[:1].astype(np.float32))
print("float32 example: loads")
load(rows[:1], options={"zipmap": False})
print("float64 example without ZipMap: loads")
try:
    load(rows[:1])
except Exception as error:  # onnxruntime's classes are not public
    print("float64 example:", str(error)[:160])
else:
    raise SystemExit("gone: the file of a float64 example loads")
PYTHON
