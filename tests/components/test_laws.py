"""Every bolt of src/bolts keeps every law, unasked; and each law can be broken."""

import time
from typing import Any, ClassVar

import msgspec
import pytest
from streamparse import Bolt, Stream

import bolts
from bolts.base import BatchBolt
from bolts.stateful import StatefulBolt
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.codec import BATCH_FIELDS, Parsed
from stormwatch.domains.fraud.event import Transaction
from stormwatch.state.judge import Verdict
from stormwatch.testing import LAWS, LawBroken, assert_laws, tup
from stormwatch.testing.laws import Case
from tests import corpus
from tests.components.discovery import discovered

CORPUS = [case.value for case in [*corpus.cases("transactions"), *corpus.cases("readings")]]


BOLTS = discovered(bolts, Bolt)


def test_the_discovery_sees_bolts_and_leaves_bases_out() -> None:
    names = {bolt.__name__ for bolt in BOLTS}
    assert {"FraudBolt", "ParseReadings", "RejectTransactions", "ScoreReadings"} <= names
    assert not names & {"BatchBolt", "ChainBolt", "ParseBolt", "RejectBolt"}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("bolt", BOLTS, ids=lambda bolt: bolt.__name__)
def test_every_bolt_keeps_every_law(bolt: type, law: str) -> None:
    LAWS[law](Case(bolt, corpus=CORPUS))


class Honest(BatchBolt):
    """Keeps every law; each of the following breaks one."""

    payload = Parsed[Transaction]
    outputs: ClassVar[Any] = [Stream(list(BATCH_FIELDS))]

    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        self.send("default", fragment, payload, tup)


class AcksTwice(Honest):
    auto_ack = True


class Silent(Honest):
    def process(self, tup: Any) -> None:
        """Neither ack nor fail."""


class Untold(Honest):
    """Storm keeps each tick until it is acked."""

    def process_tick(self, tup: Any) -> None:
        """Neither ack nor fail."""


class Undeclared(Honest):
    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        self.send("elsewhere", fragment, payload, tup)


class TooFew(Honest):
    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        self.emit([1], anchors=[tup])


class Unanchored(Honest):
    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        self.emit(list(tup.values))


class Fragile(Honest):
    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        for _, _, event in payload.events:
            1 / event.amount if event.amount <= 0 else None


class Counting(Honest):
    """Keeps a count in the process and stores it: a replay counts again."""

    seen = 0

    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        self.seen += len(payload.events)
        self.connections.sink().send("totals", b"all", str(self.seen).encode())


class CountingOn(Honest):
    """The same, emitted."""

    seen = 0

    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        self.seen += 1
        self.emit([self.seen, *tup.values[1:]], anchors=[tup])


class Hoarder(Honest):
    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        self.__dict__.setdefault("kept", set()).update(e.id for _, _, e in payload.events)


class Diary(msgspec.Struct, array_like=True):
    """A state that only grows."""

    seen: list[int] = []


class Diarist(StatefulBolt):
    payload = Parsed[Transaction]
    outputs: ClassVar[Any] = []
    domain = "diary"
    state = Diary

    @staticmethod
    def judge(state: Diary, event: Transaction) -> Verdict:
        state.seen.append(event.time)
        return Verdict("ok", 0.0)


class Sleeper(Honest):
    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        time.sleep(0.15)


class LateStarter(Honest):
    def initialize(self, conf: Any, ctx: Any) -> None:
        super().initialize(conf, ctx)
        time.sleep(0.15)


class Printer(Honest):
    def handle(self, fragment: Any, payload: Any, tup: Any) -> None:
        print("hello")  # noqa: T201


BROKEN = [
    (AcksTwice, "acks_or_fails_once", "more than once: 1, 2"),
    (Silent, "acks_or_fails_once", "neither acked nor failed the tuples 1, 2"),
    (Untold, "acks_or_fails_once", "neither acked nor failed the tuples tick"),
    (Undeclared, "emits_what_it_declares", "stream 'elsewhere', which it does not declare"),
    (TooFew, "emits_what_it_declares", "emits 1 values on 'default', which has .* fields"),
    (Unanchored, "emits_what_it_declares", "without an anchor"),
    (Fragile, "survives_bad_records", "ZeroDivisionError"),
    (Counting, "replay_has_no_second_effect", "another effect on kafka"),
    (CountingOn, "replay_has_no_second_effect", "emits something else"),
    (Hoarder, "memory_is_bounded", "kept .* bytes that it read"),
    (Diarist, "state_is_bounded", "keeps more of a key with each event of it"),
    (Sleeper, "answers_heartbeats", "held the protocol's thread for 0.[12]"),
    (LateStarter, "answers_heartbeats", "held the protocol's thread for 0.[12]"),
    (Printer, "never_writes_to_stdout", "wrote to stdout: b'hello"),
]


def test_an_honest_bolt_keeps_them_all() -> None:
    assert_laws(Honest)


@pytest.mark.parametrize(("bolt", "law", "told"), BROKEN, ids=lambda v: getattr(v, "__name__", ""))
def test_each_law_can_be_broken_and_says_what_it_costs(bolt: type, law: str, told: str) -> None:
    with pytest.raises(LawBroken, match=f"(?s){told}.*At run time: .*To fix it: "):
        LAWS[law](Case(bolt, patience_s=0.1))
    others = {name for name in LAWS if name not in (law, "answers_heartbeats")}
    if bolt in (LateStarter, Printer, Hoarder, Diarist):  # the fault is that law's alone
        for name in others:
            LAWS[name](Case(bolt))


def test_a_bolt_without_a_payload_type_is_held_to_its_laws_by_tuples() -> None:
    with pytest.raises(TypeError, match="pass inputs="):
        assert_laws(Plain)
    assert_laws(Plain, inputs=[tup("a"), tup("b")])


class Plain(StrictComponent, Bolt):
    """Not of this project's base."""

    outputs: ClassVar[Any] = ["word"]

    def process(self, tup: Any) -> None:
        self.emit([tup.values[0].upper()])
