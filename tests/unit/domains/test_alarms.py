"""Alarms: one an episode, escalating, calming with hysteresis; what ends and what mutes them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.build.evaluate.cases.alarms import Step, buffered, lived
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import ALERT_OUTCOMES, Maintenance
from stormwatch.domains.maintenance.alarms import CALM, settle
from stormwatch.domains.maintenance.equipment import Types, default_types, read
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.records import DecisionKey, Fragment, LedgerRow, Outcomes, Reason
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.judge import Verdict
from stormwatch.state.processor import Contract, Policy

MINUTE = 60_000
PUMP = read(
    'name = "pump"\nsilent_after_s = 600\n[sensors.x]\nplausible = [0.0, 200.0]\n', "pump.toml"
)
TYPES = default_types()
DOMAIN = Maintenance.load(types=Types(TYPES.default, {**TYPES.by_name, "pump": PUMP}))
OUTCOMES = ["healthy", "watch", "service", "sensor_fault", "anomaly", "no_data", "learning"]
CODES = {"sensor_fault": ("sensor_stuck", "unknown_regime"), "no_data": ("gap",)}


class Alarmed:
    """A unit whose outcomes are given; its state goes through its bytes at each step."""

    def __init__(self) -> None:
        self.blob, self.time = msgspec.msgpack.encode(UnitState()), 10**12

    def step(
        self, outcome: str, *codes: str, event: UnitEvent | None = None, after: int = MINUTE
    ) -> Verdict:
        self.time += after
        state = msgspec.msgpack.decode(self.blob, type=UnitState)
        reasons = tuple(Reason(code, "x") for code in codes or CODES.get(outcome, ()))
        verdict = settle(
            state,
            Reading("r", "u", self.time, 0, (), {}, "", event),
            Verdict(outcome, 1.0, reasons),
        )
        self.blob = msgspec.msgpack.encode(state)
        return verdict

    def alerts(self, *outcomes: str) -> list[bool]:
        """Of each outcome, whether it is an alert."""
        return [is_alert(self.step(outcome)) for outcome in outcomes]

    @property
    def is_open(self) -> bool:
        return msgspec.msgpack.decode(self.blob, type=UnitState).alarm is not None


def is_alert(verdict: Verdict) -> bool:
    return verdict.outcome in ALERT_OUTCOMES and verdict.alert is not False


def told(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons if reason.code.startswith("alarm")]


def test_an_episode_has_one_alert_and_what_follows_says_that_it_is_open() -> None:
    unit = Alarmed()
    assert unit.alerts("healthy", "service", "service", "watch", "healthy", "service") == [
        False, True, False, False, False, False
    ]  # fmt: skip
    again = unit.step("service")
    assert told(again) == ["alarm_open"]
    assert "the alarm of 2001-09-09 01:48 UTC is still open" in again.reasons[-1].text


@pytest.mark.parametrize(
    ("outcomes", "alerts"),
    [
        (("watch", "watch", "service", "service"), [0, 0, 1, 0]),
        (("anomaly", "service", "anomaly"), [1, 1, 0]),
        (("service", "anomaly", "watch"), [1, 0, 0]),
        (("sensor_fault", "service", "sensor_fault"), [1, 1, 0]),
        (("no_data", "no_data", "anomaly"), [1, 0, 1]),
        (("unknown_regime", "unknown_regime", "sensor_fault", "unknown_regime"), [1, 0, 1, 0]),
        (("learning", "noted", "silenced", "healthy"), [0, 0, 0, 0]),
    ],
)
def test_it_escalates_and_tracks_are_apart(outcomes: tuple[str, ...], alerts: list[int]) -> None:
    assert Alarmed().alerts(*outcomes) == [bool(one) for one in alerts]


def test_an_escalation_says_what_it_was() -> None:
    unit = Alarmed()
    unit.step("watch")
    worse = unit.step("service")
    assert told(worse) == ["alarm_escalated"]
    assert worse.reasons[-1].text.endswith("has become worse: it was watch")


def test_it_is_calm_after_some_readings_in_a_row_and_the_next_is_another_episode() -> None:
    unit = Alarmed()
    assert unit.alerts("service", *["healthy"] * (CALM - 1), "watch") == [True] + [False] * CALM
    for _ in range(CALM - 1):
        assert told(unit.step("healthy")) == []
    over = unit.step("healthy")
    assert told(over) == ["alarm_over"]
    assert not unit.is_open
    assert unit.alerts("service") == [True]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [("overhaul", True), ("failure", True), ("window", True), ("maintenance", False)],
)
def test_what_happens_to_a_unit_ends_its_alarm_or_does_not(kind: str, ends: bool) -> None:
    unit = Alarmed()
    unit.step("service")
    unit.step("noted", event=UnitEvent(kind))
    assert unit.is_open is not ends
    assert unit.alerts("service") == [ends]


def test_a_replaced_sensor_ends_the_alarm_of_sensors_alone() -> None:
    unit = Alarmed()
    assert unit.alerts("anomaly", "sensor_fault") == [True, True]
    unit.step("noted", event=UnitEvent("sensor_replaced", sensor="x"))
    assert unit.alerts("anomaly", "sensor_fault") == [False, True]


def test_what_a_window_silences_opens_nothing_and_ends_what_was_open() -> None:
    unit = Alarmed()
    unit.step("service")
    assert unit.alerts("silenced", "service") == [False, True]


def test_checks_of_one_silence_are_one_alert() -> None:
    unit, check = Alarmed(), UnitEvent("check")
    assert [is_alert(unit.step("no_data", "check", "gap", event=check)) for _ in range(3)] == [
        True, False, False
    ]  # fmt: skip
    assert not is_alert(unit.step("noted", "check", event=check))
    assert unit.is_open, "a check that finds nothing is no reading"
    assert unit.alerts("no_data") == [False], "the reading that ends the silence"
    for _ in range(CALM):
        unit.step("healthy")
    assert not unit.is_open


def test_a_broken_sensor_beside_worse_trouble_keeps_its_alarm_open() -> None:
    unit = Alarmed()
    unit.step("sensor_fault")
    for _ in range(2 * CALM):
        unit.step("service", "sensor_stuck")
    assert not is_alert(unit.step("sensor_fault"))


def test_what_is_odd_still_and_was_told_before_calms_nothing() -> None:
    unit = Alarmed()
    unit.step("anomaly", "anomaly_x")
    for _ in range(2 * CALM):
        unit.step("healthy", "anomaly_x")
    assert unit.alerts("anomaly") == [False]


def test_a_reading_that_comes_late_calms_nothing() -> None:
    unit = Alarmed()
    unit.step("service")
    unit.step("watch", after=100 * MINUTE)
    for _ in range(2 * CALM):
        unit.step("healthy", after=-MINUTE)
    assert unit.is_open


def test_another_type_begins_without_alarms() -> None:
    unit = Alarmed()
    unit.step("service")
    assert is_alert(unit.step("anomaly", "equipment_changed", "anomaly_x"))


@given(st.lists(st.sampled_from(OUTCOMES), max_size=60))
def test_alerts_are_never_more_than_their_outcomes_and_none_is_lost(outcomes: list[str]) -> None:
    """The first trouble of a kind is an alert; so is the next after a calm; the state is small."""
    unit, calm = Alarmed(), 0
    for nth, outcome in enumerate(outcomes):
        found = is_alert(unit.step(outcome))
        assert not found or outcome in ALERT_OUTCOMES
        is_first = outcome not in outcomes[:nth] and outcome != "anomaly"
        if outcome in ALERT_OUTCOMES and (is_first or calm >= CALM):
            assert found
        calm = calm + 1 if outcome in ("healthy", "learning") else 0
        assert unit.is_open or calm or outcome == "learning"
    assert len(unit.blob) < 100


def decided(events: list[Reading], cuts: list[int]) -> tuple[list[Any], dict[str, bytes]]:
    contract = Contract(DOMAIN, Policy.of(Settings()), "test")
    known: dict[str, bytes] = {}
    rows: list[Any] = []
    for first, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        batch = [(first + i, 5, event) for i, event in enumerate(events[first:end])]
        if not batch:
            continue
        states = {e.unit: Entry(0, known.get(e.unit, b"")) for _, _, e in batch}
        fragment = Fragment("readings", 0, 1, first, end - 1, 1, 0)
        outcomes = contract.apply(fragment, Parsed(batch, [], []), states, 0)
        rows += outcomes.decisions
        known |= {row.entity: row.blob for row in outcomes.states}
    return rows, known


def troubled() -> list[Reading]:
    """A pump with two episodes, a window between them, and a silence at the end."""
    time, made = 10**12, list[Reading]()
    for nth in range(120):
        time += MINUTE
        value = 90.0 if 60 <= nth < 70 else 300.0 if 90 <= nth < 94 else 50.0 + nth % 5
        made.append(Reading(f"{nth}", "u", time, 0, (), {"x": value}, "pump"))
        if nth == 75:
            window = UnitEvent("window", until=time + 5 * MINUTE)
            made.append(Reading("w", "u", time, 0, (), {}, "pump", window))
    return [*made, Reading("end", "u", time + 60 * MINUTE, 0, (), {"x": 51.0}, "pump")]


@settings(max_examples=10, deadline=None)
@given(st.sets(st.integers(1, 120)))
def test_batches_cut_anywhere_give_the_same_alerts_and_states(cuts: set[int]) -> None:
    events = troubled()
    rows, known = decided(events, [])
    assert [row.id for row in rows if row.alert] == ["60", "90", "end"]
    assert decided(events, sorted(cuts)) == (rows, known)


class Kept:
    """A store and a sink in one, with decisions of a try before."""

    def __init__(self, found: list[Any]) -> None:
        self.found, self.sent = found, list[bytes]()

    def find_decisions(self, domain: str, keys: Any) -> list[Any]:
        return self.found

    def write_outcomes(self, *outcomes: Any) -> None: ...

    def flush(self, timeout: float) -> None: ...

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        self.sent.append(value)


def test_a_replay_tells_again_of_alerts_and_not_of_what_followed_them() -> None:
    rows, _ = decided(troubled(), [])
    tried = [row for row in rows if row.outcome in ALERT_OUTCOMES]
    assert {row.alert for row in tried} == {True, False}
    kept = Kept(tried)
    fragment = Fragment("readings", 0, 1, 0, 121, 1, 1)
    outcomes = Outcomes(
        fragment, "maintenance", 1, [], [], [], LedgerRow(fragment, "score", {}, 0),
        [DecisionKey(row.stripe, row.entity, row.time, row.id) for row in tried], [],
    )  # fmt: skip
    step: Any = StoreStep(
        lambda: kept, lambda: kept, Topics("alerts", "letters"), 1.0, lambda done: None,
    )  # fmt: skip
    step.work_all([(fragment, outcomes)])
    assert [msgspec.json.decode(one)["id"] for one in kept.sent] == ["60", "90", "end"]


def test_the_protocol_counts_the_rows_of_units_that_failed() -> None:
    made = [
        Step("a", 70, "service", True), Step("a", 1, "service", False),
        Step("a", 0, "watch", False),
        Step("b", 2, "watch", False), Step("b", 1, "sensor_fault", True),
        Step("b", 0, "service", True), Step("c", 5, "service", True),
    ]  # fmt: skip
    assert lived(made) == [(1, 2, True, True, True), (2, 2, False, False, True)]


def test_a_buffer_has_its_newest_first() -> None:
    life: Any = [(nth, 9 - nth) for nth in range(7)]
    assert [nth for nth, _ in buffered(life, 3)] == [2, 0, 1, 5, 3, 4, 6]
