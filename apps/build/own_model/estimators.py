"""Boosters and estimators, in memory, as sources: LightGBM, XGBoost, scikit-learn."""

from importlib.metadata import version
from typing import Any

from apps.build.own_model.source import Candidate, Source
from apps.build.training.export import OBJECTIVES, from_lightgbm
from apps.build.training.export_sklearn import from_sklearn, score_of
from apps.build.training.export_xgboost import from_xgboost
from stormwatch.errors import ModelError
from stormwatch.models.trees import Trees, encode

_TREES = "trees, scored by numpy"


def of_lightgbm(booster: Any) -> Source:
    """Of a Booster. Raises ModelError for one that trees cannot tell, with the reason."""
    objective = (booster.dump_model(num_iteration=1).get("objective") or "none").split()[0]
    link = next((link for link, known in OBJECTIVES.items() if objective in known), "logistic")
    trees = from_lightgbm(booster, link)  # type: ignore[arg-type]  # a key of OBJECTIVES
    names = tuple(booster.feature_name())
    unnamed = names == tuple(f"Column_{at}" for at in range(len(names)))
    return Source(
        f"LightGBM {version('lightgbm')}", None if unnamed else names, len(names), _as(trees),
        booster.predict, trees, probability=trees.link == "logistic", libraries=("lightgbm",),
    )  # fmt: skip


def of_xgboost(booster: Any) -> Source:
    """Of a Booster. Raises ModelError for one that trees cannot tell, with the reason."""
    import xgboost

    trees, best = from_xgboost(booster)
    rounds = booster.num_boosted_rounds()
    notes: tuple[str, ...] = ()
    if best != rounds:
        notes = (f"Training stopped early: scored with the first {best} of {rounds} rounds.",)

    def predict(rows: Any) -> Any:
        matrix = xgboost.DMatrix(rows, feature_names=booster.feature_names)
        return booster.predict(matrix, iteration_range=(0, best))

    names = tuple(booster.feature_names) if booster.feature_names else None
    package = "xgboost-cpu" if _installed("xgboost-cpu") else "xgboost"
    return Source(
        f"XGBoost {xgboost.__version__}", names, booster.num_features(), _as(trees), predict, trees,
        probability=trees.link == "logistic", libraries=(package,), notes=notes,
    )  # fmt: skip


def of_sklearn(model: Any) -> Source:
    """Of a fitted estimator or pipeline: trees where it is made of such, else ONNX by skl2onnx."""
    predict = score_of(model)
    width = int(model.n_features_in_)
    named = getattr(model, "feature_names_in_", None)
    trees = from_sklearn(model)
    if trees is not None:
        candidates = _as(trees)
    else:
        candidates = tuple(
            Candidate("onnx", f"ONNX of {bits} bits, by skl2onnx", _converter(model, width, bits))
            for bits in (32, 64)
        )
    return Source(
        f"scikit-learn {version('scikit-learn')}, {type(model).__name__}",
        None if named is None else tuple(map(str, named)), width, candidates, predict, trees,
        probability=getattr(model, "classes_", None) is not None, libraries=("scikit-learn",),
    )  # fmt: skip


def _as(trees: Trees) -> tuple[Candidate, ...]:
    return (Candidate("trees", _TREES, lambda: encode(trees)),)


def _converter(model: Any, width: int, bits: int) -> Any:
    def convert() -> bytes:
        try:
            from skl2onnx import to_onnx
            from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
        except ImportError as error:
            raise ModelError(
                f"skl2onnx, which makes ONNX of a {type(model).__name__}, cannot be loaded "
                f"({error}). Run: "
                ".venv/bin/pip install -c constraints.txt -r requirements/sklearn.txt"
            ) from error
        kind = FloatTensorType if bits == 32 else DoubleTensorType
        options = {"zipmap": False} if hasattr(model, "classes_") else None
        try:
            made = to_onnx(
                model, initial_types=[("rows", kind([None, width]))],
                options={id(model): options} if options else None,
            )  # fmt: skip
        except Exception as error:  # whatever a converter raises: told, shortened
            text = " ".join(str(error).split())[:300]
            raise ValueError(f"skl2onnx cannot convert it: {text}") from error
        made_bytes: bytes = made.SerializeToString()
        return made_bytes

    return convert


def _installed(package: str) -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
