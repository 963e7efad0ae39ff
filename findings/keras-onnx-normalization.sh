#!/usr/bin/env bash
# Keras: a model with Normalization(mean=, variance=) exports to ONNX with its constants as further inputs.
#
# A good engineer would guess: a Sequential model with one input, exported by `model.export(..., format="onnx")`, is an
# ONNX file with one input. The export succeeds without a warning, and the file asks for the mean and the deviation of
# the layer as two more inputs that nobody can name beforehand. With the same numbers as weights of a BatchNormalization
# that is not trained the file has the one input.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check keras==3.15.1 tensorflow-cpu==2.21.0 tf2onnx==1.17.0 \
    onnxruntime==1.32.0 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES="" venv/bin/python -W ignore - 2>/dev/null <<'PYTHON'
import keras
import numpy as np
import onnxruntime
import tensorflow

print("keras", keras.__version__, "tensorflow", tensorflow.__version__, "onnxruntime", onnxruntime.__version__)


def inputs(scaling: keras.layers.Layer) -> list[str]:
    model = keras.Sequential([keras.Input(shape=(3,)), scaling, keras.layers.Dense(1)])
    if isinstance(scaling, keras.layers.BatchNormalization):
        scaling.set_weights([np.ones(3), np.zeros(3), np.array([1.0, 2, 3]), np.array([1.0, 4, 9])])
    model(np.zeros((1, 3), dtype=np.float32))
    model.export("model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    return [one.name for one in session.get_inputs()]


good = inputs(keras.layers.BatchNormalization(trainable=False))
print("BatchNormalization:", len(good), "input")
found = inputs(keras.layers.Normalization(mean=[1.0, 2, 3], variance=[1.0, 4, 9]))
print("Normalization:", len(found), "inputs:", ", ".join(found))
raise SystemExit(0 if len(found) > 1 == len(good) else 1)
PYTHON
