"""What happens to a unit: overhaul, failure, new sensors, windows, silence; and mixed batches."""

from functools import cache
from itertools import islice
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.data.generate.readings import readings
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import ALERT_OUTCOMES, Maintenance
from stormwatch.domains.maintenance.equipment import Types, default_types, read
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.features import FEATURE_NAMES
from stormwatch.domains.maintenance.normals import LEARNING
from stormwatch.domains.maintenance.state import Life, UnitState
from stormwatch.records import NOT_LEARNED, Decision, Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Verdict, versions_of
from stormwatch.state.processor import Contract, Policy

NEVER_LATE = 10**13
PUMP = read('name = "pump"\nsilent_after_s = 600\n[sensors.x]\n[sensors.y]\n', "pump.toml")
MINUTE = 60_000


@cache
def domain() -> Maintenance:
    types = default_types()
    return Maintenance.load(types=Types(types.default, {**types.by_name, "pump": PUMP}))


class Unit:
    """One unit; its state goes through its blob at each step."""

    def __init__(self, equipment: str = "pump") -> None:
        self.equipment, self.time, self.blob, self.nth = equipment, 10**12, b"", 0
        self.row: tuple[float, ...] = ()

    def step(self, event: Reading) -> Verdict:
        made = domain()
        kind = made.state
        state = msgspec.msgpack.decode(self.blob, type=kind) if self.blob else made.new_state()
        self.row, carry = made.advance(state, event)
        self.blob = msgspec.msgpack.encode(state)
        return made.decide([event], [self.row], [carry])[0]

    def reads(self, after: int = MINUTE, **sensors: float) -> Verdict:
        self.time, self.nth = self.time + after, self.nth + 1
        return self.step(Reading(f"{self.nth}", "u", self.time, 0, (), sensors, self.equipment))

    def meets(self, kind: str, **more: Any) -> Verdict:
        self.nth += 1
        event = UnitEvent(kind, **more)
        return self.step(Reading(f"{self.nth}", "u", self.time, 0, (), {}, self.equipment, event))

    def lived(self, count: int = 60) -> "Unit":
        for nth in range(count):
            self.reads(x=50.0 + nth % 5, y=7.0 + nth % 3)
        return self

    @property
    def state(self) -> UnitState:
        return msgspec.msgpack.decode(self.blob, type=UnitState)


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_an_event_is_noted_and_says_what_it_means() -> None:
    verdict = Unit().lived().meets("maintenance", words="filter changed")
    assert (verdict.outcome, verdict.score) == ("noted", 0.0)
    assert codes(verdict) == ["maintenance"]
    assert "filter changed" in verdict.reasons[0].text
    assert verdict.by == ("event-1", "none", "pump-1")
    assert "noted" not in ALERT_OUTCOMES


@pytest.mark.parametrize("kind", ["overhaul", "failure"])
def test_after_an_overhaul_or_a_failure_all_is_learned_anew(kind: str) -> None:
    unit = Unit().lived()
    assert unit.reads(x=90.0).outcome == "anomaly"
    unit.meets(kind)
    assert unit.reads(x=90.0).outcome == "learning"
    late = unit.step(Reading("late", "u", unit.time - 5 * MINUTE, 0, (), {"y": 7.0}, "pump"))
    assert late.noted == NOT_LEARNED, "it is of the life before"


def test_maintenance_changes_nothing_of_what_is_known() -> None:
    unit = Unit().lived()
    before = unit.state
    unit.meets("maintenance")
    assert unit.state == before


def test_a_replaced_sensor_alone_begins_again() -> None:
    unit = Unit().lived()
    unit.meets("sensor_replaced", sensor="x")
    verdict = unit.reads(x=90.0, y=8.0)
    assert verdict.outcome == "healthy"
    assert "not yet known of: x (0)" in verdict.reasons[0].text
    assert unit.reads(y=70.0).outcome == "anomaly"


def test_in_a_window_nothing_is_an_alert_and_all_is_told() -> None:
    unit = Unit().lived()
    unit.meets("window", until=unit.time + 10 * MINUTE)
    silenced = unit.reads(x=90.0)
    assert (silenced.outcome, codes(silenced)[:2]) == ("silenced", ["window", "anomaly_x"])
    assert silenced.score > 5
    assert unit.reads(x=51.0).outcome == "healthy"
    assert unit.reads(9 * MINUTE, x=90.0).outcome == "anomaly"


def test_a_silence_is_told_by_the_reading_that_ends_it() -> None:
    unit = Unit().lived()
    assert unit.reads(10 * MINUTE, x=51.0).outcome == "healthy"
    verdict = unit.reads(10 * MINUTE + 1, x=51.0)
    assert verdict.outcome == "no_data"
    assert codes(verdict) == ["gap", "life_unknown"]
    assert "for 600 s" in verdict.reasons[0].text
    worse = unit.reads(11 * MINUTE, x=95.0)
    assert (worse.outcome, codes(worse)) == ("anomaly", ["anomaly_x", "gap", "life_unknown"])


def test_a_check_tells_of_a_unit_that_never_reports_again() -> None:
    unit = Unit().lived()
    unit.time += 10 * MINUTE
    assert unit.meets("check").outcome == "noted"
    before = unit.state
    unit.time += 1
    verdict = unit.meets("check")
    assert (verdict.outcome, codes(verdict)) == ("no_data", ["check", "gap"])
    assert unit.state == before
    unit.meets("window", until=unit.time + MINUTE)
    assert unit.meets("check").outcome == "silenced"


