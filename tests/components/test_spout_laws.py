"""Every spout of src/spouts keeps every law, unasked; and each law can be broken."""

import time
from typing import Any, ClassVar

import pytest
from streamparse import Spout

import spouts
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.adapters.storm.resources import Connections, Meter
from stormwatch.settings import Settings
from stormwatch.testing import SPOUT_LAWS, LawBroken, assert_spout_laws
from stormwatch.testing.laws import SpoutCase
from tests.components.discovery import discovered

SPOUTS = discovered(spouts, Spout)


def test_the_discovery_sees_spouts_and_leaves_the_base_out() -> None:
    names = {spout.__name__ for spout in SPOUTS}
    assert {"TransactionSpout", "ReadingSpout", "PostSpout", "BehaviourSpout"} <= names
    assert "KafkaBatchSpout" not in names


@pytest.mark.parametrize("law", SPOUT_LAWS)
@pytest.mark.parametrize("spout", SPOUTS, ids=lambda spout: spout.__name__)
def test_every_spout_keeps_every_law(spout: type, law: str) -> None:
    SPOUT_LAWS[law](SpoutCase(spout))


class Honest(StrictComponent, Spout):
    """Keeps every law; each of the following breaks one."""

    outputs: ClassVar[Any] = ["n"]
    most = 10

    def initialize(self, conf: Any, context: Any) -> None:
        self.waiting = list(range(500))
        self.flight: dict[str, int] = {}

    def next_tuple(self) -> None:
        if self.waiting and len(self.flight) < self.most:
            n = self.waiting.pop(0)
            self.flight[str(n)] = n
            self.say(n)

    def say(self, n: int) -> None:
        self.emit([n], tup_id=str(n))

    def ack(self, tup_id: str) -> None:
        self.flight.pop(tup_id, None)

    def fail(self, tup_id: str) -> None:
        if tup_id in self.flight:
            self.waiting.insert(0, self.flight.pop(tup_id))


class SyncsTwice(Honest):
    def ack(self, tup_id: str) -> None:
        super().ack(tup_id)
        self.send_message({"command": "sync"})


class DiesWithoutStore(Honest):
    def initialize(self, conf: Any, context: Any) -> None:
        super().initialize(conf, context)
        self.connections = Connections(Settings(), Meter("t", "c", 1))

    def next_tuple(self) -> None:
        self.connections.store().load_states("toy", {0: ["a"]})
        super().next_tuple()


class Trusting(Honest):
    def ack(self, tup_id: str) -> None:
        del self.flight[tup_id]


class Undeclared(Honest):
    def say(self, n: int) -> None:
        self.emit([n], tup_id=str(n), stream="elsewhere")


class TooMany(Honest):
    def say(self, n: int) -> None:
        self.emit([n, n], tup_id=str(n))


class Nameless(Honest):
    def say(self, n: int) -> None:
        self.emit([n])


class Sleeper(Honest):
    def next_tuple(self) -> None:
        time.sleep(0.15)
        super().next_tuple()


class SlowStarter(Honest):
    def initialize(self, conf: Any, context: Any) -> None:
        super().initialize(conf, context)
        time.sleep(0.15)


class Flood(Honest):
    most = 1000


class Forgets(Honest):
    def fail(self, tup_id: str) -> None:
        self.flight.pop(tup_id, None)


class GivesUp(Honest):
    """As streamparse's ReliableSpout does after some fails."""

    failed = False

    def fail(self, tup_id: str) -> None:
        if not self.failed:
            super().fail(tup_id)
        self.failed = True


class Renews(Honest):
    def fail(self, tup_id: str) -> None:
        if tup_id in self.flight:
            self.waiting.insert(0, self.flight.pop(tup_id) + 1000)


class Mute(Honest):
    def next_tuple(self) -> None:
        """Nothing, ever."""


class Printer(Honest):
    def fail(self, tup_id: str) -> None:
        print("hello")  # noqa: T201
        super().fail(tup_id)


BROKEN = [
    (SyncsTwice, "answers_each_command_once", "answered 'ack' with 2 syncs"),
    (DiesWithoutStore, "answers_each_command_once", "ended by itself while Kafka.* are down"),
    (Trusting, "survives_unknown_ids", "after an ack or a fail of an id it never gave.*KeyError"),
    (Undeclared, "emits_what_it_declares", "stream 'elsewhere', which it does not declare"),
    (TooMany, "emits_what_it_declares", "emits 2 values on 'default', which has 1 fields"),
    (Nameless, "emits_what_it_declares", "without an id"),
    (Sleeper, "answers_while_idle", "held the protocol's thread for 0.[12]"),
    (SlowStarter, "answers_while_idle", "held the protocol's thread for 0.[12]"),
    (Flood, "bounds_what_is_pending", "has 101 tuples in flight .*allowed: 100"),
    (Forgets, "fail_means_the_same_again", "the same again within 0.1 s of its fail number 1"),
    (GivesUp, "fail_means_the_same_again", "the same again within 0.1 s of its fail number 2"),
    (Renews, "fail_means_the_same_again", "did not emit the same again"),
    (Mute, "fail_means_the_same_again", "emitted nothing that could fail"),
    (Printer, "never_writes_to_stdout", "wrote to stdout: b'hello"),
]


def test_an_honest_spout_keeps_them_all() -> None:
    assert_spout_laws(Honest)


@pytest.mark.parametrize(("spout", "law", "told"), BROKEN, ids=lambda v: getattr(v, "__name__", ""))
def test_each_law_can_be_broken_and_says_what_it_costs(spout: type, law: str, told: str) -> None:
    with pytest.raises(LawBroken, match=f"(?s){told}.*At run time: .*To fix it: "):
        SPOUT_LAWS[law](SpoutCase(spout, patience_s=0.1))


def test_the_bound_of_storm_is_one_and_another_can_be_asked_for() -> None:
    SPOUT_LAWS["bounds_what_is_pending"](SpoutCase(Flood, conf={"topology.max.spout.pending": 5}))
    with pytest.raises(LawBroken, match="has 8 tuples in flight"):
        SPOUT_LAWS["bounds_what_is_pending"](SpoutCase(Honest, pending=7))
