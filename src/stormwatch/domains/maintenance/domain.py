"""Machine readings to decisions: how long a unit will still run, and whether to believe it."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import (
    FEATURE_SET,
    FEATURES,
    MODEL_FEATURES,
    UnitState,
    advance,
    learns,
)
from stormwatch.domains.maintenance.judging import Thresholds, judge, judge_by_rules
from stormwatch.domains.maintenance.parse import parse, to_wire
from stormwatch.models import Model, NoModel, Supply, load, now, round6
from stormwatch.records import NOT_LEARNED, Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Advanced, Verdict

LIFE_CAP = 125.0
"""The longest remaining useful life that is estimated, cycles: earlier the sensors show nothing."""
ALERT_OUTCOMES = frozenset({"service", "sensor_fault"})
SHIPPED = Path(__file__).with_name("model")


class Maintenance:
    """The maintenance domain; see `stormwatch.state.judge.Domain`.

    The score is the remaining life in operating cycles, 0 to LIFE_CAP, 6 decimals. Outcomes:
    `service` and `watch` at or below the thresholds of the model's card, `sensor_fault` where a
    sensor is broken and no service is due, else `healthy`. Where the model has no score the same
    outcomes come of how far the sensors have drifted (WATCH_WEAR, SERVICE_WEAR).
    """

    name = "maintenance"
    event = Reading
    state = UnitState
    feature_names = FEATURES
    feature_set = FEATURE_SET
    rules_version = "sensors-1"
    alert_outcomes = ALERT_OUTCOMES

    def __init__(self, model: Model, *, future_skew_ms: int = 300_000) -> None:
        """Raises ModelError for a card without the thresholds `service` and `watch`."""
        self._model = model
        self._future_skew_ms = future_skew_ms
        Thresholds.of(model.card)

    @classmethod
    def load(
        cls, folder: Path | str = "", *, future_skew_ms: int = 300_000, supply: Supply = now
    ) -> "Maintenance":
        """With the model in `folder`, or the shipped one. Raises ModelError."""
        path = Path(folder) if folder else SHIPPED

        def checked() -> Model:
            model = load(path, feature_set=FEATURE_SET, feature_names=MODEL_FEATURES)
            Thresholds.of(model.card)
            return model

        return cls(supply(checked), future_skew_ms=future_skew_ms)

    @classmethod
    def from_settings(cls, settings: Settings, supply: Supply = now) -> "Maintenance":
        """As the settings say. Raises ModelError."""
        skew_ms = settings.future_skew_s * 1000
        return cls.load(settings.maintenance_model, future_skew_ms=skew_ms, supply=supply)

    def by_rules(self) -> "Maintenance":
        """The same without a model: every decision is degraded."""
        return type(self)(NoModel(), future_skew_ms=self._future_skew_ms)

    @property
    def model_version(self) -> str:
        """Of the model in use."""
        return self._model.card.version

    def parse(self, value: bytes, timestamp: int) -> Reading | Rejection:
        """See `stormwatch.domains.maintenance.parse`."""
        return parse(value, timestamp, future_skew_ms=self._future_skew_ms)

    def to_wire(self, event: Reading) -> bytes:
        """See `stormwatch.domains.maintenance.parse`."""
        return to_wire(event)

    def new_state(self) -> UnitState:
        """Of a unit never seen."""
        return UnitState()

    def advance(self, state: UnitState, event: Reading) -> Advanced:
        """The unit's features with this reading in them; see `features` beside this file.

        The carry: what the verdict is to be noted as, if the reading is not learned.
        """
        note = None if learns(state, event) else NOT_LEARNED
        return advance(state, event), note

    def decide(
        self,
        events: Sequence[Reading],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[str | None],
    ) -> list[Verdict]:
        """One model call; a verdict for each reading from its own row alone."""
        lives = self._model.predict([row[: len(MODEL_FEATURES)] for row in features])
        limits = Thresholds.of(self._model.card)
        verdicts = [
            judge(event, row, round6(min(max(life, 0.0), LIFE_CAP)), limits)
            if isfinite(life)
            else judge_by_rules(event, row)
            for event, row, life in zip(events, features, lives, strict=True)
        ]
        return [
            verdict if note is None else verdict._replace(noted=note)
            for verdict, note in zip(verdicts, carries, strict=True)
        ]
