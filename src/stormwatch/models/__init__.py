"""The model port: a folder with `card.json` and an artefact, scored one call a batch.

Where a model has no score the rules alone decide, and the decision says so: `degraded`. A new kind
of artefact is one class with `card` and `predict` and one line in `KINDS`.
"""

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from stormwatch.errors import ModelError
from stormwatch.models.card import Card

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "KINDS", "NONE", "Card", "Model", "NoModel", "Supply", "card_of", "load", "now", "round6",
    "scores",
]  # fmt: skip


class Model(Protocol):
    """A loaded model. Runs on the calling thread only."""

    @property
    def card(self) -> Card:
        """Of what gave the last scores."""

    def predict(self, rows: "Sequence[tuple[float, ...]] | NDArray[np.float64]") -> list[float]:
        """One score for each row, in order, unrounded; row i depends on row i alone.

        A row holds finite values in the order of `card.feature_names`; of a sequence
        `card.window` times as many, the oldest first. An empty batch gives an empty list. A row of
        which there is no score gets nan. Raises ValueError where the number of values is another.
        """


NONE = "none"
"""In place of a model's folder: rules alone decide. Also the version of what is so decided."""


class NoModel:
    """In the place of a model: has no score for any row."""

    card = Card(
        name=NONE, version=NONE, framework="", kind="", artefact="", sha256="", target="",
        feature_set="", feature_names=(), thresholds={}, split="", metrics={}, data="",
        data_hash="", seed=0, parameters={}, libraries={},
    )  # fmt: skip

    def predict(self, rows: "Sequence[tuple[float, ...]] | NDArray[np.float64]") -> list[float]:
        """nan for each row."""
        return [nan] * len(rows)


Supply = Callable[[Callable[[], Model]], Model]
"""Makes the model that a domain uses of how it is loaded (which raises ModelError)."""


def now(load: Callable[[], Model]) -> Model:
    """The plain supply: loaded now, used as it is. Raises ModelError."""
    return load()


def round6(score: float) -> float:
    """As scores are compared with thresholds and stored: no batch size shows in six decimals."""
    return round(score, 6)


def scores(model: Model, rows: "Sequence[tuple[float, ...]] | NDArray[np.float64]") -> list[float]:
    """The model's scores with six decimals; nan where it has none, or none that is a number."""
    return [round(score, 6) if isfinite(score) else nan for score in model.predict(rows)]


def _trees(card: Card, artefact: bytes) -> Model:
    from stormwatch.models import trees

    return trees.TreesModel(card, trees.decode(artefact))


def _blend(card: Card, artefact: bytes) -> Model:
    from stormwatch.models import networks

    return networks.BlendModel(card, networks.decode(artefact))


def _onnx(card: Card, artefact: bytes) -> Model:
    from stormwatch.models import onnx

    return onnx.OnnxModel(card, artefact)


KINDS: dict[str, Callable[[Card, bytes], Model]] = {
    "trees": _trees, "blend": _blend, "onnx": _onnx,
}  # fmt: skip
"""By `card.kind`. A loader imports its engine itself and raises ValueError for a bad artefact."""


def load(
    folder: Path, *, feature_set: str = "", feature_names: Sequence[str] | None = None
) -> Model:
    """The model in `folder`, checked against its card and, where given, a domain's features.

    A folder of the name NONE is no model: `NoModel`.
    Raises ModelError, with the file and the mend, for a file that is missing, truncated, changed
    or of another kind, and for a model made for other features.
    """
    if str(folder) == NONE:
        return NoModel()
    card = card_of(folder)
    path = folder / card.artefact
    artefact = _read(path)
    if sha256(artefact).hexdigest() != card.sha256:
        raise ModelError(
            f"{path} ({len(artefact)} bytes) is not the file that {folder / 'card.json'} describes "
            f"(sha256 differs): truncated or changed. Restore both files or {_TRAIN}"
        )
    if card.kind not in KINDS:
        raise ModelError(
            f"{folder / 'card.json'} names a model of kind {card.kind!r}; "
            f"this version scores {', '.join(sorted(KINDS))}. Use a model of one of these kinds."
        )
    wanted = tuple(feature_names if feature_names is not None else card.feature_names)
    if (feature_set or card.feature_set, wanted) != (card.feature_set, card.feature_names):
        raise ModelError(
            f"{folder / 'card.json'} is for {len(card.feature_names)} features of "
            f"{card.feature_set!r}; this version computes {len(wanted)} of {feature_set!r}"
            f"{differing(card.feature_names, wanted)}. Use the model trained for them, or {_TRAIN}"
        )
    if not card.distribution:
        logging.getLogger(__name__).warning(
            "the card of model %s does not tell what it was trained on: no record is marked as "
            "unlike that. %s", card.version, _TRAIN.capitalize(),
        )  # fmt: skip
    try:
        model = KINDS[card.kind](card, artefact)
        model.predict([(0.0,) * (len(card.feature_names) * card.window)])
    except (ValueError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} cannot be scored: {error}. Restore it or {_TRAIN}") from error
    return model


def differing(taken: Sequence[str], given: Sequence[str]) -> str:
    """In words, what names a model takes and is not given, and the other way round; "" where there
    are none."""
    lacking = [name for name in taken if name not in given]
    more = [name for name in given if name not in taken]
    told = f"; not computed: {', '.join(lacking)}" if lacking else ""
    return told + (f"; not taken: {', '.join(more)}" if more else "")


_TRAIN = "train it again: ./stormwatch train"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}). Restore it, name another model folder in "
            f"the settings, or {_TRAIN}"
        ) from error


def card_of(folder: Path) -> Card:
    """The card of the model in `folder`; of NONE that of no model. Raises ModelError."""
    if str(folder) == NONE:
        return NoModel.card
    path = folder / "card.json"
    try:
        return msgspec.json.decode(_read(path), type=Card)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is not a model's card: {error}. Restore it or {_TRAIN}"
        ) from error
