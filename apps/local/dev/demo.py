"""`demo`: all topologies on generated events in one process: no Java, no Kafka, no Cassandra."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from apps.data.generate import behaviour as shoppers
from apps.data.generate import posts as talk
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
from apps.local.dev.truth import Frauds, Machines, Spikes
from apps.local.run.signals import Signals
from apps.operate import ledger
from apps.serve.server import Outside, served
from stormwatch.adapters.memory import world as memory
from stormwatch.adapters.memory.kafka import MemoryAdmin
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.settings import Settings, load, variable

RUN = "demo"
TOPOLOGIES = ("fraud", "maintenance", "social", "recommend")
CUSTOMERS, A_DAY, TRANSACTIONS_S = 2_000, 2.0, 800.0
TOLD = 2 * DAY
"""After so long a fraud is told of; in life it takes a week, which are most of a demo's minute."""
UNITS, READINGS_S = 12, 180.0
POSTS_S, POST_EVERY_MS, CALM_MS = 100.0, 6_000, 11_000_000
"""Three hours are learned before a spike can be told: so the first comes after some 20 s."""
IDS = 16_384
"""Of an entity that are remembered (`dedup.max_ids`): here ten minutes pass in a second, and all
posts of a day have room, so that none is told of as forgotten."""
USERS, BEHAVIOUR_S = 200, 50.0
A_SESSION = 5.0
"""Events of a user's session on average."""
DRAIN_S = 20.0
"""So long the topologies may take to decide what is there at the end."""
UNDECIDED = 1
KILL_EVERY_S = 25.0
"""A topology whose tasks die more often than that ends."""
WEEK = 7 * DAY


class Options(NamedTuple):
    """Of the command."""

    seconds: float
    seed: int


def demo(options: Options, root: Path, say: Callable[[str], None]) -> int:
    """Run it; the exit code: 0, 130 after Ctrl-C, 1 if an offset has no end state."""
    with world.environment(world.GENERATED | {variable("dedup.max_ids"): str(IDS)}):
        settings = load(root=root)
        for topology in TOPOLOGIES:
            BY_TOPOLOGY[topology].make(settings)  # a bad file is told before anything starts
        narrator = Narrator(say, Frauds(RUN), Machines(RUN), Spikes())
        say("Four topologies on generated events, all in this process; Ctrl-C stops it.")
        say(f"fraud: card transactions of {CUSTOMERS:,} customers; some frauds are planted.")
        say(f"maintenance: readings of {UNITS} turbofans that wear and fail.")
        say("social: posts about brands; now and then one is spoken of more than usual.")
        say(f"recommend: what {USERS} users look at, buy and rate.")
        with world.opened(settings, narrator.outcomes) as made, Signals() as signals:
            signals.only_ask()
            session = Session(root, list(TOPOLOGIES), settings, options.seed, narrator.event)
            outside = Outside(settings, MemoryAdmin(made.broker), made.store)
            session.start()
            with served(root, outside, say), _killing(session, say) as kill:
                feeds = _feeds(settings, made, options, narrator)
                end = time.monotonic() + options.seconds
                while time.monotonic() < end and not signals.asked:
                    for feed in feeds:
                        feed.pump(time.monotonic())
                    session.step()
                    kill()
                    narrator.tick()
                drained = time.monotonic() + DRAIN_S
                while time.monotonic() < drained and not signals.again and _lag(settings, made):
                    session.step()
                session.stop()
                ledgers = ledger.topics(settings, outside.admin, made.store, _topics(settings))
    _conclude(say, narrator, ledgers)
    sound = all(each.sound and not each.in_flight for each in ledgers)
    return (signals.code if signals.asked else 0) if sound else UNDECIDED


@contextmanager
def _killing(session: Session, say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """What ends a bolt of fraud where somebody has asked for it by SIGUSR2."""
    asked, last = list[int](), 0.0

    def kill() -> None:
        nonlocal last
        if not asked:
            return
        asked.clear()
        if last and time.monotonic() - last < KILL_EVERY_S:
            return say(f"A bolt was killed a moment ago; again in {KILL_EVERY_S:g} s.")
        last = time.monotonic()
        session.kill("fraud", "decide", "killed by hand")
        say("Its batch in hand is read again; the ledger counts each offset once.")

    before = signal.signal(signal.SIGUSR2, lambda number, frame: asked.append(number))
    say(f"Kill a bolt and watch nothing be lost: kill -USR2 {os.getpid()}")
    try:
        yield kill
    finally:
        signal.signal(signal.SIGUSR2, before)


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
        payments = with_labels(payments, settings.topic_labels, TOLD)
    units = readings(seed, run=RUN, units=UNITS, start=dated(machines.START, today, worn))
    written = options.seconds * POSTS_S * POST_EVERY_MS
    posts = talk.posts(seed, run=RUN, start=dated(talk.START, today, written), step=POST_EVERY_MS,
                       quiet=CALM_MS)  # fmt: skip
    shopped = DAY * options.seconds * BEHAVIOUR_S / (USERS * shoppers.SESSIONS_A_DAY * A_SESSION)
    behaviour = shoppers.behaviour(seed, run=RUN, users=USERS, items=USERS,
                                   start=dated(shoppers.START, today, shopped))  # fmt: skip
    return [
        TopicFeed(made.broker, topic, events, rate, now, told, settings.kafka_group)
        for topic, events, rate, told in (
            (settings.topic_transactions, payments, TRANSACTIONS_S, narrator.frauds.sent),
            (settings.topic_readings, units, READINGS_S, narrator.machines.sent),
            (settings.topic_posts, posts, POSTS_S, narrator.spikes.sent),
            (settings.topic_behaviour, behaviour, BEHAVIOUR_S, lambda event: None),
        )
    ]


def dated(start: int, today: int, length: float) -> int:
    """`start` moved on by whole weeks, so that what takes `length` (all ms) ends before `today`:
    hours and days of the week, by which payments are judged, stay as they are."""
    return start + (int(today - length) - start) // WEEK * WEEK


def _topics(settings: Settings) -> list[str]:
    topics = (
        settings.topic_transactions, settings.topic_labels, settings.topic_readings,
        settings.topic_posts, settings.topic_behaviour,
    )  # fmt: skip
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
    say(f"social       {narrator.decided('social')}")
    say(f"             {narrator.spikes.summary()}")
    say(f"recommend    {narrator.decided('recommend')}")
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
            "most, of each machine its first call to service, of posts the spikes. All were "
            "decided and stored."
        )
    say("")
    say("Next: `./stormwatch run` does the same with a real Kafka, Cassandra and Storm.")
    say("      `./stormwatch dev fraud` runs one topology while you change it, without Java.")
