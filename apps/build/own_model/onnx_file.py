"""An ONNX file as a source: there is nothing that it could be compared with but stated scores."""

from typing import Any

from apps.build.own_model.source import Candidate, Source
from stormwatch.errors import ModelError

_NAMES = "feature_names"
"""The key of a file's metadata under which its features may be named, separated by commas."""


def of_onnx(artefact: bytes, where: str, window: int | None) -> Source:
    """Of the bytes of a file. Raises ModelError for one that ONNX Runtime does not take."""
    session = open_session(artefact, where)
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or len(shape) not in (2, 3):
        told = ", ".join(f"{one.name} {one.shape}" for one in inputs)
        raise ModelError(
            f"{where} has the inputs {told}; a model has one, rows by features, or of a sequence "
            "rows by steps by features. Export it so."
        )
    if not isinstance(shape[-1], int):
        raise ModelError(
            f"{where} does not say how many features it takes: its input is {shape}. Export it "
            "with that number fixed."
        )
    if isinstance(shape[0], int):
        raise ModelError(
            f"{where} takes batches of {shape[0]} rows only: its input is {shape}. Export it with "
            "any number of rows (PyTorch: dynamic_axes={'rows': {0: 'n'}})."
        )
    meta = session.get_modelmeta()
    told = meta.custom_metadata_map.get(_NAMES, "")
    return Source(
        f"ONNX, made by {meta.producer_name or 'an unnamed tool'}",
        tuple(name.strip() for name in told.split(",")) if told else None, shape[-1],
        (Candidate("onnx", "the ONNX file", lambda: artefact),), None,
        window=steps(shape, window, where),
    )  # fmt: skip


def steps(shape: list[Any], window: int | None, where: str) -> int:
    """How many rows one score is of. Raises ModelError where that is not told, or told twice."""
    if len(shape) == 2:
        if window not in (None, 1):
            raise ModelError(f"{where} takes single rows, no sequence of {window}: leave --window.")
        return 1
    fixed = shape[1] if isinstance(shape[1], int) else None
    if fixed is None and window is None:
        raise ModelError(f"{where} takes sequences of any length: say --window K, as in training.")
    if fixed is not None and window not in (None, fixed):
        raise ModelError(f"{where} takes sequences of {fixed} rows, not of {window}.")
    return int(fixed or window or 1)


def open_session(artefact: bytes, where: str) -> Any:
    """Raises ModelError."""
    from stormwatch.models.onnx import session

    try:
        return session(artefact, where)
    except ValueError as error:
        raise ModelError(
            f"{where} cannot be used: {' '.join(str(error).split())[:400]}. It was cut, or it is "
            "newer than this ONNX Runtime, or its weights are in a second file; export it again as "
            "one file."
        ) from error
