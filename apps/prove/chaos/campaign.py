"""A campaign and a run of it: traffic, faults, drain, verdict; what a fault may do."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from apps.prove.chaos.environment import Environment, committed
from apps.prove.chaos.errors import Invalid, expect
from apps.prove.chaos.run import JVM
from apps.prove.chaos.services import TcpProxy
from apps.prove.chaos.traffic import A_DAY, KeyValue, mixed
from apps.prove.verdict.tables import Tables
from stormwatch.domains.fraud import Fraud
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.reconcile import TopicLedger

START_S = 240.0
"""For a topology's start on a machine that is busy."""
SLOWEST = 250.0
"""Records a second that a backlog may be counted on, on a machine that is busy."""
RESTART_S = 60.0
CALM_S = 10.0
"""A bolt that stood for so long was started for good."""


class Trial:
    """A campaign under way: `count` records are published in an environment; chance from a seed."""

    def __init__(self, environment: Environment, seed: int, count: int) -> None:
        self.environment, self.seed, self.count = environment, seed, count
        self.random = Random(seed)
        self.kills = 0
        self.restarts: int | None = 0
        """How often the wrapper has to have started the topology again; None: as it likes."""
        self.domain: Fraud | None = None
        """Another than the shipped one decides."""
        self.judge: Callable[[], Tables] = lambda: environment.check(domain=self.domain)
        """The laws at the end, where they are others than those of every campaign."""
        self.notes: list[str] = []
        """What was measured, for the verdict."""
        self.proxy: TcpProxy | None = None
        """Between the topology and Cassandra."""
        self.told: list[str] = []
        """What the screen of the run has to say."""
        self.ended_at = 0.0
        self.before = 0
        """When the last fault ended (monotonic s), and how many offsets were committed then."""

    def at(self, share: float) -> None:
        """Wait until this share of the records has an end state."""
        count = int(share * self.count)
        self.environment.until_ended(count, START_S + count / SLOWEST)

    def more(self, records: Iterable[KeyValue]) -> list[tuple[int, int]]:
        """Publish more records; (partition, offset) of each."""
        places = self.environment.publish(records)
        self.count += len(places)
        return places

    def later(self, count: int, run: str, seed: int = 1) -> Iterator[KeyValue]:
        """Mixed traffic that is younger than all that was published."""
        return mixed(count, seed, run, day=self.count // A_DAY + 1)

    def kill(self, part: str, share: float) -> None:
        """kill -9 of a process at that share; until the topology is started again."""
        self.at(share)
        pid = self.environment.kill(part)
        self.fell()
        self.kills += 1
        self.restarts = self.kills
        self.environment.tell(f"killed {part} (pid {pid}) with SIGKILL")
        dead = f"(pid {pid}) died" if part != JVM else "Storm's JVM died: killed by signal 9"
        self.told.append(dead)
        self.environment.until_said(
            f"restarting the topology in place ({self.kills} of at most", 30
        )
        self.environment.tell(f"sparse says: … {dead}; restarting the topology in place")

    @contextmanager
    def paused(self, part: str) -> Iterator[None]:
        """SIGSTOP of a process; SIGCONT at the end unless it is gone by then."""
        self.environment.until(lambda: self.environment.pids(part), f"process {part}", RESTART_S)
        pid = self.environment.pids(part)[0]
        os.kill(pid, signal.SIGSTOP)
        self.environment.tell(f"stopped {part} (pid {pid}) with SIGSTOP")
        try:
            yield
        finally:
            here = pid in self.environment.pids(part)
            if here:
                os.kill(pid, signal.SIGCONT)
            self.environment.tell(f"pid {pid} {'goes on' if here else 'was ended meanwhile'}")
            self.fell()

    def wait(self, seconds: float) -> None:
        """Let the fault last, looking at the ledger when it can be seen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))

    def burst(self, kills: int, parts: Sequence[str]) -> None:
        """`kills` times kill -9 of whatever runs, 0.1 to 1 s apart; `sparse run` is started again
        where it gave up, as a supervisor of processes does."""
        self.restarts = None
        while self.kills < kills:
            if self.environment.run.poll() is not None:
                self.environment.tell(
                    f"{self.kills} kills; `sparse run` gave up, starting it again"
                )
                self.environment.start()
            found = [pid for part in parts for pid in self.environment.pids(part)]
            if found:
                with suppress(ProcessLookupError):
                    os.kill(self.random.choice(found), signal.SIGKILL)
                    self.kills += 1
            time.sleep(self.random.uniform(0.1, 1.0))
        self.environment.tell(f"{self.kills} kills; calm from here on")
        self.fell()
        quiet = 0.0
        while quiet < CALM_S:
            if self.environment.run.poll() is not None:
                self.environment.start()
            quiet = quiet + 1 if self.environment.pids(parts[0]) else 0.0
            time.sleep(1)

    def fell(self) -> None:
        """The fault ends now, or strikes at once and is over."""
        self.ended_at = time.monotonic()
        self.before = committed(self._look())

    def moved(self, limit_s: float) -> float:
        """Wait for a commit after the last fault; seconds from its end."""
        with self.environment.watching() as ledger:
            self.environment.until(lambda: committed(ledger()) > self.before, "progress", limit_s)
        return time.monotonic() - self.ended_at

    def _look(self) -> TopicLedger:
        end = time.monotonic() + RESTART_S
        while True:
            try:
                return self.environment.ledger()
            except InfrastructureError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)


Stage = Callable[[Trial], AbstractContextManager[Mapping[str, object]]]
"""What is set up before the start, as long as it lasts; gives settings that differ."""


@contextmanager
def plain(trial: Trial) -> Iterator[Mapping[str, object]]:
    """Nothing is set up."""
    yield {}


SMALL: Mapping[str, object] = {"batch_max_records": 40}
"""Records in a batch: hundreds of batches leave time for a fault."""


@dataclass(frozen=True)
class Campaign:
    """What is done to a run over `count` records, and how soon all has to be decided after."""

    name: str
    rows: tuple[int, ...]
    what: str
    faults: Callable[[Trial], None]
    count: int = 20_000
    settings: Mapping[str, object] = field(default_factory=lambda: SMALL)
    limit_s: float = 240.0
    records: Callable[[int, int], Iterable[KeyValue]] = mixed
    stage: Stage = plain
    """What is set up before the start; gives settings to change."""


GRACE_S = 30.0
"""Commits move again within one message time-out and this after a fault's end."""


class Result(NamedTuple):
    """A campaign that held."""

    campaign: str
    seed: int
    records: int
    kills: int
    states: dict[str, int]
    left: int  # records undecided when the last fault was over
    moved_s: float  # from the fault's end to the next commit
    drained_s: float  # from there until everything was decided and committed
    want: Tables
    notes: list[str]
    unaccounted: int = 0  # 0, but where the harm was to the ledger itself


def conduct(environment: Environment, campaign: Campaign, seed: int, count: int = 0) -> Result:
    """Raises ChaosFailed when a law is broken, Invalid when nothing was tested."""
    trial = Trial(environment, seed, count or campaign.count)
    environment.prepare()
    environment.publish(campaign.records(trial.count, seed))
    environment.tell(f"published {trial.count:,} records; starting `sparse run -n fraud`")
    with campaign.stage(trial) as changes:
        environment.start("fraud", **{**campaign.settings, **changes})
        environment.until_ended(1, START_S)
        campaign.faults(trial)
        return _judge(trial, campaign, seed)


def _judge(trial: Trial, campaign: Campaign, seed: int) -> Result:
    environment = trial.environment
    left = environment.ledger().in_flight
    if not left:
        raise Invalid(
            f"INVALID: every record was decided when the last fault of {campaign.name} (seed "
            f"{seed}) fell, so nothing was tested. Give it more with --records."
        )
    moved = trial.moved(campaign.limit_s)
    environment.tell(f"commits move again {moved:.1f} s after the fault's end")
    drained = environment.drain(trial.count, campaign.limit_s + left / SLOWEST)
    environment.stop()
    said = environment.said()
    restarts = said.count("restarting the topology in place")
    expect(trial.restarts is None or restarts == trial.restarts, said)
    expect(all(words in said for words in trial.told), said)
    want = trial.judge()
    states = Counter(state for each in want.ends.values() for state in each)
    limit = environment.settings.message_timeout_s + GRACE_S
    expect(moved <= limit, f"no commit moved for {moved:.1f} s after the fault, over {limit:g} s")
    return Result(
        campaign.name, seed, trial.count, trial.kills, dict(states), left, moved, drained, want,
        trial.notes, environment.ledger().unaccounted,
    )  # fmt: skip
