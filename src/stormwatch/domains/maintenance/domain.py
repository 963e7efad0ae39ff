"""Machine readings to decisions: how long a unit will still run, or how odd it is, and whether to
believe it."""

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import ClassVar

from stormwatch.domains.maintenance import anomalies, lives
from stormwatch.domains.maintenance.anomalies import Anomalies
from stormwatch.domains.maintenance.equipment import Types, chosen, default_types
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import (
    FEATURE_NAMES,
    FEATURE_SET,
    MODEL_FEATURES,
    OLD_FEATURES,
    OLD_SET,
    Normal,
    advance,
    learns,
)
from stormwatch.domains.maintenance.judging import (
    Thresholds,
    is_elsewhere,
    judge,
    judge_by_rules,
    withheld,
)
from stormwatch.domains.maintenance.judging_any import (
    EVENT_FEATURES,
    MODEL,
    judge_any,
    noted,
    with_life,
)
from stormwatch.domains.maintenance.lives import Carry
from stormwatch.domains.maintenance.parse import Readings, to_wire
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.errors import ModelError
from stormwatch.models import NONE, Model, NoModel, Supply, card_of, load, now, round6
from stormwatch.models.conditions import Conditions
from stormwatch.records import NOT_LEARNED, Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Advanced, Verdict, Versions

LIFE_CAP = 125.0
"""The longest remaining useful life that is estimated, cycles: earlier the sensors show nothing."""
ALERT_OUTCOMES = frozenset({"service", "sensor_fault", "anomaly", "no_data"})
SHIPPED = Path(__file__).with_name("model")


