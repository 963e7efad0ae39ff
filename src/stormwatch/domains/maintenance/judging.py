"""From a reading's features and the model's estimate, or without one, to a verdict."""

from collections.abc import Iterator
from heapq import nlargest
from typing import NamedTuple

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import DRIFTS, FEATURES, STUCK_AFTER
from stormwatch.domains.maintenance.sensors import ALL, WEARING
from stormwatch.errors import ModelError
from stormwatch.models import NONE, Card
from stormwatch.records import Reason
from stormwatch.state.judge import UNSCORED, Verdict

FEWEST_SENSORS = len(WEARING) // 2
"""With fewer working sensors in a reading its estimate is not to be trusted."""
TELLING = 2.0
"""A drift from the unit's own baseline is named as a reason from here on, sigmas."""
WATCH_WEAR, SERVICE_WEAR = 1.8, 3.5
"""Mean drift of all sensors, standard deviations, from which a unit is watched or due for service
where the model has no score (held against simulated units in test_degraded.py)."""

_USABLE, _RUN, _STUCK = (FEATURES.index(n) for n in ("usable", "stuck_run", "stuck_sensor"))
_WEAR = FEATURES.index("index_mid_drift")


class Thresholds(NamedTuple):
    """Remaining lives, cycles, from which down a unit is due for service or watched."""

    service: float
    watch: float

    @classmethod
    def of(cls, card: Card) -> "Thresholds":
        """Those of a model. Raises ModelError for a card without the two thresholds."""
        if card.version == NONE:
            return cls(UNSCORED, UNSCORED)
        words = ("in cycles", "./stormwatch train maintenance")
        limits = cls(card.threshold("service", *words), card.threshold("watch", *words))
        if not 0 <= limits.service <= limits.watch:
            raise ModelError(
                f"The card of model {card.version} has the thresholds service {limits.service:g} "
                f"and watch {limits.watch:g}, in cycles: the first has to be 0 or more, the second "
                "no smaller. Correct them under `thresholds`, or train again: "
                "./stormwatch train maintenance"
            )
        return limits


def judge(event: Reading, row: tuple[float, ...], life: float, limits: Thresholds) -> Verdict:
    """By the model's estimate of the remaining life, cycles, and broken sensors."""
    faults = tuple(_faults(event, row))
    trusted = row[_USABLE] >= FEWEST_SENSORS
    if trusted and life <= limits.service:
        outcome, limit = "service", limits.service
    elif faults:
        return Verdict("sensor_fault", life, faults)
    elif life <= limits.watch:
        outcome, limit = "watch", limits.watch
    else:
        return Verdict("healthy", life, ())
    left = Reason(
        "life", f"about {life:.0f} operating cycles left; {outcome} at {limit:g} or fewer", life
    )
    return Verdict(outcome, life, (left, *_drifts(row), *faults))


def judge_by_rules(event: Reading, row: tuple[float, ...]) -> Verdict:
    """By how far all sensors have drifted, and broken ones."""
    faults = tuple(_faults(event, row))
    trusted = row[_USABLE] >= FEWEST_SENSORS
    wear = row[_WEAR]
    if trusted and wear >= SERVICE_WEAR:
        outcome, limit = "service", SERVICE_WEAR
    elif faults:
        return Verdict("sensor_fault", UNSCORED, faults, degraded=True)
    elif wear >= WATCH_WEAR:
        outcome, limit = "watch", WATCH_WEAR
    else:
        return Verdict("healthy", UNSCORED, (), degraded=True)
    worn = Reason(
        "wear",
        f"all sensors together stand {wear:.1f} standard deviations on the worn side of this "
        f"unit's own baseline; {outcome} from {limit:g} on",
        wear,
    )
    return Verdict(outcome, UNSCORED, (worn, *_drifts(row), *faults), degraded=True)


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
