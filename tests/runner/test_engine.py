"""The runner keeps Storm's promises: acks, fails, time-outs, restarts, the same run each time."""

import os
import subprocess
import sys
from typing import Any

import pytest
from streamparse import Grouping, Topology

from stormwatch.runner.engine import RunFailed
from stormwatch.runner.events import Died, Event, Faulted
from stormwatch.runner.faults import FITTING, Act, Fault, Point
from stormwatch.runner.javahash import java_hash, list_hash
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