class Maintenance:
    """The maintenance domain; see `stormwatch.state.judge.Domain`.

    What judges a reading is named by its equipment type. With the model `turbofan` the score is
    the remaining life in operating cycles, 0 to LIFE_CAP, 6 decimals. Outcomes:
    `service` and `watch` at or below the thresholds of the model's card, `sensor_fault` where a
    sensor is broken and no service is due, else `healthy`; `unknown_regime`, with the score
    UNSCORED, where the unit works in conditions that the model does not know. Where the model has
    no score the same outcomes come of how far the sensors have drifted (WATCH_WEAR, SERVICE_WEAR).

    With the model `any` it is how surprising the reading is, in decades, see `surprise`. Outcomes:
    `anomaly`, `watch` while it stays as far off as was told, `sensor_fault`, `no_data` after a gap,
    `learning` as long as no normal is known, else `healthy`.

    In a maintenance window what would be an alert is `silenced`; an event of a unit is `noted`.
    """

    name = "maintenance"
    event = Reading
    state = UnitState
    feature_names = FEATURE_NAMES
    feature_set = FEATURE_SET
    other_features: ClassVar = {
        anomalies.FEATURE_SET: anomalies.NAMES, **anomalies.FEATURES_BEFORE, EVENT_FEATURES: (),
        OLD_SET: OLD_FEATURES,
    }  # fmt: skip
    """Names of features by their set, where these are others than the domain's own."""
    rules_version = "sensors-1"
    alert_outcomes = ALERT_OUTCOMES

    def __init__(
        self, model: Model, *, future_skew_ms: int = 300_000, types: Types | None = None,
        normal: Normal | None = None,
    ) -> None:  # fmt: skip
        """`normal`: of the model's conditions; without, readings may be of any.

        Raises ModelError for a card without the thresholds `service` and `watch`.
        """
        self._normal = normal or Normal()
        self._model = model
        self._future_skew_ms = future_skew_ms
        self._types = types = types or default_types()
        self._parse = Readings(types).parse
        self._judges = {
            name: Anomalies(kind) if kind.model == "any" else None
            for name, kind in types.by_name.items()
        }
        self._wearing = {name for name, judge in self._judges.items() if judge is None}
        if self._judges[types.default.name] is None:
            self._wearing.add("")
        Thresholds.of(model.card)

    @classmethod
    def load(
        cls, folder: Path | str = "", *, future_skew_ms: int = 300_000, supply: Supply = now,
        types: Types | None = None,
    ) -> "Maintenance":  # fmt: skip
        """With the model in `folder`, or the shipped one. Raises ModelError.

        What is normal in which condition is read of the card at once, for units learn by it: a
        model that becomes usable later must have the same.
        """
        path = Path(folder) if folder else SHIPPED
        conditions = _conditions(path)

        def checked() -> Model:
            model = load(path, feature_set=FEATURE_SET, feature_names=MODEL_FEATURES)
            Thresholds.of(model.card)
            if model.card.conditions != conditions:
                raise ModelError(
                    f"{path} knows other working conditions than when this process began: restart "
                    "the topology, so that all units learn by them"
                )
            return model

        return cls(
            supply(checked), future_skew_ms=future_skew_ms, types=types, normal=Normal(conditions)
        )

    @classmethod
    def from_settings(cls, settings: Settings, supply: Supply = now) -> "Maintenance":
        """As the settings say. Raises ModelError, EquipmentError."""
        skew_ms = settings.future_skew_s * 1000
        types = chosen(settings)
        return cls.load(
            settings.maintenance_model, future_skew_ms=skew_ms, supply=supply, types=types
        )

    def by_rules(self) -> "Maintenance":
        """The same without a model: every decision is degraded."""
        return type(self)(
            NoModel(), future_skew_ms=self._future_skew_ms, types=self._types, normal=self._normal
        )

    @property
    def model_version(self) -> str:
        """Of the model in use."""
        return self._model.card.version

    @property
    def other_versions(self) -> frozenset[Versions]:
        """Model, rules and features of what the remaining-life model does not judge."""
        kinds = self._types.by_name.values()
        judged = {(MODEL, kind.label, anomalies.FEATURE_SET) for kind in kinds}
        return frozenset(judged | {(NONE, kind.label, EVENT_FEATURES) for kind in kinds})

    def parse(self, value: bytes, timestamp: int) -> Reading | Rejection:
        """See `stormwatch.domains.maintenance.parse`."""
        return self._parse(value, timestamp, future_skew_ms=self._future_skew_ms)

    def to_wire(self, event: Reading) -> bytes:
        """See `stormwatch.domains.maintenance.parse`."""
        return to_wire(event)

    def new_state(self) -> UnitState:
        """Of a unit never seen."""
        return UnitState()

    def advance(self, state: UnitState, event: Reading) -> Advanced:
        """The unit's features with this reading in them; see `features` beside this file.

        The carry: what the verdict is to be noted as, if the reading is not learned; of other types
        and of events what else the verdict is made of.
        """
        if (
            event.event is None
            and event.equipment in self._wearing
            and isinstance(state.body, bytes)
        ):
            note = None if learns(state, event) else NOT_LEARNED
            return advance(state, event, self._normal), note
        kind = self._types.of(event.equipment)
        return lives.advance(state, event, kind, self._judges[kind.name], self._normal)

    def decide(
        self,
        events: Sequence[Reading],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[str | Carry | None],
    ) -> list[Verdict]:
        """At most one model call; a verdict for each reading from its own row and carry alone."""
        worn = [
            (event, row)
            for event, row, carry in zip(events, features, carries, strict=True)
            if not isinstance(carry, Carry) or (carry.findings is None and carry.event is None)
        ]
        verdicts = iter(self._worn(worn) if worn else ())
        return [self._verdict(carry, verdicts) for carry in carries]

    def _worn(self, worn: Sequence[tuple[Reading, tuple[float, ...]]]) -> Iterator[Verdict]:
        """Of readings that the remaining-life model judges."""
        left = self._model.predict([row[: len(MODEL_FEATURES)] for _, row in worn])
        limits = Thresholds.of(card := self._model.card)
        for (event, row), life in zip(worn, left, strict=True):
            if is_elsewhere(row):
                yield withheld(event, row, degraded=not isfinite(life))
            elif isfinite(life):
                score = round6(min(max(life, 0.0), LIFE_CAP))
                interval = card.interval.around(score) if card.interval else None
                costs = self._types.of(event.equipment).costs
                yield judge(event, row, score, limits, interval, costs)
            else:
                yield judge_by_rules(event, row)

    def _verdict(self, carry: str | Carry | None, worn: Iterator[Verdict]) -> Verdict:
        if carry is None:
            return next(worn)
        if not isinstance(carry, Carry):
            return next(worn)._replace(noted=carry)
        if carry.event is not None:
            return noted(carry)
        verdict = next(worn) if carry.findings is None else judge_any(carry)
        return with_life(verdict, carry, ALERT_OUTCOMES)


def _conditions(path: Path) -> Conditions | None:
    try:
        return card_of(path).conditions
    except ModelError:
        return None  # the supply of the model tells of it
