"""Readings that come late, within a bound, are learned as if they had come in order."""

from functools import cache
from itertools import islice
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.data.generate.readings import HOUR, readings
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.reorder import KEPT, _packed, _unpacked
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.records import NOT_LEARNED, REORDERED, Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Verdict
from stormwatch.state.processor import Contract, Policy

DOMAIN = Maintenance.load()
COUNT = 45
BURST = 24


@cache
def life() -> list[tuple[Reading, int]]:
    """A unit from new to failed, hourly, with the cycles left."""
    made: list[tuple[Reading, int]] = []
    for one in readings(6, units=1):
        event = DOMAIN.parse(one.value, 10**14)
        assert isinstance(event, Reading)
        made.append((event, one.life))
        if not one.life:
            break
    return made


EVENTS = [event for event, _ in life()]


class Unit:
    """A unit whose state goes through its bytes before each reading."""

    def __init__(self, state: UnitState | None = None) -> None:
        self.blob = msgspec.msgpack.encode(state or UnitState())

    def learn(self, event: Reading) -> tuple[tuple[float, ...], Any]:
        state = self.state
        row, carry = DOMAIN.advance(state, event)
        self.blob = msgspec.msgpack.encode(state)
        return row, getattr(carry, "note", carry)

    @property
    def state(self) -> UnitState:
        return msgspec.msgpack.decode(self.blob, type=UnitState)

    @property
    def learned(self) -> bytes:
        """All but in what order its readings came, which is what its clock is judged by."""
        return msgspec.msgpack.encode(msgspec.structs.replace(self.state, clock=b""))


def came(delays: list[int]) -> list[Reading]:
    """The first readings, each so many places late: so many younger ones are before it at most."""
    order = sorted(range(len(delays)), key=lambda nth: (nth + delays[nth], nth))
    return [EVENTS[nth] for nth in order]


DELAYS = st.lists(
    st.one_of(st.just(0), st.integers(0, KEPT - 1)), min_size=COUNT, max_size=COUNT
).filter(any)


@settings(max_examples=25, deadline=None)
@given(DELAYS, st.booleans())
def test_any_order_within_the_bound_comes_to_the_state_of_the_order_of_time(
    delays: list[int], happened: bool
) -> None:
    late, ordered = Unit(), Unit()
    if happened:
        window = Reading("w", EVENTS[0].unit, 1, 0, (), {}, "", UnitEvent("window", until=2))
        for unit in (late, ordered):
            unit.learn(window)
    events = came(delays)
    newest, rows = 0, {}
    for event in EVENTS[:COUNT]:
        rows[event.time] = ordered.learn(event)[0]
    seen: set[int] = set()
    for event in events:
        row, note = late.learn(event)
        assert note in ((REORDERED,) if event.time < newest else (None, ""))
        newest = max(newest, event.time)
        seen.add(event.time)
        if all(one.time in seen for one in EVENTS if one.time < event.time):
            assert row == rows[event.time], "decided as in order"
    for event in EVENTS[COUNT : COUNT + 3]:
        assert late.learn(event) == ordered.learn(event)
        assert late.learned == ordered.learned


@pytest.mark.parametrize(
    "value", [642.36, 1e300, -0.0, 1 / 3, 8.41953, 2388.0500000001, 1e17, 5e-5]
)
def test_what_is_kept_of_a_reading_is_its_values_bit_for_bit(value: float) -> None:
    event = msgspec.structs.replace(EVENTS[0], sensors={"T24": value, "W32": 23.1234})
    kept = _unpacked(_packed(event), event.unit)
    assert repr(kept.sensors) == repr(event.sensors)
    same = (event.time, event.cycle, event.settings)
    assert (kept.time, kept.cycle, kept.settings) == same


def test_what_is_older_than_the_bound_is_decided_and_not_learned() -> None:
    unit = Unit()
    for event in EVENTS[1 : 2 * KEPT + 1]:
        unit.learn(event)
    before = unit.learned
    assert unit.learn(EVENTS[0])[1] == NOT_LEARNED
    assert unit.learned == before


def test_of_two_readings_of_one_time_the_first_is_learned() -> None:
    unit = Unit()
    for event in (EVENTS[0], EVENTS[2], EVENTS[1]):
        unit.learn(event)
    before = unit.learned
    for nth in (0, 1, 2):
        again = msgspec.structs.replace(EVENTS[nth], id="again", sensors={"T24": 600.0})
        assert unit.learn(again)[1] == NOT_LEARNED
    assert unit.learned == before


