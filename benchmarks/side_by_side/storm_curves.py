"""Curves of a whole topology into Cassandra: partitions, tasks, keys, the size of a batch.

Processor time of all its processes, Kafka's and Cassandra's; rates mean something on an idle
machine alone.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from benchmarks.contenders.core import Taken, reference
from benchmarks.side_by_side.catalogue import CASSANDRA, Contender
from benchmarks.side_by_side.cores import payments
from benchmarks.side_by_side.decided import take
from benchmarks.side_by_side.growth import fitted
from benchmarks.side_by_side.measures import Bench, Run, backlog
from benchmarks.side_by_side.own_services import own_services
from benchmarks.side_by_side.scale_report import Curve
from stormwatch.adapters import connect
from stormwatch.ports import Watermarks

TOPOLOGY = Contender("fraud topology", "topology", into=CASSANDRA)
KEYS = 5_000


def measured(count: int, *, full: bool) -> list[Curve]:
    """Of `count` records at each point."""
    with own_services(lambda step, detail: None) as services:
        points = _Points(services, count)
        widths = (1, 2, 4, 8, 16) if full else (1, 4, 16)
        curves = [
            points.curve("partitions", "partitions", widths, lambda n: {}, partitions=True),
            points.curve("tasks", "tasks that decide", widths,
                         lambda n: {"topology.scorers": str(n)}),
            points.curve("batches", "records of a batch at most", (50, 200, 1_000, 4_000),
                         lambda n: {"batch.max_records": str(n)}),
        ]  # fmt: skip
        keys = (1_000, 10_000, 100_000, 1_000_000) if full else (1_000, 100_000)
        return [*curves, points.curve("stored keys", "keys, equally often", keys, lambda n: {},
                                      keys=True)]  # fmt: skip


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
            run = self._run(more(x), x if partitions else 16, x if keys else KEYS)
            print(f"{of} {x:,}: {run.wrong or f'{run.all_us:.0f} µs, {run.rate:,.0f}/s'}",
                  file=sys.stderr, flush=True)  # fmt: skip
            if not run.wrong:
                found.append((x, run.all_us))
        return Curve(name, of, "topology into Cassandra", found, fitted(found))

    def _run(self, more: Mapping[str, str], partitions: int, keys: int) -> Run:
        self._nth += 1
        bench = Bench(self._services, f"{int(time.time()):x}", partitions, more)
        topic = f"curve-{bench.stamp}-{self._nth}"
        taken = self._filled(bench, topic, payments(self._count, keys))
        return backlog(bench, TOPOLOGY, str(self._nth), topic, taken, reference(taken))

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
