"""From what the judge `any` found of a reading to a verdict."""

from collections.abc import Iterator
from operator import ge

from stormwatch.domains.maintenance.equipment import Equipment
from stormwatch.domains.maintenance.findings import (
    BROKEN,
    FAR_OFF,
    FEATURE_SET,
    LIMIT,
    STAYS,
    Finding,
    Findings,
)
from stormwatch.domains.maintenance.health import KINDS, wearing
from stormwatch.domains.maintenance.health.wearing import Found
from stormwatch.domains.maintenance.lives import Carry, told
from stormwatch.domains.maintenance.normals import LEARNING
from stormwatch.domains.maintenance.why import OfSurprise
from stormwatch.models import NONE
from stormwatch.records import Contribution, Reason
from stormwatch.state.judge import Verdict

MODEL = "any-2"
"""The version of how normals are learned and judged, as decisions have it."""
EVENT_FEATURES = "event-1"
"""The feature set of a decision about an event of a unit: there are none."""
HEALTH = frozenset(KINDS[1:])
MOST_TOLD = 8
"""Sensors that are told of one by one."""


def judge_any(carry: Carry) -> Verdict:
    """The score is how surprising the reading is, decades; 0 where that was told just before."""
    findings, kind = carry.findings, carry.equipment
    assert findings is not None
    odd = sorted(_of(findings, "odd"), key=lambda each: -each.score)
    broken = _of(findings, *BROKEN)
    gap = list(_gap(carry))
    is_surprising = findings.score >= LIMIT
    stays = all(map(ge, findings.distances, STAYS))
    if is_surprising and not carry.is_again:
        outcome = "anomaly"
    elif broken:
        outcome = "sensor_fault"
    elif gap:
        outcome = "no_data"
    elif is_surprising or stays:
        outcome = "watch"
    else:
        outcome = "healthy" if findings.judged else "learning"
    off = [*(_odd(kind, each) for each in odd[:MOST_TOLD]),
           *(_far_off(kind, each) for each in _of(findings, *FAR_OFF))]  # fmt: skip
    unwell = [_broken(kind, each) for each in broken[:MOST_TOLD]]
    # What is to be done about comes first: the sensor, where that is what is wrong.
    reasons = [*(unwell + off if outcome == "sensor_fault" else off + unwell), *gap]
    if young := _of(findings, "learning"):
        reasons.append(_young(young))
    elif not findings.judged and not broken:
        reasons.append(Reason("not_judged", "no sensor of this reading is one that is judged"))
    reasons.append(_unknown_life(kind))
    score = 0.0 if carry.is_again else findings.score
    why = None
    if outcome == "anomaly":
        why = OfSurprise(score, tuple(_share(kind, *each) for each in findings.parts))
    return Verdict(outcome, score, tuple(reasons), by=(FEATURE_SET, MODEL, kind.label), why=why)


def _share(kind: Equipment, decades: float, each: Finding) -> Contribution:
    """What one sensor adds to the surprise, beside its own normal."""
    ends = (each.centre - each.sigma, each.centre + each.sigma)
    normal = (each.centre, each.sigma) if each.kind == "beyond" else ends
    text = _far_off(kind, each).text
    low, high = (round(end, 6) for end in normal)
    return Contribution(each.name, round(decades, 4), text, round(each.value, 6), (low, high))


def _of(findings: Findings, *kinds: str) -> list[Finding]:
    return [each for each in findings.found if each.kind in kinds]


def noted(carry: Carry) -> Verdict:
    """Of an event: it is noted, and says what it changes; a check tells of a silence."""
    assert carry.event is not None
    reasons = (*carry.reasons, told(carry.equipment, carry.event), *_gap(carry))
    outcome = "noted" if not carry.silent_s else "silenced" if carry.is_window else "no_data"
    return Verdict(outcome, 0.0, reasons, by=(EVENT_FEATURES, NONE, carry.equipment.label))


def with_life(verdict: Verdict, carry: Carry, alerts: frozenset[str]) -> Verdict:
    """`verdict` with what is known of the unit beside its sensors; no alert in a window."""
    reasons = (*carry.reasons, *verdict.reasons)
    if carry.findings is None:
        reasons = (*reasons, *_gap(carry))
    outcome = verdict.outcome
    faults = [
        *_skew(carry.skew_s),
        *(unwell(carry.equipment, carry.unwell) if carry.unwell else ()),
    ]
    if faults:
        reasons = (*reasons, *faults)
        outcome = outcome if outcome in alerts else "sensor_fault"
    if carry.is_window and outcome in alerts:
        outcome = "silenced"
    return verdict._replace(outcome=outcome, reasons=reasons, noted=carry.note or verdict.noted)


def _skew(seconds: float) -> Iterator[Reason]:
    side = "ahead" if seconds > 0 else "behind"
    far = abs(seconds)
    much = f"{far:,.0f} s" if far < 600 else f"{far / 60:,.0f} min" if far < 36_000 else ""
    much = much or f"{far / 3600:,.0f} h"
    if seconds:
        yield Reason(
            "clock_skew",
            f"clock skew: the unit's clock is {much} {side} of the times of its readings before; "
            "what goes by time cannot be believed",
            seconds,
        )