def test_a_state_of_before_there_was_this_carries_on() -> None:
    """It begins to keep readings with its next one, and knows no place before that."""
    unit = Unit()
    for event in EVENTS[:20]:
        unit.learn(event)
    whole = unit.state
    old = msgspec.msgpack.encode((whole.time, whole.cycle, whole.offset, whole.body))
    stored = msgspec.msgpack.decode(old, type=UnitState)
    assert (stored.recent, stored.alarm) == (None, None)
    late = Unit(stored)
    assert late.learn(EVENTS[10])[1] == NOT_LEARNED
    for event in (EVENTS[22], EVENTS[20], EVENTS[21]):
        late.learn(event)
    for event in EVENTS[20:23]:
        unit.learn(event)
    assert late.learn(EVENTS[23]) == unit.learn(EVENTS[23])


@pytest.mark.parametrize("kind", ["overhaul", "sensor_replaced"])
def test_after_what_makes_it_another_unit_nothing_older_is_learned(kind: str) -> None:
    unit = Unit()
    for event in EVENTS[:10]:
        unit.learn(event)
    sensor = "T24" if kind == "sensor_replaced" else ""
    happened = UnitEvent(kind, sensor=sensor)
    unit.learn(Reading("e", EVENTS[0].unit, EVENTS[9].time, 0, (), {}, "", happened))
    unit.learn(EVENTS[12])
    assert unit.learn(msgspec.structs.replace(EVENTS[5], time=EVENTS[5].time + 1))[1] == NOT_LEARNED
    assert unit.learn(EVENTS[11])[1] == REORDERED


def decided(events: list[Reading]) -> tuple[list[Verdict], int, dict[str, int]]:
    """Verdicts through the contract, the bytes of the largest state, and what was noted."""
    contract = Contract(DOMAIN, Policy.of(Settings()), "test")
    blob, rows, most, noted = b"", [], 0, dict[str, int]()
    for start in range(0, len(events), 50):
        batch = [(start + n, 5, event) for n, event in enumerate(events[start : start + 50])]
        fragment = Fragment("readings", 0, 1, start, batch[-1][0], 1, 0)
        states = {events[0].unit: Entry(0, blob)}
        outcomes = contract.apply(fragment, Parsed(batch, [], []), states, 0)
        rows += outcomes.decisions
        blob = outcomes.states[0].blob
        most = max(most, len(blob))
        for name, count in outcomes.noted.items():
            noted[name] = noted.get(name, 0) + count
    return rows, most, noted


def bursts(events: list[Reading]) -> list[Reading]:
    """After each outage the live reading comes first, then the others of its buffer in order."""
    made: list[Reading] = []
    for start in range(0, len(events), BURST):
        burst = events[start : start + BURST]
        made += [burst[-1], *burst[:-1]]
    return made


def test_a_buffer_after_an_outage_does_not_blind_the_estimate() -> None:
    ordered, _, _ = decided(EVENTS)
    late, most, noted = decided(bursts(EVENTS))
    told = {row.id: (row.outcome, row.score) for row in ordered}
    newest = {burst.id for burst in bursts(EVENTS)[::BURST]}
    assert all(told[row.id] == (row.outcome, row.score) for row in late if row.id not in newest)
    assert [row.outcome for row in late].count("service") >= 3
    assert sum(row.alert for row in late) == sum(row.alert for row in ordered) == 1
    buffers = -(-len(EVENTS) // BURST)
    assert noted == {REORDERED: len(EVENTS) - buffers}
    assert most < 6_500  # with what is kept of suspects, at four places


def test_a_clock_that_jumps_once_makes_none_after_it_blind() -> None:
    """Within the allowed lateness: 20 h ahead, the readings of the next 20 h are late for it."""
    ahead = msgspec.structs.replace(EVENTS[20], time=EVENTS[20].time + 20 * HOUR + 1)
    events = [*EVENTS[:20], ahead, *EVENTS[21:40]]
    rows, _, noted = decided(events)
    assert noted == {REORDERED: 19}
    plain, _, _ = decided([*EVENTS[:20], *EVENTS[21:40]])
    assert [row.score for row in rows[21:]] == [row.score for row in plain[20:]]


def test_it_costs_nothing_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading is learned once."""
    from stormwatch.domains.maintenance import domain as module

    learned, real = [], module.advance

    def spy(state: UnitState, reading: Reading, *more: Any) -> tuple[float, ...]:
        learned.append(reading.time)
        return real(state, reading, *more)

    monkeypatch.setattr(module, "advance", spy)
    unit = Unit()
    for event in islice(EVENTS, 60):
        unit.learn(event)
    assert learned == [event.time for event in EVENTS[:60]]
    learned.clear()
    for event in (EVENTS[70], *EVENTS[60:70]):
        unit.learn(event)
    assert len(learned) <= 1 + 10 * 2 + KEPT, "a buffer in order: once itself, once the newest"
