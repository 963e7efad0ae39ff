"""What is left of an entity that is forgotten: nothing that is stored, and all of the others."""

from apps.operate.casework import Desk, Who
from apps.operate.forget import forget
from stormwatch.partitioner import stripe_of
from stormwatch.people import OPERATOR, AlertKey
from stormwatch.records import day_of
from tests.models.decided_payments import CUSTOMERS, SETTINGS, T0, Decided

NOW = T0 + 86_400_000
WHO = Who("ann", OPERATOR, "test")


def test_nothing_of_it_is_left_and_everything_of_others() -> None:
    world = Decided()
    desk = Desk(world.store, SETTINGS, lambda: NOW)
    key = AlertKey("C1", T0 + 27_000, "t27")
    desk.comment("fraud", key, WHO, None, "C1 called")
    done = forget(SETTINGS, world.store, "fraud", "C1", WHO, NOW)
    assert (done.states, done.decisions, done.audit, done.running) == (1, 10, 1, False)
    store, stripe = world.store, stripe_of("C1", SETTINGS.layout_stripes)
    assert store.find_state("fraud", stripe, "C1") is None
    assert store.decisions_of("fraud", stripe, "C1", 0, (NOW, ""), 50) == []
    assert store.alerts("fraud", 50) == [] and store.work("fraud", key).version == 0
    indexed = {e.entity for slot in store.decided("fraud", T0, NOW) for e in slot}
    assert indexed == set(CUSTOMERS[1:])
    left = {stored.row.entity for stored in store.all_decisions("fraud")}
    assert left == set(CUSTOMERS[1:]) and len(store.asides("fraud").__next__()) == 4
    rows = store.audit(day_of(NOW), 9)
    assert {row.act for row in rows} == {"alert.comment", "forget"}
    assert not any("C1" in f"{row.target}{row.detail}" for row in rows)
    again = forget(SETTINGS, world.store, "fraud", "C1", WHO, NOW)
    assert again[:4] == (0, 0, 0, 0)


def test_a_running_topology_is_told_and_letters_that_name_it_go() -> None:
    world = Decided()
    world.meter(NOW - 5, 1)
    (letter,) = world.store.asides("fraud")
    assert letter.row.raw is not None
    done = forget(SETTINGS, world.store, "fraud", "note", WHO, NOW)
    assert (done.set_aside, done.running) == (1, True)
    assert forget(SETTINGS, world.store, "fraud", "not", WHO, NOW).set_aside == 0
