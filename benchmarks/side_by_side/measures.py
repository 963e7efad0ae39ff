"""One run of one contender: over a backlog, or at a pace with a restart after it."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from apps.local.run.prepare import ensure_tables, ensure_topics
from benchmarks.contenders.core import Taken, differing
from benchmarks.engine_sink import TOPIC as ENGINES
from benchmarks.side_by_side.catalogue import CASSANDRA, KAFKA, Contender
from benchmarks.side_by_side.decided import Output, Place, take, times_of
from benchmarks.side_by_side.meter import OWN, Meter
from benchmarks.side_by_side.own_services import ROOT
from benchmarks.side_by_side.running import NotInstalledError, Running
from stormwatch.adapters import connect
from stormwatch.ports import Watermarks
from stormwatch.settings import Settings, load, variable

START_S, QUIET_S = 300.0, 90.0
"""Until the first decision, which on a busy machine takes a JVM long; between two."""
SETTLE_S = 2.0
AHEAD_S = 0.005
"""How much of a paced stream is sent at once."""
LEVELS = (0.1, 0.5, 0.8)
DRAIN_S = 30.0


class Run(msgspec.Struct, frozen=True):
    """What one run over a backlog gave."""

    rate: float = 0.0  # records/s
    cpu_us: Mapping[str, float] = {}  # of processor time a record, by process
    mb: float = 0.0  # resident, of its own processes, at most
    first_s: float = 0.0  # from its start to its first decision
    wrong: str = ""  # what is wrong with its decisions, or why there are none
    services_mb: float = 0.0
    turn: str = ""  # the round that it is of

    @property
    def all_us(self) -> float:
        """Of all its processes and those of the services that it uses."""
        return sum(self.cpu_us.values())


class Paced(msgspec.Struct, frozen=True):
    """Latency at a share of its own capacity, ms."""

    level: float
    rate: float  # records/s that came
    p50: float
    p95: float
    p99: float
    most: float
    cpu_us: float  # a record, of its own processes


class Latency(msgspec.Struct, frozen=True):
    """What one run at several paces gave."""

    paced: Sequence[Paced] = ()
    restart_s: float = 0.0  # from the death of its processes to a decision on what came afterwards
    wrong: str = ""


class Bench(NamedTuple):
    """What all runs of a session share."""

    services: Mapping[str, int]  # name -> pid
    stamp: str
    partitions: int = 4
    more: Mapping[str, str] = {}
    """Settings of every run."""

    def settings(self, name: str, topics: Mapping[str, str], *, tables: bool = True) -> Settings:
        """Of a run of that name: with a group and, if asked for, tables of its own."""
        own = {
            "topic.labels": "", "topology.terminals": "0", "kafka.group": f"g{self.stamp}_{name}",
            "cassandra.keyspace": f"k{self.stamp}_{name}", "kafka.partitions": str(self.partitions),
            **topics, **self.more,
        }  # fmt: skip
        environ = {**os.environ, **{variable(key): value for key, value in own.items()}}
        settings = load(environ, root=ROOT)
        if tables:
            with closing(connect.admin(settings)) as admin:
                ensure_topics(settings, admin, lambda *_: None)
            ensure_tables(settings, ROOT, lambda *_: None)
        return settings


TOPIC_OF = {"fraud": "topic.transactions", "maintenance": "topic.readings"}


def _out(contender: Contender, name: str, stamp: str, settings: Settings) -> str:
    if contender.into == CASSANDRA:
        return str(ROOT / settings.run_dir / "logs" / f"told-{stamp}-{name}")
    return ENGINES if contender.script in ("topology", "bare") else f"out-{stamp}-{name}"


@contextmanager
def _started(
    bench: Bench, contender: Contender, name: str, topic: str
) -> Iterator[tuple[Settings, Output, Callable[[], Running]]]:
    settings = bench.settings(
        name, {TOPIC_OF[contender.domain]: topic},
        tables=contender.into == CASSANDRA or contender.script in ("topology", "bare"),
    )  # fmt: skip
    out = _out(contender, name, bench.stamp, settings)
    running: list[Running] = []

    def start() -> Running:
        running.append(Running(contender, settings, topic, out))
        return running[-1]

    with closing(Output(contender, settings, topic, out)) as output:
        try:
            yield settings, output, start
        finally:
            for each in running:
                each.end()
            for path in Path(out).parent.glob(f"{Path(out).name}.*"):
                if contender.into == CASSANDRA:
                    path.unlink()


def _meter(bench: Bench, contender: Contender, running: Running) -> Meter:
    services = {"Kafka": [bench.services["kafka"]]}
    if contender.into == CASSANDRA:
        services["Cassandra"] = [bench.services["cassandra"]]
    return Meter({OWN: running.pids, **services})


def backlog(
    bench: Bench, contender: Contender, name: str, topic: str, taken: Sequence[Taken],
    want: dict[str, bytes] | None, before: Callable[[Settings], None] = lambda settings: None,
) -> Run:  # fmt: skip
    """It decides what is in the topic. A failure is its result. `want`: what it has to decide;
    `before`: done with its tables before it starts."""
    asked = max(1, round(len(taken) * contender.share))
    try:
        with _started(bench, contender, name, topic) as (settings, output, start):
            before(settings)
            began = time.time() * 1000
            running = start()
            meter = _meter(bench, contender, running)
            count, changed = 0, time.monotonic()
            while count < asked:
                time.sleep(0.1)
                now = output.count()
                if now > count:
                    count, changed = now, time.monotonic()
                if running.failed or time.monotonic() - changed > (QUIET_S if count else START_S):
                    return Run(wrong=f"stopped at {count:,} records; see bench-peers.log")
            if contender.into == CASSANDRA:
                time.sleep(0.5)
            meter.stop()
            running.end()
            made = output.made(times_of(taken))
    except NotInstalledError as error:
        return Run(wrong=str(error))
    wrong = "" if want is None else differing(want, made.bodies, asked)
    if not made.done:
        return Run(wrong=wrong or "decided nothing that can be read")
    ends = sorted(made.done.values())[:asked]
    first, last = ends[0], max(ends[-1], ends[0] + 1)
    spent = meter.between(first, last)
    after = sum(end > first for end in ends)  # the first batch's work lies before
    services = sum(mb for group, mb in meter.most.items() if group != OWN)
    return Run(
        1000 * after / (last - first),
        {label: seconds / max(1, after) * 1e6 for label, seconds in spent.items()},
        meter.most[OWN], (first - began) / 1000, wrong, services,
    )  # fmt: skip


def latency(
    bench: Bench, contender: Contender, name: str, values: Sequence[tuple[bytes, bytes]],
    capacity: float, seconds: float,
) -> Latency:  # fmt: skip
    """At some shares of its capacity (records/s) one after another; then it is killed and started
    again. `values`: keys and values of as many records as will be needed."""
    topic = f"paced-{bench.stamp}-{name}"
    try:
        with _started(bench, contender, name, topic) as (settings, output, start):
            with closing(connect.admin(settings)) as admin:
                admin.ensure_topic(topic, settings.kafka_partitions, {})
            pace = _Pace(settings, topic, values)
            pace.send(200)
            running = start()
            if not _reached(output, running, 200):
                return Latency(wrong="gave no first decisions; see bench-peers.log")
            time.sleep(SETTLE_S)
            meter, spans = _meter(bench, contender, running), []
            for level in LEVELS:
                sent, began = pace.sent, time.time() * 1000
                pace.run(capacity * level, seconds)
                spans.append((level, sent, began, time.time() * 1000))
                if not _reached(output, running, pace.sent, DRAIN_S):
                    break  # behind: what was not decided in time is said below
            meter.stop()
            running.end(signal.SIGKILL)
            killed = time.time() * 1000
            pace.send(50)
            fresh = pace.sent - 50
            running = start()
            restarted = _next(output, running, pace, killed)
            pace.close()
            taken = take(settings, topic, dict.fromkeys(range(bench.partitions), Watermarks(0, 0)))
            running.end()
            done = output.made(times_of(taken)).done
    except NotInstalledError as error:
        return Latency(wrong=str(error))
    return _told(meter, spans, taken, done, killed, fresh if restarted else None)


def _told(
    meter: Meter, spans: Sequence[tuple[float, int, float, float]], taken: Sequence[Taken],
    done: Mapping[Place, int], killed: float, fresh: int | None,
) -> Latency:  # fmt: skip
    times = times_of(taken)
    paced = []
    for level, _, began, ended in spans:
        mine = [place for place, at in times.items() if began <= at < ended]
        waits = sorted(done[place] - times[place] for place in mine if place in done)
        if not waits:
            continue
        own = sum(
            seconds for label, seconds in meter.between(began, ended).items()
            if label not in ("Kafka", "Cassandra")
        )  # fmt: skip
        paced.append(
            Paced(level, 1000 * len(mine) / max(1.0, ended - began), _at(waits, 0.5),
                  _at(waits, 0.95), _at(waits, 0.99), float(waits[-1]),
                  own / max(1, len(mine)) * 1e6)
        )  # fmt: skip
    after = [end for place, end in done.items() if times.get(place, 0) > killed]
    missed = "" if len(paced) == len(LEVELS) else "fell behind its own pace"
    if fresh is None or not after:
        return Latency(paced, 0.0, missed or "decided nothing after a restart")
    return Latency(paced, (min(after) - killed) / 1000, missed)


def _at(waits: Sequence[int], share: float) -> float:
    """A quantile of what is sorted."""
    return float(waits[min(len(waits) - 1, int(share * len(waits)))])


class _Pace:
    """Publishes records of a list, as fast as asked for."""

    def __init__(
        self, settings: Settings, topic: str, values: Sequence[tuple[bytes, bytes]]
    ) -> None:
        self._sink, self._topic, self._values = connect.sink(settings), topic, values
        self.sent = 0

    def send(self, count: int) -> None:
        for key, value in self._values[self.sent : self.sent + count]:
            self._sink.send(self._topic, key, value)
            self.sent += 1
        self._sink.flush(30.0)

    def run(self, rate: float, seconds: float) -> None:
        began, first = time.monotonic(), self.sent
        while (passed := time.monotonic() - began) < seconds:
            due = min(len(self._values), first + int(rate * passed))
            for key, value in self._values[self.sent : due]:
                self._sink.send(self._topic, key, value)
            self.sent = max(self.sent, due)
            time.sleep(AHEAD_S)
        self._sink.flush(30.0)

    def close(self) -> None:
        self._sink.close()


def _reached(output: Output, running: Running, count: int, within_s: float = START_S) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until and not running.failed:
        if output.count() >= count:
            return True
        time.sleep(0.05)
    return False


def _next(output: Output, running: Running, pace: _Pace, killed: float) -> bool:
    """Whether it decides again; what comes meanwhile is a record each 100 ms."""
    wanted = pace.sent
    until = time.monotonic() + START_S
    while time.monotonic() < until and not running.failed:
        if output.has_after(killed, wanted):
            return True
        pace.send(1)
        time.sleep(0.1)
    return False


class Written(msgspec.Struct):
    """What a session writes beside its tables."""

    about: str
    runs: dict[str, list[Run]]
    latencies: dict[str, Latency]


__all__ = ["KAFKA", "LEVELS", "Bench", "Latency", "Paced", "Run", "Written", "backlog", "latency"]
