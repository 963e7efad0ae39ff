"""A batch of readings is advanced together, to the bits to which they come one by one."""

import random
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec
import pytest

from apps.data.generate.readings import HOUR, readings
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.records import Fragment, Outcomes
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Advanced
from stormwatch.state.processor import Contract, Policy

DOMAIN = Maintenance.load()
NEVER_LATE = 4_102_444_800_000
HAPPENED = ("maintenance", "overhaul", "failure", "check")


def troubled(seed: int, count: int) -> list[Reading]:
    """Of eight units: sensors at fault, gone and stuck, other conditions and types, late readings,
    readings out of order, counters that begin again, and events."""
    draw = random.Random(seed)
    at_fault: dict[str, tuple[str, float]] = {}
    made = []
    for one in islice(readings(seed, units=8), count):
        event = DOMAIN.parse(one.value, NEVER_LATE)
        assert isinstance(event, Reading)
        sensors = dict(event.sensors)
        if draw.random() < 0.03:
            at_fault[event.unit] = draw.choice(["T24", "P30", "Nf"]), draw.choice([0.0, 0.5, 1.03])
        name, factor = at_fault.get(event.unit, ("T24", 1.0))
        sensors[name] *= factor if draw.random() < 0.8 else 1.0
        if draw.random() < 0.05:
            sensors[draw.choice(["T30", "W31"])] = draw.choice([-9999.0, 500.0])
        for gone in draw.sample(sorted(sensors), draw.choice([0] * 9 + [1, 5])):
            del sensors[gone]
        changed: dict[str, Any] = {"sensors": sensors}
        for share, field, value in (
            (0.02, "settings", (35.0, 0.84, 60.0)), (0.005, "settings", ()), (0.01, "cycle", 1),
            (0.02, "time", event.time + draw.randint(-30, 30) * HOUR),
            (0.01, "event", UnitEvent(draw.choice(HAPPENED))), (0.01, "equipment", "turbofan"),
            (0.005, "event", UnitEvent("sensor_replaced", "T24")), (0.01, "equipment", "any"),
        ):  # fmt: skip
            if draw.random() < share:
                changed[field] = value
        made.append(msgspec.structs.replace(event, **changed))
    for at in range(count - 30):
        if draw.random() < 0.03:
            other = at + draw.randint(1, 29)
            made[at], made[other] = made[other], made[at]
    return made


@pytest.mark.parametrize("seed", [1, 2])
def test_together_or_one_by_one_the_features_carries_and_states_are_the_same(seed: int) -> None:
    draw, events = random.Random(seed), troubled(seed, 700)
    alone, together = ({event.unit: UnitState() for event in events} for _ in "12")
    while events:
        batch = [events.pop(0) for _ in range(min(len(events), draw.choice([1, 5, 40, 200])))]
        made = DOMAIN.advance_all([together[event.unit] for event in batch], batch)
        assert repr(made) == repr([DOMAIN.advance(alone[event.unit], event) for event in batch])
        assert msgspec.msgpack.encode(together) == msgspec.msgpack.encode(alone)


def decided(domain: Maintenance, events: list[Reading]) -> Outcomes:
    """By the contract, as one batch of units never seen."""
    parsed = Parsed([(at, NEVER_LATE, event) for at, event in enumerate(events)], [], [])
    fragment = Fragment("readings", 0, 1, 0, len(events) - 1, 1, 0)
    states = {event.unit: Entry(0, b"") for event in events}
    return Contract(domain, Policy.of(Settings()), "t").apply(fragment, parsed, states, NEVER_LATE)


class Breaks(Maintenance):
    """A domain that a reading of the number -1 raises in."""

    def advance(self, state: UnitState, event: Reading) -> Advanced:
        return super().advance(state, event) if event.cycle != -1 else 1 / 0  # type: ignore[return-value]

    def advance_all(self, states: Sequence[UnitState], events: Sequence[Reading]) -> list[Advanced]:
        return [self.advance(*each) for each in zip(states, events, strict=True)]


def test_a_record_that_raises_is_set_aside_and_the_others_are_decided_as_without_it() -> None:
    events = troubled(3, 60)
    plain = decided(DOMAIN, events)
    bad = msgspec.structs.replace(events[9], id="bad", cycle=-1, event=None)
    found = decided(Breaks.load(), [*events, bad])
    assert [(row.offset, row.code) for row in found.aside[len(plain.aside) :]] == [
        (60, "ZeroDivisionError")
    ]
    assert found.decisions == plain.decisions
