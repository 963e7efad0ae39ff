"""A model's card: what it is, what it was trained on and how good it is."""

import msgspec

from stormwatch.errors import ModelError
from stormwatch.models.conditions import Conditions
from stormwatch.models.interval import Interval


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`card.json` beside the artefact. Holds all that is needed to use and to judge a model."""

    name: str  # "fraud"
    version: str  # stored with every decision, e.g. "fraud-2026.11-3f9a0c21"
    framework: str  # what trained it, e.g. "LightGBM"
    kind: str  # which engine scores it: a key of `stormwatch.models.KINDS`
    artefact: str  # file name beside the card
    sha256: str  # of the artefact
    target: str  # what `predict` gives, with its unit
    feature_set: str  # e.g. "fraud-1"; must be the domain's
    feature_names: tuple[str, ...]  # in the order of the rows
    thresholds: dict[str, float]  # outcome -> score from which it holds
    split: str  # which data the metrics were measured on
    metrics: dict[str, float]  # on that split, never on the training data
    data: str  # what it was trained on, in words, with how to make it again
    data_hash: str  # sha256 of the training rows and labels
    seed: int
    parameters: dict[str, float | int | str]  # of the training
    libraries: dict[str, str]  # name -> version, of the training
    notes: tuple[str, ...] = ()  # limits a reader must know
    conditions: Conditions | None = None  # the working conditions that it knows; None: any
    interval: Interval | None = None  # around its estimates; None: it gives none
    distribution: bytes = b""
    """Of the training rows, see `stormwatch.models.distribution`; empty: no row is ever marked."""
    window: int = 1
    """How many rows of an entity one score is of, the newest last: a sequence where above 1."""
    measured: dict[str, float] = {}
    """Of a model that was brought (`./stormwatch model add`): what was measured of its file."""

    def threshold(self, outcome: str, unit: str, command: str) -> float:
        """Of that outcome. Raises ModelError, with the unit and how to train, if there is none."""
        try:
            return self.thresholds[outcome]
        except KeyError as error:
            raise ModelError(
                f"The card of model {self.version} has no threshold {error}. "
                f"Add it under `thresholds`, {unit}, or train again: {command}"
            ) from error
