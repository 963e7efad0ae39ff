"""A soak from its first process to its report: load, kills, samples, verdict."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from apps.data.streams import Stream
from apps.local.memory import processes
from apps.local.services import registry
from apps.local.storm.local import JVM_OPTIONS, STORM
from apps.operate.figures import Look, rates
from apps.operate.looks import take
from apps.prove.chaos import services as own_services
from apps.prove.chaos.environment import Environment, opened
from apps.prove.chaos.run import BOLT, JVM, SPOUT
from apps.prove.chaos.traffic import Load, mixed
from apps.prove.soak.heaps import Heaps
from apps.prove.soak.report import Report, curves, report
from apps.prove.soak.samples import Journal, Sample
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.errors import InfrastructureError
from stormwatch.ports import Admin, Store
from stormwatch.settings import Settings

SAMPLE_S = 10.0
BURST = 30
"""Kills come so many close together, then a calm follows in which each process shows its slope."""
AHEAD = 600_000
"""Records that wait when it begins: the services' caches, pools and logs fill, and their JVMs
compile, as a flood makes them, which is more than steady load asks of them afterwards."""
CALM_S = 45.0
"""No kill so close to the end: what it did has to be seen."""
START_S = 240.0
DRAIN_S = 600.0
_ENDLESS = 1 << 40


class Options(NamedTuple):
    """What is asked for. A `folder` that has samples is gone on with."""

    seconds: float
    rate: float
    seed: int
    every_s: float  # between kills, on average
    folder: Path
    root: Path


@dataclass
class _Ports:
    settings: Settings
    admin: Admin
    store: Store


class Soak:
    """One uninterrupted part of a soak."""

    def __init__(self, options: Options, tell: Callable[[str], None]) -> None:
        self._options, self._tell = options, tell
        self._journal = Journal(options.folder / "samples.jsonl")
        self._parts = options.folder / "parts.txt"
        before = self._journal.read()
        self._before = before[-1] if before else Sample(0.0, [], 0)
        self._random = Random(options.seed + len(before))
        self._kills = 0
        self._look: Look | None = None
        self._heaps = Heaps()

    def run(self) -> Report:
        """Raises ChaosFailed when a law is broken at the end."""
        with _scene(self._options, self._tell) as environment:
            # Storm, too: what grows from here on is neither a heap that fills nor compiled code.
            environment.environ[JVM_OPTIONS] = " ".join(own_services.aged([*STORM]))
            environment.prepare()
            seed = self._options.seed + int(self._before.at)
            load = Load(
                environment.settings, mixed(_ENDLESS, seed), self._options.rate, self._ahead()
            )
            environment.start("fraud")
            load.start()
            try:
                environment.until_ended(1, START_S)
                self._course(environment, load)
            finally:
                load.stop()
            self._tell(f"{load.published:,} records published; waiting for the last of them")
            environment.drain(load.published - load.lost, DRAIN_S)
            environment.stop()
            environment.check()
        said = f"{load.published:,} records, {self._kills} kills: 0 missing, 0 doubled, 0 different"
        with self._parts.open("a") as out:
            out.write(said + "\n")
        self._tell(said)
        return write(self._options)

    def _ahead(self) -> int:
        return min(AHEAD, int(self._options.rate * self._options.seconds / 4))

    def _course(self, environment: Environment, load: Load) -> None:
        began, options = time.monotonic(), self._options
        began_ms = now_ms()
        left = options.seconds - self._before.at
        pauses = between_kills(self._random, options.every_s)
        sample_at, kill_at = 0.0, next(pauses)
        with environment.ports() as (admin, store):
            ports = _Ports(environment.settings, admin, store)
            while (now := time.monotonic() - began) < left:
                if environment.run.poll() is not None:
                    self._tell(
                        f"`sparse run` ended, starting it again; it said:\n{environment.said()}"
                    )
                    environment.start("fraud")
                if now >= sample_at:
                    sample_at = now + SAMPLE_S
                    self._sample(environment, load, ports, now, began_ms)
                if kill_at <= now < left - CALM_S:
                    kill_at = now + next(pauses)
                    self._kill(environment)
                time.sleep(0.5)

    def _sample(
        self, environment: Environment, load: Load, ports: _Ports, now: float, began_ms: int
    ) -> None:
        services = [entry.pid for entry in registry.read(environment.own_services.home).values()]
        seen = processes(
            [environment.run.pid, *services], time.time(), environment.own_services.home.run_dir
        )
        sample = Sample(
            round(self._before.at + now, 1), seen, self._before.published + load.published,
            kills=self._before.kills + self._kills, heaps=self._heaps.due(seen),
        )  # fmt: skip
        try:
            stream = Stream("fraud", environment.settings.topic_transactions, "transactions")
            look = take(stream, ports, began_ms)
            latency = rates(self._look, look).latency if self._look else None
            sample = msgspec.structs.replace(
                sample, decided=look.decided, lag=look.lag,
                p50=latency and latency.p50, p99=latency and latency.p99,
            )  # fmt: skip
            self._look = look
        except InfrastructureError as error:
            self._tell(f"not everything can be sampled: {error}")
        self._journal.add(sample)
        memory = sum(each.rss for each in seen)
        self._tell(
            f"{sample.at:,.0f} s: {sample.published:,} published, lag {sample.lag}, p99 "
            f"{sample.p99} ms, {memory:,.0f} MB, {sample.kills} kills"
        )

    def _kill(self, environment: Environment) -> None:
        pids = environment.pids(self._random.choice((BOLT, SPOUT, JVM)))
        if pids:
            with suppress(ProcessLookupError):
                os.kill(pids[0], signal.SIGKILL)
                self._kills += 1
                self._tell(f"killed pid {pids[0]} with SIGKILL")


def between_kills(random: Random, every_s: float) -> Iterator[float]:
    """Seconds to wait before each kill, endlessly; `every_s` on average."""
    while True:
        close = [every_s * random.uniform(1 / 6, 1 / 2) for _ in range(BURST - 1)]
        yield from close
        yield BURST * every_s - sum(close)


def write(options: Options) -> Report:
    """soak.json and soak.svg from what the folder has."""
    samples = Journal(options.folder / "samples.jsonl").read()
    parts = options.folder / "parts.txt"
    said = parts.read_text().splitlines() if parts.exists() else []
    made = report(samples, options.seed, options.rate, said)
    document = msgspec.json.format(msgspec.json.encode(made)) + b"\n"
    (options.folder / "soak.json").write_bytes(document)
    title = f"Soak: {made.seconds / 3600:.2f} h, {options.rate:g} records/s, {made.kills} kills"
    (options.folder / "soak.svg").write_text(curves(samples, f"{title}, seed {options.seed}"))
    return made


@contextmanager
def _scene(options: Options, tell: Callable[[str], None]) -> Iterator[Environment]:
    with (
        tempfile.TemporaryDirectory(prefix="stormwatch-soak-", ignore_cleanup_errors=True) as at,
        own_services.own(
            options.root, lambda step, detail: tell(f"{step}: {detail}"), old=True
        ) as (
            found,
            under,
        ),
        opened(found, under, Path(at), f"soak_{options.seed}") as environment,
    ):
        yield environment
