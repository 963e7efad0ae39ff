"""`ledger --verify` and `ledger --watch`: what they look at and how it is said."""

import time
from collections.abc import Callable, Sequence

import msgspec

from apps.data.streams import every
from apps.operate import ledger as ledgers
from apps.operate.domains import DIRECT
from apps.operate.ledger_alarm import Alarm
from apps.operate.ledger_verify import Verified
from apps.operate.ledger_verify import verify as verify_one
from stormwatch.archive import Archive
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.ports import Admin, Store
from stormwatch.settings import Settings

EVERY_S = 5.0
LOOK_SHARE = 10
"""Between two looks passes at least so many times as long as a look takes."""


def verify(
    settings: Settings, admin: Admin, archive: Archive, names: Sequence[str] | None
) -> list[Verified]:
    """Of the topics whose records are decided one by one. Raises InfrastructureError."""
    return [
        verify_one(settings, admin, archive, stream.topology, topic)
        for stream in every(settings)
        if stream.topology in DIRECT
        for topic in stream.topics
        if (names is None or topic in names) and admin.describe(topic) is not None
    ]


def tell(verified: Sequence[Verified]) -> None:
    """A line or more for each."""
    for one in verified:
        states = ", ".join(f"{count:,} {state}" for state, count in one.states.items())
        word = "agree" if one.sound else "DISAGREE"
        print(f"{one.topic}: tables and ledger {word} on {one.offsets:,} offsets ({states})")
        for said in one.disagreements:
            where = ", ".join(f"{r.first} to {r.last}" for r in said.first)
            print(f"  partition {said.partition}: {said.offsets:,} {said.what}: {where}")


def print_json(found: Sequence[TopicLedger], verified: Sequence[Verified]) -> None:
    """Topic -> ledger, with `verified` inside where it was asked for."""
    document = {one.topic: one.to_dict() for one in found}
    for one in verified:
        plain = msgspec.to_builtins(one)
        document[one.topic]["verified"] = plain | {"sound": one.sound}
    print(msgspec.json.format(msgspec.json.encode(document)).decode())


def watch(
    settings: Settings,
    admin: Admin,
    store: Store,
    names: Sequence[str] | None,
    seconds: float | None,
    *,
    alarm: Alarm | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Look until `seconds` are over (None: until Ctrl-C); 1 if there ever was an alarm, else 0.

    An outage of Kafka or Cassandra is told and waited for.
    """
    alarm = alarm or Alarm()
    began, alarmed, told = clock(), False, set[str]()
    while True:
        look_began = clock()
        try:
            found = ledgers.topics(settings, admin, store, names)
        except InfrastructureError as error:
            print(f"{error}", flush=True)
        else:
            for one in found:
                print(
                    f"{one.topic}: {sum(one.states.values()):,} ended, "
                    f"unaccounted {one.unaccounted:,}, with two states {one.conflicting:,}, "
                    f"in flight {one.in_flight:,}",
                    flush=True,
                )
                for line in [*_partitions(one), *(f"  {said}" for said in remarks(one))]:
                    print(line, flush=True)
            for sentence in alarm.look(look_began, found):
                alarmed = True
                if (place := sentence.partition(" have had")[0]) not in told:
                    told.add(place)
                    print(sentence, flush=True)
        now = clock()
        if seconds is not None and now - began >= seconds:
            return int(alarmed)
        sleep(max(EVERY_S, LOOK_SHARE * (now - look_began)))


def remarks(ledger: TopicLedger) -> list[str]:
    """What a reader of the figures has to know beside them, a sentence each."""
    said = []
    if not ledger.known and ledger.in_flight:
        said.append(
            "nothing of the log that Kafka has under this name was read into this keyspace; what "
            "was decided of another log does not count"
        )
    for part in ledger.partitions:
        where = ", ".join(f"{r.first:,} to {r.last:,}" for r in part.unread_ranges)
        if part.unread:
            said.append(
                f"unread {part.unread:,} of partition {part.partition}: offsets {where}, passed "
                "because the group stood behind them: it was moved by hand, or another store was "
                "used before. Set it back to have them decided"
            )
    return said


def _partitions(ledger: TopicLedger) -> list[str]:
    """What became of each partition's offsets, beside Kafka's own."""
    return [
        f"  [{part.partition}] "
        + (", ".join(f"{count:,} {state}" for state, count in part.states.items()) or "none")
        + f"; offsets {part.first:,} to {part.end - 1:,}, committed to {part.committed:,}"
        for part in ledger.partitions
    ]
