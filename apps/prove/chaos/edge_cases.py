"""Faults that no list names: two runs at once, one that wakes up late, hands in tables and log."""

import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from apps.operate.ledger_alarm import PATIENCE_S, Alarm
from apps.prove.chaos import judge, oracle
from apps.prove.chaos.campaign import SLOWEST, START_S, Trial
from apps.prove.chaos.environment import committed
from apps.prove.chaos.errors import Invalid, expect
from apps.prove.chaos.run import JVM, SPOUT, Run
from apps.prove.verdict import oracle as core
from apps.prove.verdict import tables
from apps.prove.verdict.oracle import Span
from apps.prove.verdict.tables import Tables
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra.session import open_session
from stormwatch.domains.fraud.parse import parse
from stormwatch.ports import Committed
from stormwatch.records import EndState, Record

_TRUNCATE_S = 60.0


def twins(trial: Trial) -> None:
    """The same topology is started twice, on one group: two writers for everything."""
    trial.at(0.02)
    with _second(trial):
        trial.wait(20)
    trial.fell()


def late_riser(trial: Trial) -> None:
    """The whole run is stopped, another goes on in its place, then the first one wakes."""
    trial.at(0.05)
    trial.restarts = None
    environment = trial.environment
    with ExitStack() as other:
        with _asleep(environment.run.pid):
            environment.tell("stopped `sparse run` and all that it started with SIGSTOP")
            other.enter_context(_second(trial))
            before = committed(environment.ledger())
            environment.until(
                lambda: committed(environment.ledger()) > before, "work of the other", START_S
            )
            trial.wait(10)
        environment.tell("the first run wakes, with old states in its memory")
        trial.wait(15)
    trial.fell()


def frozen_jvm(trial: Trial) -> None:
    """Storm stands still for 40 s, and one of its bolts dies meanwhile."""
    trial.at(trial.random.uniform(0.05, 0.2))
    trial.restarts = None
    with trial.paused(JVM):
        trial.wait(5)
        trial.environment.kill(trial.environment.bolt)
        trial.kills += 1
        trial.environment.tell("killed a bolt with SIGKILL while Storm stands still")
        trial.wait(35)


def offsets_back(trial: Trial) -> None:
    """Somebody sets the group's offsets back to the beginning: everything comes again."""
    trial.at(0.3)
    trial.restarts = None
    trial.environment.stop()
    settings = trial.environment.settings
    with closing(connect.source(settings, settings.topic_transactions)) as source:
        back = {p: Committed(0, "") for p in range(settings.kafka_partitions)}
        source.commit(back, wait=True)
    trial.environment.tell("stopped `sparse run`, set the offsets back to 0, starting it again")
    trial.fell()
    trial.environment.start()


def truncate_ledger(trial: Trial) -> None:
    """Somebody empties the ledger under way: decisions stand, and the proof says what it lacks."""
    trial.at(0.2)
    settings = trial.environment.settings
    session = open_session(settings, request_timeout_s=_TRUNCATE_S)
    try:
        session.execute(f"TRUNCATE {settings.cassandra_keyspace}.ledger")
    finally:
        session.cluster.shutdown()
    trial.environment.tell("emptied the table `ledger` by hand")
    trial.judge = partial(_without_proof, trial)
    trial.fell()


def _without_proof(trial: Trial) -> Tables:
    """All but the ledger is as ever; what the ledger lacks is told, to the offset."""
    settings, ledger = trial.environment.settings, trial.environment.ledger()
    found = tables.of_cassandra(settings)
    want = judge.expected(settings, domain=judge.believed(found))
    lost = want.ends.keys() - found.ends.keys()
    expect(ledger.unaccounted == len(lost) and not ledger.conflicting, ledger)
    expect(0 < len(lost) < len(want.ends), f"{len(lost)} of {len(want.ends)} offsets lost")
    alarm = Alarm()
    alarm.look(0.0, [ledger])
    told = alarm.look(PATIENCE_S, [ledger])
    expect(told, "offsets without an end state raise no alarm")
    trial.notes.append(
        f"The ledger says unaccounted {ledger.unaccounted:,}, just those that were taken from "
        f"it, and after a minute: {told[0]}"
    )
    held = {key: states for key, states in want.ends.items() if key not in lost}
    judge.compare(settings, Tables(want.decisions, want.states, want.alerts,
                                   want.dead_letters, held), found)  # fmt: skip
    return want


