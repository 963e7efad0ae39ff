"""The judge `failure`: a model's probability that this reading is of a failure, and its mode.

It stands on top of the judge `any`, which goes on telling of broken sensors, of odd ones that the
model does not see, and of readings that lack what the model takes. A mode is named by asking the
model again: the values that speak for other modes are set to what healthy machines have, and what
probability is left is what this mode alone explains.

Where a reading is out of distribution the model alone warns of nothing: one of the limits that the
type declares has to be exceeded as well.
"""

from collections.abc import Sequence
from math import isfinite, nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stormwatch.domains.maintenance.equipment import Equipment
from stormwatch.domains.maintenance.equipment.document import Derived
from stormwatch.domains.maintenance.inputs import Inputs, Row
from stormwatch.domains.maintenance.why import OfFailure
from stormwatch.errors import ModelError
from stormwatch.features import Feature, names
from stormwatch.models import (
    NONE,
    Card,
    Model,
    NoModel,
    Supply,
    card_of,
    distribution,
    load,
    round6,
)
from stormwatch.models.window import unrolled
from stormwatch.records import OUT_OF_DISTRIBUTION, Reason
from stormwatch.state.judge import UNSCORED, Verdict

SHIPPED = Path(__file__).with_name("equipment") / "models"
TRAIN = "./stormwatch train (docs/equipment-types.md)"
TOLD = "failure_probability"
"""The code of the reason that each decision with such a score has."""
_MOST_TOLD = 5
_LEAST_TOLD = 0.001


class Limits(NamedTuple):
    """Probabilities from which up a unit is due for service or watched."""

    service: float
    watch: float

    @classmethod
    def of(cls, card: Card) -> "Limits":
        """Those of a model. Raises ModelError for a card without them."""
        if card.version == NONE:
            return cls(1.0, 1.0)
        unit = "a probability"
        limits = cls(card.threshold("service", unit, TRAIN), card.threshold("watch", unit, TRAIN))
        if not 0 < limits.watch <= limits.service <= 1:
            raise ModelError(
                f"The card of model {card.version} has the thresholds watch {limits.watch:g} and "
                f"service {limits.service:g}: they are probabilities, more than 0 and at most 1, "
                f"the first no greater. Correct them under `thresholds`, or train again: {TRAIN}"
            )
        return limits


def feature_set(kind: Equipment) -> str:
    """Name and version of what the model of a type sees."""
    return f"failure-{kind.label}"


