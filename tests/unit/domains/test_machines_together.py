"""A batch of readings is advanced together, to the bits to which they come one by one."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.records import Fragment, Outcomes
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Advanced
from stormwatch.state.processor import Contract, Policy
from tests.models.troubled import troubled

DOMAIN = Maintenance.load()
NEVER_LATE = 4_102_444_800_000


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
