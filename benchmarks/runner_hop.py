"""What the runner adds to a tuple's hop, µs of CPU, beside what pystorm itself costs for it.

A bolt that emits and acks, fed by in-memory bytes alone (pystorm's share); then chains of one and
of three such bolts behind a spout in the runner: their difference is two hops.
"""

import io
import json
import tempfile
import time
from contextlib import suppress
from random import Random
from typing import Any, ClassVar

from streamparse import Bolt, Grouping, Spout, Topology

from stormwatch.adapters.clock import RealClock
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.runner import plan
from stormwatch.runner.engine import Engine
from stormwatch.runner.events import Event
from stormwatch.runner.threads import Threads

TUPLES, REPEATS = 5_000, 11
AT_ONCE = 100


class Source(StrictComponent, Spout):
    """Emits TUPLES, some at a time."""

    outputs: ClassVar = ["n", "text"]

    def initialize(self, conf: dict[str, Any], context: dict[str, Any]) -> None:
        self.sent = 0

    def next_tuple(self) -> None:
        for _ in range(min(AT_ONCE, TUPLES - self.sent)):
            self.sent += 1
            self.emit([self.sent, "x" * 100], tup_id=str(self.sent))


class Pass(StrictComponent, Bolt):
    """Emits what came."""

    outputs: ClassVar = ["n", "text"]

    def process(self, tup: Any) -> None:
        self.emit(list(tup.values))


class Chain1(Topology):
    """One hop."""

    source = Source.spec()
    a = Pass.spec(inputs={source: Grouping.SHUFFLE})


class Chain3(Topology):
    """Three hops."""

    source = Source.spec()
    a = Pass.spec(inputs={source: Grouping.SHUFFLE})
    b = Pass.spec(inputs={a: Grouping.SHUFFLE})
    c = Pass.spec(inputs={b: Grouping.SHUFFLE})


def alone() -> float:
    """CPU seconds of pystorm for TUPLES."""
    with tempfile.TemporaryDirectory() as folder:
        context = {"taskid": 1, "componentid": "a", "task->component": {"1": "a"}}
        hello = {"pidDir": folder, "conf": {}, "context": context}
        tuples = [
            {"id": str(n), "comp": "source", "stream": "default", "task": 2,
             "tuple": [n, "x" * 100]}
            for n in range(TUPLES)
        ]  # fmt: skip
        wire = b"".join(json.dumps(m).encode() + b"\nend\n" for m in (hello, *tuples))
        began = time.process_time()
        with suppress(SystemExit):
            Pass(io.BytesIO(wire), io.BytesIO(), rdb_signal=None).run()
        return time.process_time() - began


def through(topology: Any) -> float:
    """CPU seconds of a run of TUPLES."""
    done = 0

    def watch(event: Event) -> None:
        nonlocal done
        done += type(event).__name__ == "Settled"

    read, clock, random = plan.read(topology, "chain"), RealClock(), Random(1)
    engine = Engine(read, Threads(read, clock, random), clock, random, watch=watch)
    engine.start()
    began = time.process_time()
    engine.run(60, lambda: done == TUPLES)
    seconds = time.process_time() - began
    engine.stop()
    return seconds


def main() -> None:
    """The least of REPEATS, taken in turns: what else runs on the machine only adds."""
    runs = [(alone(), through(Chain1), through(Chain3)) for _ in range(REPEATS)]
    bare, one, three = (min(each) / TUPLES * 1e6 for each in zip(*runs, strict=True))
    hop = (three - one) / 2
    print(f"pystorm alone, a tuple      {bare:6.1f} µs")
    print(f"spout and one hop           {one:6.1f} µs")
    print(f"a further hop               {hop:6.1f} µs")
    print(f"the runner adds to a hop    {hop - bare:6.1f} µs")


if __name__ == "__main__":
    main()