def unwell(kind: Equipment, found: Found) -> Iterator[Reason]:
    """What is wrong with a turbofan's sensors."""
    for sensor, value, normal, fault in found.named:
        about = fault.unit or (wearing.name(fault.partner) if fault.kind == "swapped" else "")
        told = Finding(fault.kind, sensor, value, normal, 1.0, 0.0, fault.age, about)
        yield Reason(f"sensor_{fault.kind}", _unwell(kind, told))
    for sensor, times in found.absent:
        yield Reason("sensor_dropout", _unwell(kind, Finding("dropout", sensor, 0.0, known=times)))


def _gap(carry: Carry) -> Iterator[Reason]:
    if carry.silent_s:
        limit = carry.equipment.silent_after_s or 0.0
        yield Reason(
            "gap",
            f"nothing was heard of the unit for {carry.silent_s:,.0f} s; "
            f"{carry.equipment.name} allows {limit:,g} s",
        )


def _called(kind: Equipment, name: str) -> str:
    sensor = kind.sensors.get(name)
    words = sensor.words if sensor else ""
    return f"{words} ({name})" if words and words != name else name


def _measured(kind: Equipment, name: str, value: float) -> str:
    sensor = kind.sensors.get(name)
    unit = sensor.unit if sensor and sensor.unit != "1" else ""
    if sensor and sensor.role == "counter":
        unit = f"{unit or '1'} a second"
    return f"{value:.6g} {unit}".rstrip()


def _usual(each: Finding) -> str:
    """Between which values a sensor is in 19 of 20 readings."""
    return f"{each.centre - 2 * each.sigma:.4g} to {each.centre + 2 * each.sigma:.4g}"


def _odd(kind: Equipment, each: Finding) -> Reason:
    apart = abs(each.value - each.centre) / each.sigma
    side = "above" if each.value > each.centre else "below"
    return Reason(
        f"anomaly_{each.name}",
        f"{_called(kind, each.name)} is {_measured(kind, each.name, each.value)}, {apart:.1f} "
        f"standard deviations {side} its normal of {each.centre:.5g} ({_usual(each)} as a rule)",
        round(each.score, 6),
    )


def _far_off(kind: Equipment, each: Finding) -> Reason:
    called, value = _called(kind, each.name), _measured(kind, each.name, each.value)
    if each.kind == "beyond":
        text = (
            f"{called} is {value}, outside all that was seen of it: {each.centre:.6g} to "
            f"{each.sigma:.6g}"
        )
    else:
        newest = "newest few" if each.kind == "near" else "last 50 or so"
        text = (
            f"{called} is {value}; its {newest} readings were on average {each.score:.1f} times "
            f"its usual distance from what is normal at this time, {each.centre:.6g}"
        )
    return Reason(f"anomaly_{each.name}", text, round(each.score, 6))


def _broken(kind: Equipment, each: Finding) -> Reason:
    called, value = _called(kind, each.name), _measured(kind, each.name, each.value)
    if each.kind in HEALTH:
        text = _unwell(kind, each)
    elif each.kind == "stuck":
        text = f"{called} has had the same value {each.known} times in a row: {value}"
    elif each.kind == "sentinel":
        text = (
            f"{called} reads {each.value:g}, which is what a logger sends in place of a "
            f"measurement; its normal is {each.centre:.5g} ({_usual(each)} as a rule)"
        )
    else:
        low, high = kind.sensors[each.name].plausible
        text = f"{called} reads {value}; a working sensor reads {low:g} to {high:g}"
    return Reason(f"sensor_{each.kind}", text)


def _unwell(kind: Equipment, each: Finding) -> str:
    """What is wrong with a sensor, apart from the machine: see `health`."""
    called, value = _called(kind, each.name), _measured(kind, each.name, each.value)
    normal, since = f"{each.centre:.6g}", f"for {each.known} readings"
    if each.kind == "dropout" and not each.sigma:
        there = f", and only {each.about} there" if each.about and not called else ""
        return f"dropout: {called or 'a sensor that was always there'} is absent {since}{there}"
    said = {
        "dropout": f"dropout: {called} reads 0 again and again; its normal is {normal}",
        "drift": f"drift: {called} alone goes away from its normal of {normal}, now {value}; the "
        "other sensors are as ever",
        "offset": f"offset: {called} reads {value} {since}, away from its normal of {normal} and "
        "as steadily as before; the other sensors are as ever",
        "spikes": f"spikes: {called} leaps away from its normal of {normal} and comes back at once",
        "noise": f"noise: {called} is scattered far more widely about its normal of {normal}",
        "unit": f"unit change: {called} reads {value} {since}, which is its normal of {normal} in "
        f"another unit ({each.about})",
        "clipping": f"clipping: {called} has {value} as its limit again and again",
        "swapped": f"swapped: {called} reads {value} {since}, which is normal of "
        f"{each.about or 'another sensor'}, and the other way round",
    }
    return said[each.kind]


def _young(found: list[Finding]) -> Reason:
    some = ", ".join(f"{each.name} ({each.known})" for each in found[:MOST_TOLD])
    more = f" and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    return Reason(
        "learning",
        f"a sensor's normal is of {LEARNING} readings at least; not yet known of: {some}{more}",
    )


def _unknown_life(kind: Equipment) -> Reason:
    return Reason(
        "life_unknown", f"remaining life unknown: there is no model of it for the type {kind.name}"
    )
