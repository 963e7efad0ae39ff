"""Machine readings to decisions: how long a unit will still run, and whether to believe it."""

from collections.abc import Iterator, Sequence
from heapq import nlargest
from pathlib import Path

from stormwatch.domain import Verdict
from stormwatch.errors import ModelError
from stormwatch.maintenance.event import Reading
from stormwatch.maintenance.features import (
    DRIFTS,
    FEATURE_SET,
    FEATURES,
    MODEL_FEATURES,
    STUCK_AFTER,
    UnitState,
    advance,
)
from stormwatch.maintenance.parse import parse, to_wire
from stormwatch.maintenance.sensors import ALL, WEARING
from stormwatch.models import Model, load, round6
from stormwatch.records import Reason, Rejection
from stormwatch.settings import Settings

LIFE_CAP = 125.0
"""A remaining life is told up to here, cycles: farther ahead nothing shows in the sensors."""
FEWEST_SENSORS = len(WEARING) // 2
"""With fewer working sensors in a reading its estimate is not to be trusted."""
TELLING = 2.0
"""A drift from the unit's own baseline is named as a reason from here on, sigmas."""
ALERT_OUTCOMES = frozenset({"service", "sensor_fault"})
SHIPPED = Path(__file__).with_name("model")

_USABLE, _RUN, _STUCK = (FEATURES.index(n) for n in ("usable", "stuck_run", "stuck_sensor"))


class Maintenance:
    """The maintenance domain; see `stormwatch.domain.Domain`.

    The score is the remaining life in operating cycles, 0 to LIFE_CAP, 6 decimals. Outcomes:
    `service` and `watch` at or below the thresholds of the model's card, `sensor_fault` where a
    sensor is broken and no service is due, else `healthy`.
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
        self.model_version = model.card.version
        try:
            self._service = model.card.thresholds["service"]
            self._watch = model.card.thresholds["watch"]
        except KeyError as error:
            raise ModelError(
                f"The card of model {model.card.version} has no threshold {error}. "
                "Add it under `thresholds`, in cycles, or train again: ./stormwatch train"
            ) from error

    @classmethod
    def load(cls, folder: Path | str = "", *, future_skew_ms: int = 300_000) -> "Maintenance":
        """With the model in `folder`, or the shipped one. Raises ModelError."""
        path = Path(folder) if folder else SHIPPED
        model = load(path, feature_set=FEATURE_SET, feature_names=MODEL_FEATURES)
        return cls(model, future_skew_ms=future_skew_ms)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Maintenance":
        """As the settings say. Raises ModelError."""
        return cls.load(settings.maintenance_model, future_skew_ms=settings.future_skew_s * 1000)

    def parse(self, value: bytes, timestamp: int) -> Reading | Rejection:
        """See `stormwatch.maintenance.parse`."""
        return parse(value, timestamp, future_skew_ms=self._future_skew_ms)

    def to_wire(self, event: Reading) -> bytes:
        """See `stormwatch.maintenance.parse`."""
        return to_wire(event)

    def new_state(self) -> UnitState:
        """Of a unit never seen."""
        return UnitState()

    def advance(self, state: UnitState, event: Reading) -> tuple[float, ...]:
        """The unit's features with this reading in them; see `stormwatch.maintenance.features`."""
        return advance(state, event)

    def decide(
        self, events: Sequence[Reading], features: Sequence[tuple[float, ...]]
    ) -> list[Verdict]:
        """One model call; a verdict for each reading from its own row alone."""
        lives = self._model.predict([row[: len(MODEL_FEATURES)] for row in features])
        return [
            self._judge(event, row, round6(min(max(life, 0.0), LIFE_CAP)))
            for event, row, life in zip(events, features, lives, strict=True)
        ]

    def _judge(self, event: Reading, row: tuple[float, ...], life: float) -> Verdict:
        faults = tuple(_faults(event, row))
        trusted = row[_USABLE] >= FEWEST_SENSORS
        if trusted and life <= self._service:
            outcome, limit = "service", self._service
        elif faults:
            return Verdict("sensor_fault", life, faults)
        elif life <= self._watch:
            outcome, limit = "watch", self._watch
        else:
            return Verdict("healthy", life, ())
        left = Reason(
            "life", f"about {life:.0f} operating cycles left; {outcome} at {limit:g} or fewer", life
        )
        return Verdict(outcome, life, (left, *_drifts(row), *faults))


def _faults(event: Reading, row: tuple[float, ...]) -> Iterator[Reason]:
    values = event.sensors
    for sensor in ALL:
        value = values.get(sensor.name)
        if value is not None and not sensor.believes(value):
            low, high = sensor.plausible
            yield Reason(
                "sensor_implausible",
                f"{sensor.words} ({sensor.name}) reads {value:g} {sensor.unit}; "
                f"a working sensor reads {low:g} to {high:g}",
            )
    if row[_RUN] >= STUCK_AFTER:
        sensor = WEARING[int(row[_STUCK])]
        yield Reason(
            "sensor_stuck",
            f"{sensor.words} ({sensor.name}) has had the same value {row[_RUN]:.0f} times in a row",
        )
    if row[_USABLE] < FEWEST_SENSORS:
        yield Reason(
            "sensors_missing",
            f"only {row[_USABLE]:.0f} of {len(WEARING)} sensors tell something; "
            f"{FEWEST_SENSORS} are needed",
        )


def _drifts(row: tuple[float, ...]) -> Iterator[Reason]:
    """The three sensors farthest from the unit's own baseline, farthest first."""
    drifts = zip(row[DRIFTS], WEARING, strict=True)
    for drift, sensor in nlargest(3, drifts, key=lambda pair: abs(pair[0])):
        if abs(drift) >= TELLING:
            side = "above" if drift * sensor.wear > 0 else "below"
            yield Reason(
                f"drift_{sensor.name}",
                f"{sensor.words} ({sensor.name}) is {abs(drift):.1f} standard deviations {side} "
                "this unit's own baseline",
                abs(drift),
            )