@contextmanager
def _second(trial: Trial) -> Iterator[None]:
    """Another `sparse run` of the same topology, group and tables, while it lasts."""
    environment = trial.environment
    with tempfile.TemporaryDirectory(prefix="stormwatch-twin-") as folder:
        twin = Run(Path(folder), environment.own_services.home.jars, environment.settings)
        twin.start()
        try:
            twin.until(lambda: twin.pids(SPOUT) and twin.pids(twin.bolt), "second run", START_S)
            environment.tell("a second `sparse run` reads the same partitions")
            yield
        finally:
            twin.project.end()
    environment.tell("the second run is gone")


@contextmanager
def _asleep(pid: int) -> Iterator[None]:
    """A process and its descendants under SIGSTOP."""
    root = psutil.Process(pid)
    stopped = [root, *root.children(recursive=True)]
    for each in stopped:
        with suppress(psutil.NoSuchProcess):
            each.suspend()
    try:
        yield
    finally:
        for each in reversed(stopped):
            with suppress(psutil.NoSuchProcess):
                os.kill(each.pid, signal.SIGCONT)


UP_TO = 0.6
"""Of each partition's offsets are gone."""
UNREAD = 20_000

Copy = Mapping[Span, list[Record]]


def cut_log(trial: Trial) -> None:
    """While the topology is stopped, UNREAD records come, and the log up to UP_TO is deleted.

    Stopped, for a client that runs has far more in its memory than it has decided; and all decided
    before, for of a batch under way nobody could tell afterwards which states have learned it.
    """
    settings = trial.environment.settings
    topic = settings.topic_transactions
    trial.restarts = None
    trial.environment.drain(trial.count, START_S + trial.count / SLOWEST)
    trial.environment.stop()
    trial.more(trial.later(UNREAD, "unread"))
    with closing(connect.source(settings, topic)) as source:
        copy = {
            span: [record for some in oracle.records(source, span) for record in some]
            for span in oracle.spans(settings, source)
        }
    with closing(connect.admin(settings)) as admin:
        admin.delete_records(topic, {s.partition: int(s.end * UP_TO) for s in copy})
    trial.environment.tell(
        f"stopped `sparse run`; deleted {UP_TO:.0%} of the log; starting it again"
    )
    trial.judge = partial(_judge_expired, trial, copy)
    trial.fell()
    trial.environment.start()


def _judge_expired(trial: Trial, copy: Copy) -> Tables:
    """What was read is decided as ever; the rest is `expired`, one range a partition."""
    settings, ledger = trial.environment.settings, trial.environment.ledger()
    expect(ledger.sound and not ledger.in_flight, ledger)
    found = tables.of_cassandra(settings)
    gone = {key for key, states in found.ends.items() if states == {EndState.EXPIRED}}
    for span in copy:
        offsets = sorted(key[2] for key in gone if key[0] == span.partition)
        if not offsets:
            raise Invalid(f"INVALID: nothing of partition {span.partition} is `expired`.")
        whole = list(range(offsets[0], int(span.end * UP_TO)))
        expect(offsets == whole, f"expired: {len(offsets)} offsets, not {len(whole)} in a row")
    kept = (
        batch
        for span, records in copy.items()
        for batch in core.cut(
            span,
            [[r for r in records if (span.partition, span.epoch, r.offset) not in gone]],
            lambda: oracle.BATCH,
            judge.nothing,
        )
    )
    want = tables.of_memory(core.expected(settings, kept, judge.believed(found), parse))
    want.ends |= dict.fromkeys(gone, frozenset({EndState.EXPIRED}))
    judge.compare(settings, want, found)
    trial.notes.append(f"{len(gone):,} records were deleted unread, each is `expired`.")
    return want
