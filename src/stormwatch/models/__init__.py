"""The model port: a folder with `card.json` and an artefact, scored one call a batch.

A new kind of artefact is one class with `card` and `predict` and one line in `KINDS`.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from stormwatch.errors import ModelError
from stormwatch.models.card import Card

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["KINDS", "Card", "Model", "load", "round6"]


class Model(Protocol):
    """A loaded model. Runs on the calling thread only."""

    card: Card

    def predict(self, rows: "Sequence[tuple[float, ...]] | NDArray[np.float64]") -> list[float]:
        """One score for each row, in order, unrounded; row i depends on row i alone.

        A row holds finite values in the order of `card.feature_names`. An empty batch gives an
        empty list. Raises ValueError where the number of values is another.
        """


def round6(score: float) -> float:
    """As scores are compared with thresholds and stored: no batch size shows in six decimals."""
    return round(score, 6)


def _trees(card: Card, artefact: bytes) -> Model:
    from stormwatch.models import trees

    return trees.TreesModel(card, trees.decode(artefact))


KINDS: dict[str, Callable[[Card, bytes], Model]] = {"trees": _trees}
"""By `card.kind`. A loader imports its engine itself and raises ValueError for a bad artefact."""


def load(
    folder: Path, *, feature_set: str = "", feature_names: Sequence[str] | None = None
) -> Model:
    """The model in `folder`, checked against its card and, where given, a domain's features.

    Raises ModelError, with the file and the mend, for a file that is missing, truncated, changed
    or of another kind, and for a model made for other features.
    """
    card = _card(folder / "card.json")
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
            f"{card.feature_set!r}; this version computes {len(wanted)} of {feature_set!r}. "
            f"Use the model trained for them, or {_TRAIN}"
        )
    try:
        model = KINDS[card.kind](card, artefact)
        model.predict([(0.0,) * len(card.feature_names)])
    except (ValueError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} cannot be scored: {error}. Restore it or {_TRAIN}") from error
    return model


_TRAIN = "train it again: ./stormwatch train"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}). Restore it, name another model folder in "
            f"the settings, or {_TRAIN}"
        ) from error


def _card(path: Path) -> Card:
    try:
        return msgspec.json.decode(_read(path), type=Card)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is not a model's card: {error}. Restore it or {_TRAIN}"
        ) from error
