"""Late readings of units of any type are learned as if they had come in order, where a gap was."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.anomalies import Anomalies
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.findings import LIMIT
from stormwatch.domains.maintenance.lives import Carry
from stormwatch.domains.maintenance.reorder import KEPT
from stormwatch.domains.maintenance.state import Life, UnitState
from stormwatch.records import NOT_LEARNED, REORDERED
from stormwatch.state.judge import Verdict

DOMAIN = Maintenance.load()
MINUTE = 60_000
BEGIN = 30
"""Readings in order, from which the unit's interval is known."""
COUNT = 70
BURST = 15


def reading(nth: int, **more: float) -> Reading:
    draw = random.Random(nth)
    sensors = {"a": 20 + draw.gauss(0, 1), "b": 300 + draw.gauss(0, 5), "c": draw.gauss(0, 0.1)}
    return Reading(str(nth), "u", (nth + 1) * MINUTE, 0, (), sensors | more, "any")


EVENTS = [reading(nth) for nth in range(COUNT)]


class Unit:
    """A unit whose state goes through its bytes before each reading."""

    def __init__(self) -> None:
        self.blob = msgspec.msgpack.encode(UnitState())
        self.most = 0

    def step(self, event: Reading) -> Verdict:
        state = self.state
        row, carry = DOMAIN.advance(state, event)
        assert isinstance(carry, Carry)
        self.blob = msgspec.msgpack.encode(state)
        self.most = max(self.most, len(self.blob))
        (verdict,) = DOMAIN.decide([event], [row], [carry])
        return verdict

    @property
    def state(self) -> UnitState:
        return msgspec.msgpack.decode(self.blob, type=UnitState)

    @property
    def learned(self) -> tuple[int, bytes]:
        """What is known of its sensors, and until when."""
        assert isinstance(self.state.body, Life)
        return self.state.time, self.state.body.body


def lived(events: list[Reading]) -> Unit:
    unit = Unit()
    for event in events:
        unit.step(event)
    return unit


ORDERED = lived(EVENTS)
BURSTS = st.lists(st.integers(1, BURST), min_size=2, max_size=8)
DELAYS = st.lists(st.integers(0, KEPT - 1), min_size=COUNT - BEGIN, max_size=COUNT - BEGIN)


@settings(max_examples=8, deadline=None)
@given(BURSTS)
def test_buffers_that_come_newest_first_are_learned_in_order(sizes: list[int]) -> None:
    order, at = EVENTS[:BEGIN], BEGIN
    for size in sizes:
        burst = EVENTS[at : at + size]
        order = [*order, *burst[-1:], *burst[:-1]]
        at += size
    order += EVENTS[at:]
    assert lived(order).learned == ORDERED.learned


@settings(max_examples=8, deadline=None)
@given(DELAYS)
def test_any_order_within_the_bound_comes_to_what_the_order_of_time_does(delays: list[int]) -> None:
    late = sorted(range(len(delays)), key=lambda nth: (nth + delays[nth], nth))
    assert lived([*EVENTS[:BEGIN], *(EVENTS[BEGIN + nth] for nth in late)]).learned == (
        ORDERED.learned
    )


def test_what_was_odd_in_an_outage_is_told_though_its_newest_reading_came_first() -> None:
    """A fault of the machine that began and ended while the line was down."""
    odd = [reading(nth, a=60.0 + nth % 3, b=700.0) for nth in range(40, 50)]
    order = [*EVENTS[:40], *odd, *EVENTS[50:]]
    ordered, late = Unit(), Unit()
    in_order = [ordered.step(event) for event in order]
    came = [*order[:40], order[55], *order[40:55], *order[56:]]
    verdicts = {event.id: late.step(event) for event in came}
    assert late.learned == ordered.learned
    assert [verdicts[event.id].noted for event in order[40:55]] == [REORDERED] * 15
    assert in_order[40].score >= LIMIT
    assert verdicts["40"].outcome == in_order[40].outcome == "anomaly"
    scores = [verdicts[event.id].score for event in order[40:55]]
    assert scores == [one.score for one in in_order[40:55]], "each as it would have been in order"


def test_readings_of_several_sensors_come_each_in_a_record_of_its_own() -> None:
    """Records of one time, one sensor each: those of the buffer too."""
    split = [
        msgspec.structs.replace(event, id=f"{event.id}{name}", sensors={name: value})
        for event in EVENTS
        for name, value in event.sensors.items()
    ]
    first, last = 3 * 40, 3 * 50
    order = [*split[:first], *split[last - 3 : last], *split[first : last - 3], *split[last:]]
    assert lived(order).learned == lived(split).learned


def test_nothing_is_kept_twice_while_readings_come_in_order() -> None:
    unit = lived(EVENTS)
    assert unit.state.recent is None
    late = lived([*EVENTS[:40], EVENTS[50], *EVENTS[40:50]])
    assert late.state.recent is not None
    for event in EVENTS[51 : 51 + KEPT]:
        late.step(event)
    assert late.state.recent is None, "eight younger ones have come"
    assert late.learned == lived(EVENTS[: 51 + KEPT]).learned
    assert late.most < 4 * unit.most + 2 * KEPT * 60


def test_a_second_gap_keeps_the_first_one_open() -> None:
    order = [*EVENTS[:40], EVENTS[44], EVENTS[50], *EVENTS[45:50], *EVENTS[40:44], *EVENTS[51:]]
    unit = Unit()
    noted = [unit.step(event).noted for event in order]
    assert noted.count(REORDERED) == 9
    assert unit.learned == ORDERED.learned


def test_what_fills_no_gap_is_decided_and_not_learned() -> None:
    unit = lived(EVENTS[:50])
    before = unit.learned
    stray = msgspec.structs.replace(EVENTS[45], id="stray", time=EVENTS[45].time - 1)
    assert unit.step(stray).noted == NOT_LEARNED
    again = msgspec.structs.replace(EVENTS[49], id="again", sensors={"a": 21.0})
    assert unit.step(again).noted == NOT_LEARNED
    unit.step(EVENTS[60])
    older = msgspec.structs.replace(EVENTS[49], id="older")
    assert unit.step(older).noted == NOT_LEARNED, "of before the gap"
    assert before[1] != unit.learned[1]


def test_after_what_makes_it_another_unit_no_gap_is_filled() -> None:
    unit = lived([*EVENTS[:40], EVENTS[50]])
    happened = UnitEvent("sensor_replaced", sensor="a")
    unit.step(Reading("e", "u", EVENTS[50].time, 0, (), {}, "any", happened))
    assert unit.state.recent is None
    assert unit.step(EVENTS[45]).noted == NOT_LEARNED


def test_a_buffer_costs_each_of_its_readings_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[int] = []
    real = Anomalies.advance

    def spy(self: Anomalies, body: bytes, event: Reading, *more: Any, **named: Any) -> Any:
        learned.append(event.time)
        return real(self, body, event, *more, **named)

    monkeypatch.setattr(Anomalies, "advance", spy)
    lived(EVENTS)
    assert learned == [event.time for event in EVENTS], "in order once"
    learned.clear()
    lived([*EVENTS[:40], EVENTS[60], *EVENTS[40:60]])
    assert len(learned) == 41 + 20 * 2
