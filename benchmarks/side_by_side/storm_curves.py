"""Curves of a whole topology into Cassandra: partitions, tasks, keys, the size of a batch.

Processor time of all its processes, Kafka's and Cassandra's; rates mean something on an idle
machine alone.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import islice

from benchmarks.contenders.core import Taken, reference
from benchmarks.side_by_side.catalogue import CASSANDRA, Contender
from benchmarks.side_by_side.cores import payments
from benchmarks.side_by_side.decided import take
from benchmarks.side_by_side.growth import fitted
from benchmarks.side_by_side.measures import Bench, Run, backlog
from benchmarks.side_by_side.own_services import own_services
from benchmarks.side_by_side.scale_report import Curve
from stormwatch.adapters import connect
from stormwatch.domains.fraud import Fraud
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Watermarks
from stormwatch.records import StateRow
from stormwatch.settings import Settings
from stormwatch.state.envelope import VERSION, Envelope, EnvelopeCodec

TOPOLOGY = Contender("fraud topology", "topology", into=CASSANDRA)
KEYS = 5_000
IDS = 40
"""Ids that a stored state remembers, 16 bytes each: too old to be those of any payment."""
TOGETHER = 20_000
"""States written in one go."""


def measured(count: int, *, full: bool, only: Sequence[str] = ()) -> list[Curve]:
    """Of `count` records at each point; `only`: of curves whose names begin so."""
    widths = (1, 2, 4, 8, 16) if full else (1, 4, 16)
    keys = (10_000, 100_000, 1_000_000, 10_000_000) if full else (10_000, 100_000)
    with own_services(lambda step, detail: None) as services:
        curve = _Points(services, count).curve
        asked: dict[str, Callable[[], Curve]] = {
            "partitions": lambda: curve("partitions", "partitions", widths, lambda n: {},
                                        partitions=True),
            "tasks": lambda: curve("tasks", "tasks that decide", widths,
                                   lambda n: {"topology.scorers": str(n)}),
            "batches": lambda: curve("batches", "records of a batch at most",
                                     (50, 200, 1_000, 4_000),
                                     lambda n: {"batch.max_records": str(n)}),
            "stored keys": lambda: curve("stored keys", "keys, equally often", keys, lambda n: {},
                                         keys=True),
        }  # fmt: skip
        return [make() for name, make in asked.items() if not only or name.startswith(tuple(only))]


def _stored(settings: Settings, keys: int) -> None:
    """States of so many customers, of the bytes of a busy one's, that change no decision."""
    domain = Fraud.from_settings(settings)
    codec = EnvelopeCodec(domain.state, domain.new_state)
    blob = codec.encode(Envelope(VERSION, 1, [], 0, bytes(16 * IDS), domain.new_state()))
    names = (f"c{nth}" for nth in range(keys))
    with closing(connect.store(settings)) as store:
        while some := list(islice(names, TOGETHER)):
            stripes = ((stripe_of(name, settings.layout_stripes), name) for name in some)
            store.write_states(domain.name, [StateRow(at, name, blob, 1) for at, name in stripes])


class _Points:
    def __init__(self, services: Mapping[str, int], count: int) -> None:
        self._services, self._count, self._nth = services, count, 0

    def curve(
        self, name: str, of: str, xs: Sequence[int], more: Callable[[int], Mapping[str, str]],
        *, partitions: bool = False, keys: bool = False,
    ) -> Curve:  # fmt: skip
        """A run for each x; those that failed are said and left out."""
        found = []
        for x in xs:
            run = self._run(more(x), x if partitions else 16, x if keys else 0)
            print(f"{of} {x:,}: {run.wrong or f'{run.all_us:.0f} µs, {run.rate:,.0f}/s'}",
                  file=sys.stderr, flush=True)  # fmt: skip
            if not run.wrong:
                found.append((x, run.all_us))
        return Curve(name, of, "topology into Cassandra", found, fitted(found))

    def _run(self, more: Mapping[str, str], partitions: int, keys: int) -> Run:
        self._nth += 1
        bench = Bench(self._services, f"{int(time.time()):x}", partitions, more)
        topic = f"curve-{bench.stamp}-{self._nth}"
        taken = self._filled(bench, topic, payments(self._count, keys or KEYS))
        return backlog(
            bench, TOPOLOGY, str(self._nth), topic, taken, reference(taken),
            partial(_stored, keys=keys),
        )  # fmt: skip

    @staticmethod
    def _filled(bench: Bench, topic: str, values: Sequence[bytes]) -> list[Taken]:
        settings = bench.settings("fill", {"topic.transactions": topic}, tables=False)
        with closing(connect.admin(settings)) as admin:
            admin.ensure_topic(topic, bench.partitions, {})
        with closing(connect.sink(settings)) as sink:
            for value in values:
                name = value.partition(b'"customer":"')[2].partition(b'"')[0]
                sink.send(topic, name, value)
            sink.flush(60.0)
        return take(settings, topic, dict.fromkeys(range(bench.partitions), Watermarks(0, 0)))
