"""`state reset`: an entity starts afresh, and stays so, whatever its state was."""

import pytest

from apps.operate.state import reset
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.errors import SettingsError, StateError
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment, StateRow
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy
from tests.models.toy import Ping, Toy

NOW = 1_000_000
SETTINGS = Settings()
STRIPE = stripe_of("ann", SETTINGS.layout_stripes)


class World:
    """Ann's records, decided one by one by a process that keeps nothing."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.contract = Contract(Toy(), Policy(1000, 1000, 9), "decide")
        self.offset = 0

    def take(self, name: str, time: int, value: int = 1) -> str:
        blob = self.store.load_states("toy", {STRIPE: ["ann"]}).get("ann", b"")
        at, self.offset = self.offset, self.offset + 1
        parsed = Parsed([(at, 0, Ping(name, "ann", time, value))], [], [])
        made = self.contract.apply(
            Fragment("t", 0, 33, at, at, 1, 0), parsed, {"ann": Entry(STRIPE, blob)}, 0
        )
        self.store.write_outcomes(made)
        self.store.write_states("toy", made.states)
        (end,) = made.ledger.bitmaps
        return str(end)

    def reset(self, **how: bool) -> None:
        reset(self.store, SETTINGS, "toy", "ann", NOW, **{"deleted": False, **how})


def test_one_record_dated_far_ahead_no_longer_makes_all_others_late() -> None:
    world = World()
    assert [world.take("a", NOW), world.take("ahead", NOW + 10**10)] == ["scored"] * 2
    assert world.take("b", NOW + 1) == "late"
    world.reset()
    assert [world.take("c", NOW + 2), world.take("b", NOW + 1)] == ["scored"] * 2, "a redrive, too"
    assert [world.take("c", NOW + 2), world.take("ahead", NOW + 10**10)] == ["duplicate"] * 2


def test_a_state_that_cannot_be_read_is_one_that_can() -> None:
    world = World()
    assert world.take("a", NOW) == "scored"
    row = world.store.find_state("toy", STRIPE, "ann")
    assert row is not None
    world.store.write_states("toy", [StateRow(STRIPE, "ann", b"of another time", row.stamp + 1)])
    with pytest.raises(StateError, match="stormwatch state reset"):
        world.take("b", NOW)
    world.reset()
    assert [world.take("c", NOW + 2), world.take("c", NOW + 2)] == ["scored", "duplicate"]


def test_one_that_is_not_there_is_not_made_by_a_slip_of_the_pen() -> None:
    world = World()
    with pytest.raises(SettingsError, match="no state of 'ann'.*add --deleted"):
        world.reset()
    world.reset(deleted=True)
    row = world.store.find_state("toy", STRIPE, "ann")
    assert row is not None and row.stamp == NOW * 1000
    assert world.take("a", NOW) == "scored"
    row = world.store.find_state("toy", STRIPE, "ann")
    assert row is not None and row.stamp > NOW * 1000, "above what was deleted until then"
