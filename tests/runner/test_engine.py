"""The runner keeps Storm's promises: acks, fails, time-outs, restarts, the same run each time."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from streamparse import Grouping, Topology

from stormwatch.errors import SettingsError, TopicError
from stormwatch.runner.engine import RunFailed
from stormwatch.runner.events import Died, Event, Faulted
from stormwatch.runner.faults import FITTING, Act, Fault, Point
from stormwatch.runner.javahash import java_hash, list_hash
from stormwatch.runner.multilang import END, decode, encode
from tests.runner.shapes import Collect, Numbers, Seen, engine, run_until


def fresh(spout: type = Numbers, bolt: type = Collect) -> tuple[type, type, Seen]:
    seen: Seen = []
    return (
        type(spout.__name__, (spout,), {"seen": seen}),
        type(bolt.__name__, (bolt,), {"seen": seen, "failed": set()}),
        seen,
    )


def test_what_fails_comes_again_and_all_is_acked() -> None:
    spout, bolt, seen = fresh()

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs={numbers: Grouping.SHUFFLE}, par=2)

    made = engine(Two)
    run_until(made, lambda: sum(s[0] == "acked" for s in seen) == 10)
    assert sorted(int(s[1]) for s in seen if s[0] == "acked") == list(range(1, 11))
    assert [s[1] for s in seen if s[0] == "failed"] == ["5", "10"]
    assert made.acker.pending() == 0


def test_a_component_that_raises_is_started_again_and_its_tuples_come_again() -> None:
    class Dies(Collect):
        def process(self, tup: Any) -> None:
            if tup.values.n == 3 and 3 not in self.failed:
                self.failed.add(3)
                raise ValueError("three is too many")
            super().process(tup)

    spout, bolt, seen = fresh(bolt=Dies)
    events: list[Event] = []

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs=[numbers])

    made = engine(Two, watch=events.append)
    run_until(made, lambda: sum(s[0] == "acked" for s in seen) == 10)
    (died,) = [event for event in events if isinstance(event, Died)]
    assert died.component == "collect" and died.again
    assert "ValueError: three is too many" in died.why


def test_one_that_always_dies_ends_the_run_with_its_traceback() -> None:
    class Never(Collect):
        def initialize(self, conf: dict[str, Any], context: dict[str, Any]) -> None:
            raise ValueError("boom in initialize")

    spout, bolt, _ = fresh(bolt=Never)

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs=[numbers])

    with pytest.raises(RunFailed, match=r"(?s)collect died, the last of 4 .*boom in initialize"):
        run_until(engine(Two), lambda: False)


@pytest.mark.parametrize("kind", [TopicError, SettingsError])
def test_what_only_a_person_can_mend_ends_the_run_at_once_with_its_sentence(kind: type) -> None:
    class Full(Numbers):
        def next_tuple(self) -> None:
            raise kind("all numbers are given out. Continue with another keyspace.")

    spout, bolt, _ = fresh(spout=Full)

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs=[numbers])

    events: list[Event] = []
    made = engine(Two)
    made.watch = events.append
    with pytest.raises(RunFailed) as ended:
        run_until(made, lambda: False)
    sentence = "all numbers are given out. Continue with another keyspace."
    assert str(ended.value) == f"numbers cannot go on: {sentence}"
    (died,) = [event for event in events if isinstance(event, Died)]
    assert (died.why, died.again) == (sentence, False)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"stream": "nowhere"}, "Unknown stream ID: nowhere"),
        ({"tup": [1, 2]}, "Expected 1 fields but got 2 fields"),
    ],
)
def test_what_storm_refuses_ends_the_component(message: dict[str, Any], said: str) -> None:
    class Wrong(Collect):
        def process(self, tup: Any) -> None:
            self.emit(**({"tup": [1]} | message))

    spout, bolt, _ = fresh(bolt=Wrong)
    _, other, _ = fresh()

    class Three(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs=[numbers])
        reads = other.spec(inputs=[collect])  # what nobody reads, Storm does not count

    with pytest.raises(RunFailed, match=said):
        run_until(engine(Three), lambda: False)


def test_without_message_timeouts_a_held_tuple_stays_pending() -> None:
    class Holds(Collect):
        def process(self, tup: Any) -> None:
            pass

    def timed_out(config: dict[str, Any]) -> bool:
        spout, bolt, seen = fresh(bolt=Holds)

        class Two(Topology):
            numbers = spout.spec()
            holds = bolt.spec(inputs=[numbers])

        run_until(engine(Two, config=config), lambda: False, seconds=30)
        return bool(seen)

    assert timed_out({})
    assert not timed_out({"topology.enable.message.timeouts": False})


def test_an_ack_after_a_fail_ends_the_component() -> None:
    """streamparse's default `auto_ack` with a `fail` of one's own: a worker dies of it."""

    class Both(Collect):
        auto_ack = True

    spout, bolt, _ = fresh(bolt=Both)

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs=[numbers])

    with pytest.raises(RunFailed, match="non-existent or already acked/failed id"):
        run_until(engine(Two), lambda: False)


@pytest.mark.parametrize(
    "write",
    [
        lambda: sys.stdout.write("out of place\n"),
        lambda: subprocess.run(["echo", "out of place"], check=True),
        lambda: os.system("echo out of place"),
        lambda: os.write(1, b"out of place\n"),
    ],
)
def test_a_plain_component_that_writes_to_stdout_ends_as_it_does_under_storm(write: Any) -> None:
    """It is met here, not on the cluster first; the terminal's stdout is given back."""

    class Prints(Collect):
        def process(self, tup: Any) -> None:
            write()
            super().process(tup)

    class Guarded(Prints):
        stdout_is_free = True

    def run(bolt: type) -> Seen:
        spout, bolt, seen = fresh(bolt=bolt)

        class Two(Topology):
            numbers = spout.spec()
            collect = bolt.spec(inputs=[numbers])

        run_until(engine(Two), lambda: sum(s[0] == "acked" for s in seen) == 10)
        return seen

    before = sys.stdout, os.fstat(1)
    with pytest.raises(RunFailed, match=r"(?s)JSON is malformed.*its pipe to Storm.*out of place"):
        run(Prints)
    assert (sys.stdout, os.fstat(1)) == before
    assert sum(s[0] == "acked" for s in run(Guarded)) == 10


