"""`demo`: both topologies on generated events in one process: no Java, no Kafka, no Cassandra."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from apps.data.generate import readings as machines
from apps.data.generate import transactions
from apps.data.generate.labels import with_labels
from apps.data.generate.readings import HOUR, readings
from apps.data.generate.transactions import DAY, Transactions
from apps.data.kinds import BY_TOPOLOGY
from apps.data.publish import Keyed
from apps.local.dev import world
from apps.local.dev.feed import TopicFeed
from apps.local.dev.narrator import LINE_EVERY_S, Narrator
from apps.local.dev.session import Session
from apps.local.dev.truth import Frauds, Machines
from apps.local.run.signals import Signals
from apps.operate import ledger
from apps.serve.server import Outside, served
from stormwatch.adapters.memory import world as memory
from stormwatch.adapters.memory.kafka import MemoryAdmin
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.settings import Settings, load

RUN = "demo"
TOPOLOGIES = ("fraud", "maintenance")
CUSTOMERS, A_DAY, TRANSACTIONS_S = 2_000, 2.0, 800.0
UNITS, READINGS_S = 12, 180.0
DRAIN_S = 20.0
"""So long the topologies may take to decide what is there at the end."""
UNDECIDED = 1
WEEK = 7 * DAY


class Options(NamedTuple):
    """Of the command."""

    seconds: float
    seed: int


def demo(options: Options, root: Path, say: Callable[[str], None]) -> int:
    """Run it; the exit code: 0, 130 after Ctrl-C, 1 if an offset has no end state."""
    with world.environment(world.GENERATED):
        settings = load(root=root)
        for topology in TOPOLOGIES:
            BY_TOPOLOGY[topology].make(settings)  # a bad file is told before anything starts
        narrator = Narrator(say, Frauds(RUN), Machines(RUN))
        say("Two topologies on generated events, all in this process; Ctrl-C stops it.")
        say(f"fraud: card transactions of {CUSTOMERS:,} customers; some frauds are planted.")
        say(f"maintenance: readings of {UNITS} turbofans that wear and fail.")
        with world.opened(settings, narrator.outcomes) as made, Signals() as signals:
            signals.only_ask()
            session = Session(root, list(TOPOLOGIES), settings, options.seed, narrator.event)
            outside = Outside(settings, MemoryAdmin(made.broker), made.store)
            session.start()
            with served(root, outside, say):
                feeds = _feeds(settings, made, options, narrator)
                end = time.monotonic() + options.seconds
                while time.monotonic() < end and not signals.asked:
                    for feed in feeds:
                        feed.pump(time.monotonic())
                    session.step()
                    narrator.tick()
                drained = time.monotonic() + DRAIN_S
                while time.monotonic() < drained and not signals.again and _lag(settings, made):
                    session.step()
                session.stop()
                ledgers = ledger.topics(settings, outside.admin, made.store, _topics(settings))
    _conclude(say, narrator, ledgers)
    sound = all(each.sound and not each.in_flight for each in ledgers)
    return (signals.code if signals.asked else 0) if sound else UNDECIDED


def _feeds(
    settings: Settings, made: memory.World, options: Options, narrator: Narrator
) -> list[TopicFeed]:
    now, today, seed = time.monotonic(), now_ms(), options.seed
    paid = DAY * options.seconds * TRANSACTIONS_S / (CUSTOMERS * A_DAY)
    worn = HOUR * options.seconds * READINGS_S / UNITS
    payments: Iterator[Keyed] = iter(
        Transactions(seed, run=RUN, customers=CUSTOMERS, per_day=A_DAY, ceiling=today,
                     start=dated(transactions.START, today, paid))
    )  # fmt: skip
    if settings.topic_labels:
        payments = with_labels(payments, settings.topic_labels)
    units = readings(seed, run=RUN, units=UNITS, start=dated(machines.START, today, worn))
    return [
        TopicFeed(
            made.broker, settings.topic_transactions, payments, TRANSACTIONS_S, now,
            narrator.frauds.sent,
        ),
        TopicFeed(
            made.broker, settings.topic_readings, units, READINGS_S, now, narrator.machines.sent
        ),
    ]  # fmt: skip


def dated(start: int, today: int, length: float) -> int:
    """`start` moved on by whole weeks, so that what takes `length` (all ms) ends before `today`:
    hours and days of the week, by which payments are judged, stay as they are."""
    return start + (int(today - length) - start) // WEEK * WEEK


def _topics(settings: Settings) -> list[str]:
    topics = (settings.topic_transactions, settings.topic_labels, settings.topic_readings)
    return [topic for topic in topics if topic]


def _lag(settings: Settings, made: memory.World) -> int:
    """Records that are not committed yet."""
    admin, lag = MemoryAdmin(made.broker), 0
    for topic in _topics(settings):
        committed = admin.committed(settings.kafka_group, topic)
        for partition, marks in admin.watermarks(topic).items():
            done = committed[partition].offset if partition in committed else marks.low
            lag += marks.high - done
    return lag


def _conclude(say: Callable[[str], None], narrator: Narrator, ledgers: list[TopicLedger]) -> None:
    frauds, machines = narrator.frauds, narrator.machines
    say("")
    if narrator.first_alert is not None:
        say(f"first planted event caught after {narrator.first_alert:.1f} s")
    say(f"fraud        {narrator.decided('fraud')}")
    say(f"             {frauds.marks()}")
    say(f"             {frauds.by_kind()}; of all transactions {frauds.share()} are frauds")
    say(f"maintenance  {narrator.decided('maintenance')}")
    say(f"             {machines.summary()}")
    for each in ledgers:
        states = ", ".join(f"{state} {n:,}" for state, n in each.states.items())
        say(
            f"ledger of {each.topic}: {states}; in flight {each.in_flight}, "
            f"conflicting {each.conflicting}, unaccounted {each.unaccounted}"
        )
    if hidden := narrator.hidden.total():
        say("")
        say(
            f"Shown were {narrator.shown:,} of {narrator.shown + hidden:,} alerts: a decline every "
            f"{LINE_EVERY_S['decline']:g} s and a review every {LINE_EVERY_S['review']:g} s at "
            "most, and of each machine its first call to service. All were decided and stored."
        )
    say("")
    say("Next: `./stormwatch run` does the same with a real Kafka, Cassandra and Storm.")
    say("      `./stormwatch dev fraud` runs one topology while you change it, without Java.")
