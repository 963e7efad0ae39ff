"""The life of a unit of any type: its readings, what happened to it, and silence."""

from collections.abc import Callable
from typing import NamedTuple

from stormwatch.domains.maintenance import backlog, features, normals, reorder
from stormwatch.domains.maintenance.anomalies import Anomalies
from stormwatch.domains.maintenance.equipment import EVENTS, Equipment
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.failures import Failures
from stormwatch.domains.maintenance.findings import BROKEN, Findings
from stormwatch.domains.maintenance.health.clock import interval_of
from stormwatch.domains.maintenance.health.wearing import Found
from stormwatch.domains.maintenance.reorder import Advance
from stormwatch.domains.maintenance.state import Life, UnitState
from stormwatch.parsing.fields import in_words
from stormwatch.records import NOT_LEARNED, Reason

TOLD_FOR = 10
"""Readings for which nothing as far off as what was told is news."""
WORN = "turbofan"
"""The type, and the model, that a body of plain bytes is of."""


class Carry(NamedTuple):
    """What the verdict needs to know beside a turbofan's features."""

    equipment: Equipment
    findings: Findings | None = None  # of the judge `any`
    inputs: tuple[float, ...] | None = None  # what a model of failures sees
    kept: bytes = b""  # the last readings, where it takes several
    event: UnitEvent | None = None
    note: str = ""
    reasons: tuple[Reason, ...] = ()  # what goes before those of the judge
    silent_s: float = 0.0  # nothing was heard of the unit for longer than its type allows
    is_window: bool = False
    unwell: Found | None = None  # what is wrong with a turbofan's sensors
    skew_s: float = 0.0  # seconds by which the unit's clock is off
    is_again: bool = False  # no more surprising than what was told a few readings before


def advance(
    state: UnitState,
    event: Reading,
    equipment: Equipment,
    judge: Anomalies | None,
    learn: Advance,
    failures: Failures | None = None,
) -> tuple[tuple[float, ...], Carry]:
    """Learn a reading or what happened; return the features and what else the verdict needs.

    `judge` is None for a type that the remaining-life model judges, of which `learn` learns;
    `failures` is of a type whose failures a model tells. Raises StateError for a state that another
    version wrote in another layout.
    """
    life = state.body
    if isinstance(life, bytes):
        life = Life(WORN if life else equipment.name, life)
    reasons: list[Reason] = []
    if life.equipment != equipment.name:
        reasons.append(
            Reason(
                "equipment_changed",
                f"the unit was of the type {life.equipment}: what was learned of it begins again",
            )
        )
        life = Life(equipment.name, b"", state.time, life.until)
        state.cycle = state.offset = 0
        state.recent = None
    state.body = life
    silent_s = (event.time - state.time) / 1000 if state.time else -1.0
    is_window = event.time < life.until
    if event.event is None or event.event.kind == "check":
        if is_window:
            reasons.append(_window(life.until))
        limit = equipment.silent_after_s
        is_silent = limit is not None and silent_s > limit
    else:
        _happened(state, life, event, event.event, judge)
        is_silent = is_window = False
    carry = Carry(
        equipment, event=event.event, reasons=tuple(reasons), is_window=is_window,
        silent_s=silent_s if is_silent else 0.0,
    )  # fmt: skip
    if event.event is not None:
        return (), carry
    if judge is None:
        row, note = _wear(state, life, event, learn)
        return row, carry._replace(note=note)
    judged = judge

    def of_sensors(body: bytes, reading: Reading) -> tuple[bytes, Findings]:
        is_usual = not reading.time < life.until
        return judged.advance(body, reading, life.since, is_usual=is_usual)

    findings, note = backlog.follow(state, life, event, of_sensors, interval_of(state.clock))
    carry = carry._replace(note=note)
    if silent_s >= 0 and event.time - silent_s * 1000 < life.until <= event.time:
        life.told = 0.0  # what a window silenced is news after it
    is_again = findings.learned and _again(life, findings.score)
    carry = carry._replace(findings=findings, is_again=is_again)
    seen = failures.look(life.kept, event.sensors) if failures is not None else None
    if seen is None:
        return _row(findings, silent_s), carry
    if findings.learned:
        life.kept = seen.kept
    return seen.row, carry._replace(inputs=seen.row, kept=seen.kept)


def since(state: UnitState) -> int:
    """When the unit's life began, ms, as far as it is known."""
    return state.body.since if isinstance(state.body, Life) else 0


def _again(life: Life, score: float) -> bool:
    """Whether it was told within the last TOLD_FOR readings that the unit is so far off."""
    life.quiet += 1
    if life.quiet > TOLD_FOR:
        life.told = 0.0
    if score <= life.told:
        return True
    life.told, life.quiet = score, 0
    return False


def _wear(
    state: UnitState, life: Life, event: Reading, learn: Advance
) -> tuple[tuple[float, ...], str]:
    """The features of a turbofan to which something happened, and a note where it was late."""
    inner = UnitState(state.time, state.cycle, state.offset, life.body, health=state.health)
    if event.time <= life.since:
        inner.time = max(inner.time, event.time)  # of the life before: not learned
        return learn(inner, event), NOT_LEARNED
    row, state.recent, note = reorder.follow(inner, state.recent, event, learn)
    state.time, state.cycle, state.offset = inner.time, inner.cycle, inner.offset
    assert isinstance(inner.body, bytes)
    life.body, state.health = inner.body, inner.health
    return row, note


def _row(findings: Findings, silent_s: float) -> tuple[float, ...]:
    kinds = [each.kind for each in findings.found]
    learning, odd = kinds.count("learning"), kinds.count("odd")
    return (
        findings.score, float(findings.judged), float(learning), float(odd),
        float(sum(map(kinds.count, BROKEN))), round(silent_s, 3), *findings.distances,
    )  # fmt: skip


def _happened(
    state: UnitState, life: Life, event: Reading, what: UnitEvent, judge: Anomalies | None
) -> None:
    if what.kind in ("overhaul", "failure"):
        if event.time >= life.since:
            life.body, life.since, life.kept = b"", event.time, b""
            state.offset = -state.cycle  # its age begins again, whether its counter does or not
            state.time = max(state.time, event.time)
            state.recent, state.health = None, b""
    elif what.kind == "window":
        life.until = what.until
    elif what.kind == "sensor_replaced":
        state.health = b""
        forget: Callable[..., bytes] = features.forget if judge is None else normals.forget
        life.body = forget(life.body, what.sensor, event.time, event.unit)
        state.recent = None


def _window(until: int) -> Reason:
    return Reason("window", f"a maintenance window lasts until {in_words(until)}: no alert")


def told(equipment: Equipment, event: UnitEvent) -> Reason:
    """What an event means for the unit, in words."""
    meaning = equipment.events.get(event.kind) or EVENTS[event.kind]
    about = f" of the sensor {event.sensor}" if event.sensor else ""
    until = f" until {in_words(event.until)}" if event.until else ""
    said = f" ({event.words})" if event.words else ""
    return Reason(event.kind, f"{event.kind.replace('_', ' ')}{about}{until}: {meaning}{said}")