ACTS = [(point, act) for point in Point for act in Act if act in FITTING[point]]


@pytest.mark.parametrize(("point", "act"), ACTS)
def test_whatever_fault_in_the_end_all_is_acked(point: Point, act: Act) -> None:
    spout, bolt, seen = fresh()
    events: list[Event] = []

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs=[numbers])

    name = "numbers" if point is Point.TOLD else "collect"
    made = engine(Two, faults=[Fault(point, name, 4, act)], watch=events.append)
    run_until(made, lambda: len({s for s in seen if s[0] == "acked"}) == 10, seconds=60)
    assert [event for event in events if isinstance(event, Faulted)]
    lost = point is Point.TOLD and act is Act.DROP
    acked = {int(s[1]) for s in seen if s[0] == "acked"}
    assert acked == set(range(1, 11)) or (lost and len(acked) == 9)


def test_a_fault_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="reorder does not fit ack"):
        Fault(Point.ACK, "collect", 1, Act.REORDER)


def test_java_hashes() -> None:
    """As Java gives them: String, Integer, Long, Double, null, List."""
    assert java_hash("Aa") == java_hash("BB") == 2112
    assert java_hash(-1) == -1
    assert java_hash(2**31) == -(2**31)
    assert java_hash(0.5) == 1071644672
    assert java_hash(None) == 0
    assert list_hash(["a", 2]) == 31 * (31 + 97) + 2