class Failures:
    """The judge of one equipment type whose `model` is "failure"."""

    def __init__(self, kind: Equipment, model: Model, window: int = 1) -> None:
        """`window`: readings that the model takes at once. Raises ModelError for a card without the
        thresholds `service` and `watch`."""
        assert kind.failure is not None
        self._kind, self.model, self._label = kind, model, kind.label
        self._window = window
        self._names = tuple(kind.failure.features)
        self.look = Inputs(kind, window).look
        self._healthy = tuple(feature.default for feature in kind.failure_features)
        self._modes = [
            (mode, one, frozenset(self._names.index(name) for name in one.by))
            for mode, one in kind.modes.items()
        ]
        self._bases = self._columns() * window
        self._limits = [
            at for at, name in enumerate(self._names)
            if name in kind.derived and kind.derived[name].limits
        ]  # fmt: skip
        self._seen = {f"anomaly_{s}" for name in self._names for s in self._sensors_of(name)}
        Limits.of(model.card)
        distribution.of(model.card)

    @classmethod
    def load(cls, kind: Equipment, supply: Supply) -> "Failures":
        """With the model that the type names, or the one shipped with it. Raises ModelError."""
        assert kind.failure is not None
        folder = Path(kind.failure.model) if kind.failure.model else SHIPPED / kind.name
        window = _window(folder)
        if window > 1 and kind.failure.over:
            raise ModelError(
                f"{folder} takes {window} readings at once, as they are: leave `over` out of the "
                f"[failure] of the equipment type {kind.name}."
            )

        def checked() -> Model:
            wanted = names(kind.failure_features)
            model = load(folder, feature_set=feature_set(kind), feature_names=wanted)
            Limits.of(model.card)
            distribution.of(model.card)
            if model.card.window != window:
                raise ModelError(
                    f"{folder} takes {model.card.window} readings at once, and this process began "
                    f"with one that takes {window}: restart the topology"
                )
            return model

        return cls(kind, supply(checked), window)

    def by_rules(self) -> "Failures":
        """The same without a model."""
        return type(self)(self._kind, NoModel(), self._window)

    @property
    def model_version(self) -> str:
        """Of the model in use."""
        return self.model.card.version

    def judge(
        self, rows: Sequence[Row], sensors: Sequence[dict[str, float]], base: Sequence[Verdict],
        kept: Sequence[bytes] = (),
    ) -> list[Verdict]:  # fmt: skip
        """By the probability of each row; `base` is what `any` says of the same readings, `kept`
        the last readings of each, which a model of sequences takes."""
        asked = self._asked(rows, kept)
        found = [round6(min(max(p, 0.0), 1.0)) if isfinite(p) else p
                 for p in self.model.predict(asked)]  # fmt: skip
        card = self.model.card
        limits, trained_on = Limits.of(card), distribution.of(card)
        outside = trained_on.outside(np.array(rows)).tolist() if trained_on else [False] * len(rows)
        alone = [is_out and not self._exceeds(row)
                 for is_out, row in zip(outside, rows, strict=True)]  # fmt: skip
        told = [at for at, p in enumerate(found) if p >= limits.watch and not alone[at]]
        modes = dict(zip(told, self._explained([asked[at] for at in told]), strict=True))
        for at, named in modes.items():
            if any(not isfinite(p) for _, p in named):  # it had no time to tell all: as if none
                found[at] = nan
        out = []
        for at, (p, row, one) in enumerate(zip(found, rows, base, strict=True)):
            if not isfinite(p):
                out.append(self._unscored(one))
                continue
            warning = [self._told(*mode, sensors[at], row) for mode in modes.get(at, [])]
            verdict = self._verdict(p, limits, at in modes, warning, one, alone[at])
            if outside[at]:
                text = "the reading is unlike all that the model was trained on"
                reason = Reason("out_of_distribution", text)
                verdict = verdict._replace(
                    reasons=(*verdict.reasons, reason), noted=OUT_OF_DISTRIBUTION
                )
            if at in modes:
                verdict = verdict._replace(why=self._why(row, asked[at]))
            out.append(verdict._replace(by=(feature_set(self._kind), card.version, self._label)))
        return out

    def _asked(self, rows: Sequence[Row], kept: Sequence[bytes]) -> Sequence[Row]:
        """What the model takes of each."""
        if self._window == 1:
            return rows
        width = len(self._names)
        return [tuple(unrolled(one, width, self._window).tolist()) for one in kept]

    def _columns(self) -> list[int]:
        """Of each value of a row, of which of the named features it is."""
        assert self._kind.failure is not None
        own = list(range(len(self._names)))
        return own + [at for _ in self._kind.failure.over for at in own for _ in ("mean", "spread")]

    def _exceeds(self, row: Row) -> bool:
        return any(row[at] > 0.0 for at in self._limits)

    def _unscored(self, base: Verdict) -> Verdict:
        by = (feature_set(self._kind), NONE, self._label)
        return base._replace(score=UNSCORED, reasons=_others(base), degraded=True, by=by)

    def _verdict(
        self, p: float, limits: Limits, is_told: bool, warning: Sequence[Reason], base: Verdict,
        alone: bool,
    ) -> Verdict:  # fmt: skip
        others = _others(base)
        codes = {reason.code for reason in others}
        outcome = base.outcome
        unseen = {code for code in codes if code.startswith("anomaly_")} - self._seen
        is_blind = alone and not self._limits  # nothing but `any` can say of what is so unlike
        if outcome in ("anomaly", "watch") and not unseen and not is_blind:
            broken = any(code.startswith("sensor_") for code in codes)
            outcome = "sensor_fault" if broken else "no_data" if "gap" in codes else "healthy"
        outcome = "healthy" if outcome == "learning" else outcome
        said = f"the probability of a failure is {p:.1%}"
        if not is_told:
            return Verdict(outcome, p, (*others, Reason(TOLD, said, p)))
        level, limit = "watch", limits.watch
        if p >= limits.service:
            level, limit = "service", limits.service
        outcome = level if level == "service" or outcome == "healthy" else outcome
        text = f"{said}; {level} from {limit:.0%} on"
        return Verdict(outcome, p, (Reason(TOLD, text, p), *warning, *others))

    def _why(self, row: Row, asked: Row) -> OfFailure:
        said = tuple(map(self._said, self._kind.failure_features, row))
        features = tuple(self._kind.failure_features)
        about = {one.name: self._names[at] for one, at in zip(features, self._bases, strict=False)}
        return OfFailure(self.model, features, row, asked, said, {} if self._modes else about)

    def _explained(self, rows: Sequence[Row]) -> list[list[tuple[int, float]]]:
        """Of each row its modes, the likeliest first: at what place, and the probability that is
        left of it alone (nan: there is no score). The first is always there, others where they
        alone were enough."""
        if not rows or not self._modes:
            return [[] for _ in rows]
        healthy = self._healthy * self._window
        asked = [
            tuple(
                value if self._bases[at] in own else usual
                for at, (value, usual) in enumerate(zip(row, healthy, strict=True))
            )
            for row in rows
            for _, _, own in self._modes
        ]
        alone = [round6(p) if isfinite(p) else p for p in self.model.predict(asked)]
        size, out = len(self._modes), []
        enough = Limits.of(self.model.card).service
        for start in range(0, len(alone), size):
            own = list(enumerate(alone[start : start + size]))
            if all(isfinite(p) for _, p in own):
                own.sort(key=lambda one: -one[1])
                own = [own[0], *(one for one in own[1:] if one[1] >= enough)]
            out.append(own)
        return out

    def _told(self, at: int, alone: float, sensors: dict[str, float], row: Row) -> Reason:
        mode, one, own = self._modes[at]
        values = [self._value(self._names[place], row[place]) for place in sorted(own)]
        behind = dict.fromkeys(
            name for place in sorted(own) for name in self._sensors_of(self._names[place])
        )
        values += [self._value(name, sensors[name]) for name in behind if name not in one.by]
        text = f"it looks like {one.words}: {'; '.join(values[:_MOST_TOLD])}"
        return Reason(f"mode_{mode}", text, alone)

    def _sensors_of(self, name: str) -> list[str]:
        """The sensors that a value is made of."""
        one = self._kind.derived.get(name)
        return [name] if one is None else [s for each in one.of for s in self._sensors_of(each)]

    def _said(self, feature: Feature, value: float) -> str:
        name, _, over = feature.name.partition("_mean_")
        if feature.name in self._names:
            return self._value(feature.name, value)
        if over:
            return f"{self._value(name, value)} on the mean of {feature.window}"
        return f"{feature.meaning} over {feature.window} is {value:.4g} {feature.unit}".rstrip()

    def _value(self, name: str, value: float) -> str:
        one = self._kind.derived.get(name) or self._kind.sensors[name]
        words = one.words or name
        if isinstance(one, Derived) and one.limits:
            share = f"{value:.1%}" if value >= _LEAST_TOLD else f"less than {_LEAST_TOLD:.1%}"
            return f"{words}, by {share}" if value > 0.0 else f"{words}: not at all"
        return f"{words} is {value:.4g}{'' if one.unit == '1' else f' {one.unit}'}"


def _others(base: Verdict) -> tuple[Reason, ...]:
    """Its reasons, without that no model knows of the unit."""
    return tuple(reason for reason in base.reasons if reason.code != "life_unknown")


def _window(folder: Path) -> int:
    """How many readings its model takes at once, as it is when this process begins: units learn by
    it. 1 where it cannot be read: the supply of the model tells of it."""
    try:
        return card_of(folder).window
    except ModelError:
        return 1
