"""From a reading's features and the model's estimate, or without one, to a verdict."""

from collections.abc import Iterator
from heapq import nlargest
from operator import itemgetter, le
from typing import NamedTuple

from stormwatch.domains.maintenance.advice import advice, left_in_words
from stormwatch.domains.maintenance.equipment import Costs
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import (
    BASELINE,
    DRIFTS,
    ELSEWHERE_SPAN,
    FEATURE_NAMES,
    MODEL_FEATURES,
    STUCK_AFTER,
)
from stormwatch.domains.maintenance.sensors import ALL, WEARING
from stormwatch.errors import ModelError
from stormwatch.models import NONE, Card
from stormwatch.models.conditions import UNKNOWN
from stormwatch.models.distribution import Distribution
from stormwatch.records import OUT_OF_DISTRIBUTION, Reason
from stormwatch.state.judge import UNSCORED, Verdict

FEWEST_SENSORS = len(WEARING) // 2
"""With fewer working sensors in a reading its estimate is not to be trusted."""
TELLING = 2.0
"""A drift from the unit's own baseline is named as a reason from here on, sigmas."""
WATCH_WEAR, SERVICE_WEAR = 1.8, 3.5
"""Mean drift of all sensors, standard deviations, from which a unit is watched or due for service
where the model has no score (held against simulated units in test_degraded.py)."""

ELSEWHERE = 0.2
"""From this share of a unit's last readings in conditions that the model does not know, its
estimate is withheld in those that it knows, too: they tell too little of the unit."""

_TAKE = itemgetter(*(sensor.name for sensor in ALL))
_LOWEST, _HIGHEST = zip(*(sensor.plausible for sensor in ALL), strict=True)
_USABLE, _RUN, _STUCK = (FEATURE_NAMES.index(n) for n in ("usable", "stuck_run", "stuck_sensor"))
_WEAR, _AGE = FEATURE_NAMES.index("index_mid_drift"), FEATURE_NAMES.index("age")
_CONDITION, _ELSEWHERE = FEATURE_NAMES.index("condition"), FEATURE_NAMES.index("elsewhere")
_KNOWN = FEATURE_NAMES.index("known")


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


def is_elsewhere(row: tuple[float, ...]) -> bool:
    """Whether the unit works where the model has not been, now or often of late."""
    return row[_CONDITION] == UNKNOWN or row[_ELSEWHERE] >= ELSEWHERE


def withheld(event: Reading, row: tuple[float, ...], degraded: bool) -> Verdict:
    """Of a unit in conditions that the model does not know: there is no estimate of its life."""
    now = row[_CONDITION] == UNKNOWN
    settings = ", ".join(f"{value:g}" for value in event.settings) or "none told"
    where = (
        f"the settings of this reading ({settings}) are none that the model was trained in"
        if now
        else f"{row[_ELSEWHERE]:.0%} of the unit's last {ELSEWHERE_SPAN} readings were in "
        "conditions that the model was not trained in"
    )
    said = Reason("unknown_regime", f"{where}: how long the unit still runs is not known")
    faults = tuple(_faults(event, row))
    outcome = "sensor_fault" if faults else "unknown_regime"
    return Verdict(outcome, UNSCORED, (*faults, said), degraded=degraded)


def judge(
    event: Reading, row: tuple[float, ...], life: float, limits: Thresholds,
    interval: tuple[float, float] | None = None, costs: Costs | None = None,
) -> Verdict:  # fmt: skip
    """By the model's estimate of the remaining life, cycles, and broken sensors.

    `interval`: of the estimate; advice is given of it by `costs`.
    """
    faults = tuple(_faults(event, row))
    trusted = row[_USABLE] >= FEWEST_SENSORS
    if trusted and life <= limits.service:
        outcome, limit = "service", limits.service
    elif faults:
        return Verdict("sensor_fault", life, faults, interval=interval)
    elif life <= limits.watch:
        outcome, limit = "watch", limits.watch
    else:
        return Verdict("healthy", life, (), interval=interval)
    text = f"{left_in_words(life, interval)}; {outcome} at {limit:g} or fewer"
    advised = [advice(life, interval, costs)] if interval and costs else []
    reasons = (Reason("life", text, life), *_drifts(row), *advised, *_young(row), *faults)
    return Verdict(outcome, life, reasons, interval=interval)


def unlike(
    verdict: Verdict, by_rules: Verdict, row: tuple[float, ...], trained_on: Distribution
) -> Verdict:
    """`verdict` of a reading that is unlike the training: no unit is healthy by the model alone.

    Where it says healthy and the rules do not, theirs counts.
    """
    model_row = row[: len(MODEL_FEATURES)]
    at = trained_on.oddest(model_row)
    low, high = trained_on.usual(at)
    said = Reason(
        OUT_OF_DISTRIBUTION,
        f"unlike the readings that the model was trained on, most of all by {FEATURE_NAMES[at]}: "
        f"{row[at]:.5g}, in training {low:.5g} to {high:.5g}; the model alone decides nothing",
    )
    outcome, reasons = verdict.outcome, verdict.reasons
    if outcome == "healthy":
        outcome, reasons = by_rules.outcome, by_rules.reasons
    return verdict._replace(outcome=outcome, reasons=(*reasons, said), noted=OUT_OF_DISTRIBUTION)


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


def _all_believed(values: dict[str, float]) -> bool:
    """Whether each sensor of the type is there and believed: the usual case, looked at first."""
    try:
        told = _TAKE(values)
    except KeyError:
        return False
    return all(map(le, _LOWEST, told)) and all(map(le, told, _HIGHEST))


def _faults(event: Reading, row: tuple[float, ...]) -> Iterator[Reason]:
    values = event.sensors
    for sensor in () if _all_believed(values) else ALL:
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


def _young(row: tuple[float, ...]) -> Iterator[Reason]:
    """Where the unit has run for longer than its features go back."""
    known, age = row[_KNOWN], row[_AGE]
    if known < BASELINE and known < age:
        yield Reason(
            "little_known",
            f"of its {age:.0f} cycles {known:.0f} are known to this version's features: what the "
            "unit was like when new is not",
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