# What Storm 2.8.3's JSON reader makes of a number: `Arrays.deepHashCode([it])`, and how a bolt is
# sent it.
NUMBERS = [
    (
        "-10000000000000000000000000000000000000000",
        -450886854,
        "-10000000000000000000000000000000000000000",
    ),
    ("-1180591620717411303424", -61473, "-1180591620717411303424"),
    ("-9223372036854775809", -2147483618, "-9223372036854775809"),
    ("1000000000000000000000000000000", 1319562425, "1000000000000000000000000000000"),
    ("11400714819323198485", -1476249189, "11400714819323198485"),
    ("1180591620717411303424", 61535, "1180591620717411303424"),
    ("13425143956896825201", 821540804, "13425143956896825201"),
    ("14029467366897019727", -1149762351, "14029467366897019727"),
    ("18446744073709551615", -1, "18446744073709551615"),
    ("18446744073709551616", 992, "18446744073709551616"),
    ("9223372036854775808", -2147483617, "9223372036854775808"),
    ("-2147483649", -2147483617, "-2147483649"),
    ("-9223372036854775808", -2147483617, "-9223372036854775808"),
    ("2147483648", -2147483617, "2147483648"),
    ("9223372036854775807", -2147483617, "9223372036854775807"),
    ("-1", 30, "-1"),
    ("-2147483648", -2147483617, "-2147483648"),
    ("0", 31, "0"),
    ("1", 32, "1"),
    ("2147483647", -2147483618, "2147483647"),
    ("0.1168771709658385", -1253086328, "0.1168771709658385"),
    ("1e+17", -961637258, "1.0E17"),
    ("8376343621.065956", -2052179324, "8.376343621065956E9"),
    ("6642730463975096.0", 1989365598, "6.642730463975096E15"),
    ("-5.22162e-318", -2146426749, "-5.22162E-318"),
    ("0.468157", -121317108, "0.468157"),
    ("0.076914", -181832730, "0.076914"),
    ("0.9650230897118961", 631812335, "0.9650230897118961"),
    ("6542009748163763.0", 337588606, "6.542009748163763E15"),
    ("0.8467692670721154", -482231164, "0.8467692670721154"),
    ("-0.0", -2147483617, "-0.0"),
    ("1e+22", 1120740732, "1.0E22"),
    ("1e-05", -1241018269, "1.0E-5"),
    ("5e-324", 32, "4.9E-324"),
    ("-1.8944603756411804e+16", 581987127, "-18944603756411804"),
    ("-3.0583416632128116e+16", 1886996895, "-30583416632128116"),
    ("-5.9281439328679784e+16", -140338144, "-59281439328679784"),
    ("1.2083913532923948e+16", -141293708, "12083913532923948"),
    ("0.00009451140307290695", 15723983, "0.00009451140307290695"),
    ("0.00008626905796091566", 1529140581, "0.00008626905796091566"),
    ("0.00006890619680392684", 1009868802, "0.00006890619680392684"),
    ("0.00003937935041943441", -1416834423, "0.00003937935041943441"),
    ("0.00009506624999421831", -1543662203, "0.00009506624999421831"),
    ("-2.201741963606026e-123", -299064581, "-2.201741963606026E-123"),
    ("9.880291979058405e-231", 2082479714, "9.880291979058405E-231"),
    ("3.789621384428159e-279", -997330807, "3.789621384428159E-279"),
    ("4.295660282576745e-267", 118619537, "4.295660282576745E-267"),
    ("-1.2888595841727112e+132", 1263646231, "-1.2888595841727112E+132"),
    ("8.222850102084178e+16", 1582440943, "8.222850102084178E+16"),
    ("3.805457892634022e+213", -1181207362, "3.805457892634022E+213"),
    ("-2.8430156308041354e-294", 666072652, "-2.8430156308041354E-294"),
    ("-9.570205114784861e+21", -79847415, "-9.570205114784861E+21"),
    ("-0.3852541903674487", -1485709015, "-0.3852541903674487"),
    ("-4.251936097204529e-186", 908758044, "-4.251936097204529E-186"),
    ("1.000000000000000000", 1571411492, "1.000000000000000000"),
    ("12345678901234567890.0", 1337890791, "12345678901234567890.0"),
]


@pytest.mark.parametrize(("sent", "code", "received"), NUMBERS)
def test_a_number_has_the_hash_and_the_form_that_storm_gives_it(
    sent: str, code: int, received: str
) -> None:
    """Integer, Long, BigInteger, Double or BigDecimal: by what was sent, not by what Python has."""
    said = decode(b'{"command":"emit","tuple":[%s]}' % sent.encode())
    assert list_hash(said.values) == code
    (value,) = json.loads(encode(said.values).removesuffix(END))
    assert repr(value) == repr(json.loads(received))


IDS = [
    "x", "", 7, 0, -1, 1.5, 0.1 + 0.2, True, False, [1, "a"], [], {"k": [1, None]}, {},
    12345678901234567890, 1e300,
]  # fmt: skip


def test_message_ids_of_any_json_are_told_back_equal() -> None:
    class Odd(Numbers):
        def initialize(self, conf: dict[str, Any], context: dict[str, Any]) -> None:
            self.todo = list(enumerate(IDS, 1))

        def next_tuple(self) -> None:
            if self.todo:
                n, tup_id = self.todo.pop(0)
                self.emit([n], tup_id=tup_id)

        def fail(self, tup_id: Any) -> None:
            self.seen.append(("failed", tup_id))

    spout, bolt, seen = fresh(spout=Odd)

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs=[numbers])

    def told() -> list[Any]:
        return [what[1] for what in seen if what[0] in ("acked", "failed")]

    run_until(engine(Two), lambda: len(told()) == len(IDS))
    assert sorted(map(repr, told())) == sorted(map(repr, IDS))
    assert [what[1] for what in seen if what[0] == "failed"] == [IDS[4], IDS[9], IDS[14]]


def test_a_seed_gives_the_same_run() -> None:
    def told(seed: int) -> list[Event]:
        spout, bolt, _ = fresh()
        events: list[Event] = []

        class Two(Topology):
            numbers = spout.spec()
            collect = bolt.spec(inputs=[numbers], par=3)

        run_until(engine(Two, seed=seed, watch=events.append), lambda: False, seconds=5)
        return events

    assert told(3) == told(3)
    assert told(3) != told(4)
