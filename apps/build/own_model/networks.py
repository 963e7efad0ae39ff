"""Networks as sources: PyTorch and Keras through ONNX, LiteRT files through tf2onnx."""

import io
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from apps.build.own_model.onnx_file import of_onnx
from apps.build.own_model.source import Floats, Source
from stormwatch.errors import ModelError

_OPSET = 17


def of_torch(model: Any, window: int | None) -> Source:
    """Of a module that takes rows by features, or with a window rows by steps by features.

    How many features it takes is its attribute `features`, or those of its first linear or
    recurrent layer; it may name them: `feature_names`.
    """
    import torch

    names = getattr(model, "feature_names", None)
    width = len(names) if names else _torch_width(model)
    window = window or getattr(model, "window", None)
    model = model.eval()
    example = torch.zeros((1, window, width) if window else (1, width))
    file = io.BytesIO()
    try:
        torch.onnx.export(
            model, (example,), file, input_names=["rows"], output_names=["score"],
            dynamic_axes={"rows": {0: "n"}, "score": {0: "n"}}, opset_version=_OPSET,
            dynamo=False, external_data=False,
        )  # fmt: skip
    except Exception as error:  # whatever an exporter raises: told, shortened
        text = " ".join(str(error).split())[:400]
        raise ModelError(f"PyTorch cannot export the module: {text}") from error

    def predict(rows: Floats) -> Any:
        with torch.no_grad(), np.errstate(over="ignore"):
            shape = (-1, window, width) if window else (-1, width)
            made = model(torch.from_numpy(rows.astype(np.float32).reshape(shape)))
        return made.numpy().astype(np.float64).reshape(len(rows), -1)[:, -1]

    source = of_onnx(file.getvalue(), "what PyTorch exported", window)
    return source._replace(
        framework=f"PyTorch {version('torch')}", names=tuple(names) if names else None,
        original=predict, libraries=("torch", "onnx"),
    )  # fmt: skip


def _torch_width(model: Any) -> int:
    if isinstance(told := getattr(model, "features", None), int):
        return told
    for layer in model.modules():
        for name in ("in_features", "input_size"):
            if isinstance(found := getattr(layer, name, None), int):
                return found
    raise ModelError(
        "The module does not tell how many features it takes: give it the attribute `features`, or "
        "`feature_names`."
    )


def of_keras(model: Any) -> Source:
    """Of a Keras model with one input, by its own export to ONNX (tf2onnx)."""
    shape = tuple(model.inputs[0].shape)
    steps = shape[1] if len(shape) == 3 else None
    if None in shape[1:]:
        raise ModelError(
            f"The Keras model's input is {shape}: all but the first have to be numbers. Build it "
            "with Input(shape=…)."
        )
    model(np.zeros((1, *shape[1:]), dtype=np.float32))  # it has to be called once before
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            model.export(str(path), format="onnx", verbose=False)
        except Exception as error:  # whatever an exporter raises: told, shortened
            text = " ".join(str(error).split())[:400]
            raise ModelError(
                f"Keras cannot export the model: {text}. Is tf2onnx installed?"
            ) from error
        artefact = path.read_bytes()

    def predict(rows: Floats) -> Any:
        with np.errstate(over="ignore"):
            cast = rows.astype(np.float32).reshape(-1, *shape[1:])
        made = np.concatenate([
            np.asarray(model(cast[at : at + 256], training=False))
            for at in range(0, len(cast), 256)
        ])  # fmt: skip
        return made.astype(np.float64).reshape(len(rows), -1)[:, -1]

    source = of_onnx(artefact, "what Keras exported", steps)
    return source._replace(
        framework=f"Keras {version('keras')}", original=predict,
        libraries=("keras", "tensorflow-cpu", "tf2onnx"),
    )  # fmt: skip


def of_tflite(path: Path) -> Source:
    """Of a LiteRT file: scored as the ONNX that tf2onnx makes of it, compared with LiteRT."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ModelError(
            f"{path} is of LiteRT, which cannot be loaded here ({error}). Run in an environment of "
            "its own: pip install -r requirements/keras.txt"
        ) from error
    with TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        command = [
            sys.executable, "-m", "tf2onnx.convert", "--tflite", str(path), "--output", str(made),
            "--opset", str(_OPSET),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"tf2onnx cannot convert {path}: {last}")
        artefact = made.read_bytes()
    interpreter = Interpreter(model_path=str(path))
    told = interpreter.get_input_details()[0]
    shape = [int(size) for size in told["shape"][1:]]

    def predict(rows: Floats) -> Any:
        with np.errstate(over="ignore"):
            cast = rows.astype(np.float32).reshape(-1, *shape)
        interpreter.resize_tensor_input(told["index"], cast.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(told["index"], cast)
        interpreter.invoke()
        out = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return np.asarray(out, dtype=np.float64).reshape(len(rows), -1)[:, -1]

    source = of_onnx(artefact, f"the ONNX of {path}", shape[0] if len(shape) == 2 else None)
    return source._replace(
        framework=f"LiteRT {version('ai-edge-litert')}", original=predict,
        libraries=("ai-edge-litert", "tf2onnx"),
    )  # fmt: skip
