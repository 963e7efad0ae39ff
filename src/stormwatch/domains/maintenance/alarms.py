"""Alarms with hysteresis: one an episode, which escalates and calms. Pure.

What is wrong with a unit is of four tracks: the machine itself (watch, anomaly, service, each worse
than the one before), a sensor of it, its silence, and conditions that the model does not know. A
track's alarm opens with the first reading whose outcome says so, and that reading is the alert (a
watch is told only). What comes after it while the alarm is open is decided and told as ever and is
no alert again, unless the machine gets worse than it was in this episode: it escalates. CALM
readings in a row without this trouble close it.

An overhaul, a failure and a maintenance window end all alarms of the unit, a replaced sensor those
of sensors; in a window nothing opens. A reading older than the newest one that was judged since the
alarm opened may open or escalate one, and calms none.
"""

from collections.abc import Iterator

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.state import Alarm, Track, UnitState
from stormwatch.parsing.fields import in_words
from stormwatch.records import Reason
from stormwatch.state.judge import Verdict

CALM = 8
"""Readings in a row without trouble that close an alarm."""
LEVELS = {"watch": 1, "anomaly": 2, "service": 3}
"""Of the machine's track: how bad an outcome is."""
_WORDS = ("", *LEVELS)
_QUIET = frozenset({"healthy", "learning", "noted", "silenced"})
_ENDING = frozenset({"overhaul", "failure", "window"})
_TELLING = {"sensor": "sensor_fault", "silence": "no_data", "regime": "unknown_regime"}
_CODES = {"sensor": ("sensor", "clock"), "silence": ("gap",), "regime": ("unknown_regime",)}
"""How the codes of reasons begin that tell of a track's trouble beside a worse outcome."""
_TRACKS = {**{outcome: name for name, outcome in _TELLING.items()},
           **dict.fromkeys(LEVELS, "machine")}  # fmt: skip


def settle(state: UnitState, event: Reading, verdict: Verdict) -> Verdict:
    """The verdict, with whether it is an alert; `state` keeps the unit's alarms.

    To be called in the order in which readings are decided. Touches nothing else of `state`.
    """
    alarm, happened = state.alarm, event.event
    if happened is not None and happened.kind != "check":
        if happened.kind in _ENDING:
            state.alarm = None
        elif alarm is not None and happened.kind == "sensor_replaced":
            alarm.sensor = Track()
        return verdict
    if alarm is None and verdict.outcome in _QUIET:
        return verdict
    if verdict.outcome == "silenced":
        state.alarm = None
        return verdict
    codes = {reason.code for reason in verdict.reasons}
    if alarm is None or "equipment_changed" in codes:
        alarm = Alarm(newest=event.time)
    is_new, alarm.newest = event.time >= alarm.newest, max(event.time, alarm.newest)
    own, reasons, alert = _TRACKS.get(verdict.outcome), [], None
    for name, track, level in _levels(alarm, verdict, codes, happened is not None):
        rose, reason = _fold(track, level, event.time, is_new)
        if name == own:
            alert = None if rose else False
        if reason is not None and (name == own or not track.level):
            reasons.append(reason)
    tracks = (alarm.machine, alarm.sensor, alarm.silence, alarm.regime)
    state.alarm = alarm if any(track.level for track in tracks) else None
    return verdict._replace(reasons=(*verdict.reasons, *reasons), alert=alert)


def _levels(
    alarm: Alarm, verdict: Verdict, codes: set[str], is_check: bool
) -> Iterator[tuple[str, Track, int | None]]:
    """Of each track how bad this verdict is; None where it does not tell."""
    outcome = verdict.outcome
    is_calm = outcome in _QUIET or outcome == "no_data"
    is_odd = any(each.startswith("anomaly") for each in codes)  # and was told of before
    machine = None if is_check or (is_calm and is_odd) else 0 if is_calm else LEVELS.get(outcome)
    yield "machine", alarm.machine, machine
    for name, code in _CODES.items():
        track: Track = getattr(alarm, name)
        lasts = any(each.startswith(code) for each in codes)
        level = track.level if lasts else None if is_check else 0
        yield name, track, 1 if outcome == _TELLING[name] else level


def _fold(track: Track, level: int | None, time: int, is_new: bool) -> tuple[bool, Reason | None]:
    """Whether the alarm opened or became worse, and what there is to say of it."""
    if level is None:
        return False, None
    since = in_words(track.since) if track.since else ""
    if level > track.level:
        was, track.level, track.calm = track.level, level, 0
        if not was:
            track.since = time
            return True, None
        text = f"the alarm of {since} has become worse: it was {_WORDS[was]}"
        return True, Reason("alarm_escalated", text)
    if level:
        track.calm = 0
        text = f"the alarm of {since} is still open: this is no new alert"
        return False, Reason("alarm_open", text)
    if track.level and is_new:
        track.calm += 1
        if track.calm >= CALM:
            track.level = track.since = track.calm = 0
            text = f"the alarm of {since} is over: {CALM} readings in a row without trouble"
            return False, Reason("alarm_over", text)
    return False, None
