"""Processes that decide a Kinesis stream into a store until they are killed; each goes on where the
store says.

All of a topology but Storm: the spout's reader with its positions, deciding, the commit, the ack.
A stream is read by two tasks and decided by one, as one whose keys are repartitioned.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from stormwatch.adapters import connect
from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink, MemorySource
from stormwatch.codec import Parsed
from stormwatch.errors import InfrastructureError
from stormwatch.ingest import reader as readers
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.in_flight import BATCHES, InFlight
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.partitioner import stripe_of
from stormwatch.ports import AtomicStore, Committed, Source, Store
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from tests.models.forks import serve
from tests.models.kinesis_cluster import FAST
from tests.models.toy import Ping, Toy

decoded = msgspec.json.Decoder(Ping).decode
GROUP, TASKS, STRIPES = "stormwatch", 2, 4
RULES = Rules(BufferLimits(500, 1_000_000, 100_000), 1_000, 180.0, "spout", 60.0)
READ, DECIDED, HALF, COMMITTED, ACKED, NOTED = (
    "read", "decided", "half written", "committed", "acked", "position stored",
)  # fmt: skip
STEPS = (READ, DECIDED, HALF, COMMITTED, ACKED, NOTED)
"""After which a process may die."""
AWAY = os.EX_TEMPFAIL
"""How a process ends that a service did not answer in time, as a component does: it is started
anew."""


@dataclass
class Death:
    """Comes after a step, once so many records are committed; never with an empty step."""

    step: str = ""
    due: int = 0
    done: int = 0

    def meet(self, step: str) -> None:
        """A step was taken."""
        if step == self.step and self.done >= self.due:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Notes:
    """How far each partition is committed, told to whoever waits: a file each."""

    folder: Path
    ends: dict[int, int] = field(default_factory=dict)

    def read(self) -> int:
        """Records that are committed, since offsets of a stream are counted from 0."""
        for each in self.folder.iterdir():
            if (text := each.read_text()).isdigit():
                self.ends[int(each.name)] = int(text)
        return sum(self.ends.values())

    def write(self, fragment: Fragment) -> None:
        end = max(fragment.last + 1, self.ends.get(fragment.partition, 0))
        self.ends[fragment.partition] = end
        (self.folder / str(fragment.partition)).write_text(str(end))


class Nowhere:
    """A sink: what is published is not looked at here."""

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None: ...

    def flush(self, timeout: float) -> None: ...

    def close(self) -> None: ...


def settings_of(store: Settings, url: str) -> Settings:
    """The store's, with the stream's."""
    return replace(
        store, source="kinesis", kinesis_endpoint=url, kinesis_reads_per_s=FAST,
        kafka_group=GROUP, kafka_request_timeout_s=20.0,
    )  # fmt: skip


def mortal(settings: Settings, stream: str, kept: Callable[[], Store], death: Death) -> Source:
    """Kinesis' source that may die when it has stored positions."""
    from stormwatch.adapters.kinesis.source import KinesisSource

    class Mortal(KinesisSource):
        def commit(self, offsets: Mapping[int, Committed], *, wait: bool) -> None:
            super().commit(offsets, wait=wait)
            if offsets:
                death.meet(NOTED)

    kafka = MemoryBroker()
    control = Control(
        "control", lambda: MemoryAdmin(kafka), lambda name: MemorySource(kafka, name),
        lambda: MemorySink(kafka), 5.0,
    )  # fmt: skip
    return Mortal(settings, stream, kept, control)


def decide(
    settings: Settings, stream: str, total: int, notes: Notes, death: Death,
    source: Callable[[Settings, str, Callable[[], Store]], Source],
) -> None:  # fmt: skip
    """Until all records are committed, and their positions."""
    store = connect.store(settings)
    if not isinstance(store, AtomicStore):
        store = _Halved(store, death)
    contract = Contract(Toy(), Policy(10**12, 10**12, 64), "toy")
    score = ScoreStep(
        lambda: contract, StateCache(1 << 24), lambda name: stripe_of(name, STRIPES),
        lambda: store, lambda: 0,
    )  # fmt: skip
    sink = Nowhere()
    commit = StoreStep(
        lambda: store, lambda: sink, Topics("alerts", "aside"), 5.0,
        lambda _: None,
    )  # fmt: skip

    readers.STAGGER_S = 0.0
    tasks = [
        Reader(
            lambda: source(settings, stream, lambda: store), lambda: store,
            Subscription(stream, GROUP, "stop"), RULES, number, TASKS, time.monotonic,
            Random(number),
        )
        for number in range(TASKS)
    ]  # fmt: skip

    def work(item: InFlight) -> None:
        records: Sequence[Record] = item.payload  # type: ignore[assignment]
        events = [(r.offset, r.timestamp, decoded(r.value or b"")) for r in records]
        [outcomes] = score.work_all([(item.fragment, Parsed(events, [], []))])
        death.meet(DECIDED)
        commit.work_all([(item.fragment, outcomes)])
        death.meet(COMMITTED)
        score.finish(item.fragment, Outcome.DONE)
        notes.write(item.fragment)

    while (done := notes.read()) < total:
        death.done = done
        for reader in tasks:
            for item in reader.step():
                death.meet(READ)
                if item.stream == BATCHES:
                    work(item)
                reader.ack(item.tup_id)
                death.meet(ACKED)
    for reader in tasks:
        reader.close()


class _Halved:
    """A store whose decisions are written and whose states are not: the other half of a commit that
    is none."""

    def __init__(self, store: Any, death: Death) -> None:
        self._store, self._death = store, death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write_states(self, *given: Any) -> None:
        self._death.meet(HALF)
        self._store.write_states(*given)


def main(told: str, url: str, stream: str, total: str, folder: str) -> None:
    """Fork a process for each line of the standard input, "step due"; print its pid, and later
    its exit code. All is imported before, and no connection made: a start costs a fork."""
    import ast

    import stormwatch.adapters.kinesis.source

    settings = settings_of(Settings(**ast.literal_eval(told)), url)
    if settings.store == "spanner":
        import stormwatch.adapters.spanner.store
    else:
        import stormwatch.adapters.cassandra.store  # noqa: F401
    import boto3

    boto3.client("kinesis", region_name="us-east-1")  # reads what all clients are made of

    def run(_: int, line: str) -> None:
        step, due = line.strip().rpartition(" ")[::2]
        death = Death(step, int(due or 0))
        try:
            decide(
                settings,
                stream,
                int(total),
                Notes(Path(folder)),
                death,
                partial(mortal, death=death),
            )
        except InfrastructureError as error:
            sys.stderr.write(f"{error}\n")
            os._exit(AWAY)

    serve(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