def test_a_unit_of_another_type_begins_again_and_says_so() -> None:
    unit = Unit().lived()
    unit.equipment = "any"
    verdict = unit.reads(x=51.0)
    assert (verdict.outcome, codes(verdict)[0]) == ("learning", "equipment_changed")
    assert "equipment_changed" not in codes(unit.reads(x=51.0))


def turbofan(count: int = 60) -> list[Reading]:
    made = (domain().parse(one.value, NEVER_LATE) for one in readings(2, units=1))
    return list(islice(made, count))


def test_a_turbofan_to_which_nothing_happened_is_kept_as_ever() -> None:
    unit = Unit("")
    for event in turbofan():
        unit.step(event)
    assert isinstance(unit.state.body, bytes)


def test_an_overhaul_of_a_turbofan_begins_its_age_and_baseline_anew() -> None:
    unit, events = Unit(""), turbofan()
    for event in events[:40]:
        unit.step(event)
    assert unit.row[FEATURE_NAMES.index("age")] == 40
    unit.time = events[39].time
    done = unit.step(
        Reading("shop", events[0].unit, unit.time, 0, (), {}, "", UnitEvent("overhaul"))
    )
    assert "a shop visit after which the engine is as new" in done.reasons[0].text
    unit.step(events[40])
    assert unit.row[FEATURE_NAMES.index("age")] == 1
    assert max(map(abs, unit.row[14:28])) == 0, "drifts are from a baseline that begins here"
    assert isinstance(unit.state.body, Life)
    before = unit.blob
    late = unit.step(msgspec.structs.replace(events[20], id="late"))
    assert (late.noted, unit.blob) == (NOT_LEARNED, before)


def test_a_window_and_a_new_sensor_of_a_turbofan() -> None:
    unit, events = Unit(""), turbofan()
    for event in events[:40]:
        unit.step(event)
    at = msgspec.structs.replace(events[39], id="e", cycle=0, settings=(), sensors={})
    replaced = UnitEvent("sensor_replaced", sensor="T24")
    unit.step(msgspec.structs.replace(at, event=replaced))
    window = UnitEvent("window", until=events[45].time)
    unit.step(msgspec.structs.replace(at, id="w", event=window))
    broken = dict.fromkeys(events[40].sensors, 0.0)
    verdict = unit.step(msgspec.structs.replace(events[40], sensors=broken))
    assert (verdict.outcome, codes(verdict)[0]) == ("silenced", "window")
    assert unit.step(msgspec.structs.replace(events[50], sensors=broken)).outcome == "sensor_fault"


def mixed() -> list[Reading]:
    """Turbofans, pumps, units of no type and events, in turns."""
    made = turbofan(40)
    out: list[Reading] = []
    for nth, event in enumerate(made):
        at = event.time
        out += [
            event,
            Reading(f"p{nth}", "pump-1", at, 0, (), {"x": float(nth % 7)}, "pump"),
            Reading(f"a{nth}", "b", at, nth + 1, (), {"q": float(nth * nth % 11)}, "any"),
        ]
        if nth % 9 == 8:
            kind = ("maintenance", "overhaul", "failure", "maintenance")[nth // 9]
            out.append(Reading(f"e{nth}", event.unit, at, 0, (), {}, "", UnitEvent(kind)))
            out.append(Reading(f"f{nth}", "b", at, 0, (), {}, "any", UnitEvent(kind)))
    return out


def decided(events: list[Reading], cuts: list[int]) -> tuple[list[bytes], dict[str, bytes]]:
    contract = Contract(domain(), Policy.of(Settings()), "test")
    known: dict[str, bytes] = {}
    bodies: list[bytes] = []
    for first, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        rows = [(first + i, 5, event) for i, event in enumerate(events[first:end])]
        if not rows:
            continue
        states = {e.unit: Entry(0, known.get(e.unit, b"")) for _, _, e in rows}
        fragment = Fragment("readings", 0, 1, first, end - 1, 1, 0)
        outcomes = contract.apply(fragment, Parsed(rows, [], []), states, 0)
        bodies += [row.body for row in outcomes.decisions]
        known |= {row.entity: row.blob for row in outcomes.states}
    return bodies, known


@settings(max_examples=25)
@given(st.sets(st.integers(1, 127)))
def test_batches_of_all_types_cut_anywhere_give_the_same_bytes(cuts: set[int]) -> None:
    events = mixed()
    assert decided(events, sorted(cuts)) == decided(events, [])


def test_each_decision_names_what_judged_it_and_proofs_know_all_of_them() -> None:
    bodies, _ = decided(mixed(), [])
    found = {
        (one.model, one.rules, one.feature_set)
        for one in map(msgspec.json.Decoder(Decision).decode, bodies)
    }
    assert found <= versions_of(domain())
    assert {features for _, _, features in found} == {"maintenance-2", "any-2", "event-1"}
    assert {rules for _, rules, _ in found} == {"sensors-1", "pump-1", "any-1", "turbofan-1"}


def test_each_feature_of_a_decision_has_a_name() -> None:
    bodies, _ = decided(mixed(), [])
    for one in map(msgspec.json.Decoder(Decision).decode, bodies):
        names = Maintenance.other_features.get(one.feature_set, Maintenance.feature_names)
        assert len(names) == len(one.features), one.feature_set


def test_learning_ends_by_itself() -> None:
    unit = Unit()
    outcomes = [unit.reads(x=float(nth)).outcome for nth in range(LEARNING + 1)]
    assert outcomes == ["learning"] * LEARNING + ["healthy"]
