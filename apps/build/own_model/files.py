"""From the path that a person names to a source: by what is in the file, never by unpickling."""

import importlib.util
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from apps.build.own_model import estimators, networks
from apps.build.own_model.onnx_file import of_onnx
from apps.build.own_model.source import Candidate, Source
from stormwatch.errors import ModelError
from stormwatch.models import card_of
from stormwatch.models.trees import Trees, decode, encode

TAKEN = (
    "LightGBM text (Booster.save_model), XGBoost JSON or UBJ (save_model), ONNX, LiteRT (.tflite), "
    "the project's own folder or .msgpack, or FILE.py whose function `model` returns it"
)
MOST_MB = 64
_PICKLED = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".sav"}
_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x1f\x8b", b"x\x9c", b"BZh")


def read(place: str, window: int | None) -> Source:
    """The model at PATH, or FILE.py:FUNCTION. Raises ModelError for what cannot be taken, with the
    reason; a script is run, anything else only read."""
    script, _, function = place.partition(".py:")
    path = Path(f"{script}.py") if function else Path(place)
    if path.suffix == ".py":
        return _of_script(path, function or "model", window)
    if path.is_dir():
        card = card_of(path)
        if card.kind != "trees":
            raise ModelError(f"{path} is a model of kind {card.kind!r} already: use it as it is.")
        return _own(path / card.artefact, card.feature_names)
    return _of_file(path, _start(path), window)


def _of_file(path: Path, start: bytes, window: int | None) -> Source:
    readers: list[tuple[bool, Callable[[], Source]]] = [
        (path.suffix == ".onnx", lambda: of_onnx(path.read_bytes(), str(path), window)),
        (start[4:8] == b"TFL3", lambda: networks.of_tflite(path)),
        (start.startswith(b"tree"), lambda: _lightgbm(path)),
        (b"learner" in start or path.suffix == ".ubj", lambda: _xgboost(path)),
        (path.suffix == ".msgpack", lambda: _own(path, None)),
    ]
    for is_so, reader in readers:
        if is_so:
            return reader()
    if path.suffix in _PICKLED or start.startswith(_STARTS) or _is_torch(path):
        raise ModelError(
            f"{path} is a pickle: reading one runs whatever code is in it, and it can be read by "
            "the versions that wrote it alone. Write a file of your own, FILE.py, with a function "
            "`model` that returns the loaded model, and name that instead: it runs here, once, as "
            "your code; what the workers get holds numbers only."
        )
    if path.suffix in (".keras", ".h5"):
        raise ModelError(
            f"{path} can hold code. Name FILE.py with a function `model` that returns the loaded "
            "Keras model, or export it: model.export('m.onnx', format='onnx')."
        )
    raise ModelError(f"{path} is no model that can be taken: {TAKEN}.")


def _start(path: Path) -> bytes:
    """The first bytes. Raises ModelError for a file that is too large or not there."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    if size > MOST_MB * 2**20:
        raise ModelError(
            f"{path} has {size / 2**20:,.0f} MB; a model file has at most {MOST_MB}. Train a "
            "smaller one."
        )
    return start


def _is_torch(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("data.pkl") for name in archive.namelist())


def _lightgbm(path: Path) -> Source:
    import lightgbm

    text = path.read_text(encoding="utf-8", errors="replace")
    if "\nend of trees" not in text:  # LightGBM reads such a file, as far as it goes
        raise ModelError(
            f"{path} ends before its last tree: it was cut, after {len(text):,} characters. Copy "
            "it again from where it was saved."
        )
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise ModelError(f"{path} cannot be read by LightGBM: {error}. Save it again.") from error
    return estimators.of_lightgbm(booster)


def _xgboost(path: Path) -> Source:
    try:
        import xgboost
    except ImportError as error:
        raise ModelError(
            f"{path} is a model of XGBoost, which cannot be loaded here ({error}). Run: "
            ".venv/bin/pip install -c constraints.txt -r requirements/xgboost.txt"
        ) from error
    booster = xgboost.Booster()
    try:
        booster.load_model(str(path))
    except xgboost.core.XGBoostError as error:
        why = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{path} cannot be read by XGBoost: {why}. It was cut or changed, or is of a newer "
            "XGBoost; save it again with save_model."
        ) from error
    return estimators.of_xgboost(booster)


def _own(path: Path, names: tuple[str, ...] | None) -> Source:
    try:
        trees: Trees = decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} are no trees of this project: {error}.") from error
    return Source(
        "stormwatch trees", names, trees.features,
        (Candidate("trees", "trees, scored by numpy", lambda: encode(trees)),),
        lambda rows: np.array([walk(trees, row) for row in rows.tolist()]),
        trees, probability=trees.link == "logistic",
    )  # fmt: skip


def walk(trees: Trees, row: list[float]) -> float:
    """The score of one row from node to node: plain and slow, to compare with."""
    total = trees.bias
    for number, tree in enumerate(trees.trees):
        at = 0 if tree.feature else -1
        while at >= 0:
            value = row[tree.feature[at]]
            side = trees.missing[number][at] if trees.missing and value != value else 0  # noqa: PLR0124
            value = value if abs(value) > trees.zero else 0.0
            left = side == 1 or (side == 0 and value <= tree.threshold[at])
            at = tree.left[at] if left else tree.right[at]
        total += tree.value[-1 - at]
    return float(1 / (1 + np.exp(-total))) if trees.link == "logistic" else total


def _of_script(path: Path, function: str, window: int | None) -> Source:
    if not path.is_file():
        raise ModelError(f"{path} is not there.")
    spec = importlib.util.spec_from_file_location("stormwatch_own_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
        make = getattr(module, function, None)
        if not callable(make):
            raise ModelError(
                f"{path} has no function {function!r} that returns the model. Write one, or name "
                f"another: {path}:FUNCTION"
            )
        model = make()
    except ModelError:
        raise
    except Exception as error:  # whatever a user's own code raises: told with its place
        at = error.__traceback__
        while at and at.tb_next and at.tb_next.tb_frame.f_code.co_filename == str(path):
            at = at.tb_next
        line = at.tb_lineno if at else 0
        raise ModelError(
            f"{path} raised, from its line {line}: {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    return of_object(model, str(path), window)


def of_object(model: Any, where: str, window: int | None) -> Source:
    """The source of what a script returned. Raises ModelError for what is of no known framework."""
    roots = {type_.__module__.partition(".")[0] for type_ in type(model).__mro__}
    by: dict[str, Callable[[], Source]] = {
        "lightgbm": lambda: estimators.of_lightgbm(getattr(model, "booster_", model)),
        "xgboost": lambda: estimators.of_xgboost(_xgboost_of(model)),
        "sklearn": lambda: estimators.of_sklearn(model),
        "torch": lambda: networks.of_torch(model, window),
        "keras": lambda: networks.of_keras(model),
    }
    for root, make in by.items():
        if root in roots:
            return make()
    raise ModelError(
        f"{where} returned a {type(model).__name__}; taken are models of LightGBM, XGBoost, "
        "scikit-learn, PyTorch and Keras. Export another to ONNX and name that file."
    )


def _xgboost_of(model: Any) -> Any:
    missing = getattr(model, "missing", None)
    if missing is not None and missing == missing:  # noqa: PLR0124  # NaN is its default
        raise ModelError(
            f"The XGBoost model takes {missing!r} as missing, which no file of it holds. Train "
            "with missing=NaN: no feature is ever missing here."
        )
    return model.get_booster() if hasattr(model, "get_booster") else model


def installed(packages: tuple[str, ...]) -> dict[str, str]:
    """The version of each package that is installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
