"""Models of other frameworks as ONNX files, scored by ONNX Runtime: one thread, bounded memory.

The engine is an extra (requirements/onnx.txt), imported where such a model is loaded and nowhere
else. It computes in the precision of the file, mostly 32 bits: the scores are those of the file,
never of the object that it was made of, and what is measured of a model is measured here.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormwatch.errors import ModelError
from stormwatch.models.card import Card

PROBABILITIES = "probabilities"
"""The output that is the score where a file has several, as classifiers do."""
_MOST_ROWS = 512
"""Scored at a time, so that memory stays bounded whatever is asked."""
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class OnnxModel:
    """Scores a file with one input of numbers: rows by features, or rows by steps by features.

    The score is the last column of its output, so of two classes the probability of the second.
    Raises ModelError where the engine is not installed, ValueError for a file that it cannot load
    or that has other inputs and outputs.
    """

    def __init__(self, card: Card, artefact: bytes) -> None:
        self.card = card
        self._session = session(artefact, f"Model {card.version}")
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            told = ", ".join(f"{one.name}: {one.type}{one.shape}" for one in inputs)
            raise ValueError(f"it takes {told}; a model has one input of floats, rows by features")
        names = [one.name for one in outputs]
        if len(names) > 1 and PROBABILITIES not in names:
            raise ValueError(
                f"it has the outputs {', '.join(names)}; export it with one, or one of them named "
                f"{PROBABILITIES!r}"
            )
        self._input, self._type = inputs[0].name, _TYPES[inputs[0].type]
        self._output = names[0] if len(names) == 1 else PROBABILITIES
        steps = [card.window] if len(inputs[0].shape) == 3 else []
        self._shape = (-1, *steps, len(card.feature_names))
        wanted = inputs[0].shape[1:]
        if len(inputs[0].shape) != len(self._shape) or any(
            isinstance(size, int) and size != own
            for size, own in zip(wanted, self._shape[1:], strict=True)
        ):
            raise ValueError(
                f"its input is {inputs[0].shape}; the card tells of {len(card.feature_names)} "
                f"features and {card.window} steps"
            )
        if not steps and card.window != 1:
            raise ValueError(f"it takes single rows; the card tells of {card.window} steps")

    def predict(self, rows: Sequence[tuple[float, ...]] | NDArray[np.float64]) -> list[float]:
        """One score a row, in order. Raises ValueError where a row has another number of values."""
        if not len(rows):
            return []
        found = np.asarray(rows, dtype=np.float64)
        size = len(self.card.feature_names) * self.card.window
        if found.ndim != 2 or found.shape[1] != size:
            raise ValueError(f"rows have {found.shape[-1]} values; the model takes {size}")
        with np.errstate(over="ignore"):  # what is beyond 32 bits is infinite there
            cast = np.ascontiguousarray(found, dtype=self._type).reshape(self._shape)
        scores: list[float] = []
        for at in range(0, len(cast), _MOST_ROWS):
            part = cast[at : at + _MOST_ROWS]
            made = self._session.run([self._output], {self._input: part})[0]
            column = np.asarray(made, dtype=np.float64).reshape(len(part), -1)
            if column.shape[1] > 2:
                raise ValueError(
                    f"its output {self._output!r} has {column.shape[1]} columns; a score is the "
                    "only one, or the second of two"
                )
            scores += column[:, -1].tolist()
        return scores


def session(artefact: bytes, what: str) -> Any:
    """A session of one thread, without an arena that only grows.

    Raises ModelError where there is no engine, ValueError for a file that it does not take.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"{what} is scored by ONNX Runtime, which cannot be loaded ({error}). "
            f"Install it where models are scored: {sys.executable} -m pip install "
            "-r requirements/onnx.txt -c constraints.txt"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 4  # what goes wrong is raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(artefact, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class
        raise ValueError(f"ONNX Runtime cannot load it: {error}") from error
