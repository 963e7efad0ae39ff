"""Why a unit is an alert: what each feature takes off its life, what each sensor adds to surprise.

Told of alerts alone, once it is sure that they are: see `judge.Why`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import FEATURES, MODEL_FEATURES
from stormwatch.domains.maintenance.memory import Normal
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.features import Feature
from stormwatch.models import Model
from stormwatch.models.conditions import UNKNOWN
from stormwatch.models.contributions import parts_of
from stormwatch.reasons.catalogue import Text, meaning, texts
from stormwatch.reasons.explain import Told, explanation, sentences
from stormwatch.records import Contribution, Explanation, Reason

_PLACES = {sensor.name: at for at, sensor in enumerate(WEARING)}
_USUAL = 2.0
"""Standard deviations within which a healthy unit stays."""


@dataclass(frozen=True)
class OfLife:
    """Of a remaining life: what each feature adds, in cycles, and takes off."""

    model: Model
    normal: Normal
    event: Reading
    row: tuple[float, ...]
    life: float

    def __call__(self) -> tuple[tuple[Reason, ...], tuple[Explanation, ...]]:
        """See `judge.Why`."""
        row = self.row[: len(MODEL_FEATURES)]
        parts = parts_of(self.model, row)
        if parts is None:
            return (), ()
        parts = parts.moved_to(parts.base, self.life)
        found = explanation("cycles", parts, MODEL_FEATURES, row, self._told)
        taken = round(parts.base - self.life, 1)
        said = sentences(found, _matter, -1.0)
        left = f"{self.life:.0f} cycles left; a unit of the training on average: {parts.base:.0f}"
        text = f"{said} ({left})"
        return (Reason("model", text, taken),) if said else (), (found,)

    def _told(self, at: int) -> Told:
        name, value = MODEL_FEATURES[at], self.row[at]
        text, sensor = _text_of(name)
        if text is None:
            return Told(name, meaning(FEATURES[at], value))
        known: dict[str, int | float | str] = {"size": abs(value)}
        usual = None
        if sensor:
            known |= self._of_sensor(sensor)
            value *= WEARING[_PLACES[sensor]].wear  # as the sensor reads, not as it is worn
        if name.startswith(("level_", "drift_")) or name.endswith("_drift"):
            usual = -_USUAL, _USUAL
        return Told(f"{text.about} {sensor}", text.of(value, {}).format_map(known), usual)

    def _of_sensor(self, name: str) -> dict[str, str]:
        place = _PLACES[name]
        sensor = WEARING[place]
        unit = "" if sensor.unit == "1" else f" {sensor.unit}"
        value = self.event.sensors.get(name)
        condition = self.normal.find(self.event)
        centre, scale = self.normal.parts[condition if condition != UNKNOWN else 0]
        half = abs(_USUAL / float(scale[place]))
        return {
            "words": sensor.words, "sensor": name,
            "reading": "nothing" if value is None else f"{value:.6g}{unit}",
            "low": f"{centre[place] - half:.6g}", "high": f"{centre[place] + half:.6g}{unit}",
        }  # fmt: skip


@dataclass(frozen=True)
class OfSurprise:
    """Of how surprising a reading is: what each distance adds, in decades."""

    score: float
    parts: tuple[Contribution, ...]

    def __call__(self) -> tuple[tuple[Reason, ...], tuple[Explanation, ...]]:
        """See `judge.Why`; the reasons say it already."""
        parts = sorted(self.parts, key=lambda part: -abs(part.amount))
        rest = round(self.score - sum(part.amount for part in parts), 7)
        return (), (Explanation("surprise", "decades", 0.0, tuple(parts), rest),)


@dataclass(frozen=True)
class OfFailure:
    """Of the probability of a failure: what each value adds to its log-odds."""

    model: Model
    features: tuple[Feature, ...]
    row: tuple[float, ...]
    asked: tuple[float, ...]  # what the model takes: of sequences the readings before, too
    said: tuple[str, ...]  # of each value, in words
    about: Mapping[str, str]  # of each feature the value that it is of; empty: a mode says it

    def __call__(self) -> tuple[tuple[Reason, ...], tuple[Explanation, ...]]:
        """See `judge.Why`."""
        parts = parts_of(self.model, self.asked)
        if parts is None:
            return (), ()
        names = tuple(feature.name for feature in self.features)

        def told(at: int) -> Told:
            return Told(names[at], self.said[at])

        found = explanation("log-odds", parts.in_log_odds(), names, self.row, told)
        said = sentences(found, self.about.__getitem__) if self.about else ""
        return (Reason("model", said),) if said else (), (found,)


def _text_of(name: str) -> tuple[Text | None, str]:
    """The text of a feature, and its sensor if it is of one."""
    known = texts("maintenance")
    family, _, sensor = name.partition("_")
    if sensor in _PLACES:
        return known.get(family), sensor
    return known.get(name), ""


def _matter(name: str) -> str:
    text, sensor = _text_of(name)
    return f"{text.about} {sensor}" if text else name
