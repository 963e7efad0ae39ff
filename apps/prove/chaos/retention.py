"""Kafka throws away what was not read yet: told, counted, and nothing else suffers."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial

from apps.prove.chaos import judge, oracle, tables
from apps.prove.chaos.campaign import SLOWEST, START_S, Play
from apps.prove.chaos.errors import Invalid, expect
from apps.prove.chaos.tables import Tables
from apps.prove.verdict import oracle as core
from apps.prove.verdict.oracle import Span
from stormwatch.adapters import connect
from stormwatch.domains.fraud.parse import parse
from stormwatch.records import EndState, Record

UP_TO = 0.6
"""Of each partition's offsets are gone."""
UNREAD = 20_000

Copy = Mapping[Span, list[Record]]


def cut(play: Play) -> None:
    """While the topology is stopped, UNREAD records come, and the log up to UP_TO is deleted.

    Stopped, for a client that runs has far more in its memory than it has decided; and all decided
    before, for of a batch under way nobody could tell afterwards which states have learned it.
    """
    settings = play.scene.settings
    topic = settings.topic_transactions
    play.restarts = None
    play.scene.drain(play.count, START_S + play.count / SLOWEST)
    play.scene.stop()
    play.more(play.later(UNREAD, "unread"))
    with closing(connect.source(settings, topic)) as source:
        copy = {
            span: [record for some in oracle.records(source, span) for record in some]
            for span in oracle.spans(settings, source)
        }
    with closing(connect.admin(settings)) as admin:
        admin.delete_records(topic, {s.partition: int(s.end * UP_TO) for s in copy})
    play.scene.tell(f"stopped `sparse run`; deleted {UP_TO:.0%} of the log; starting it again")
    play.judge = partial(_judge, play, copy)
    play.fell()
    play.scene.start()


def _judge(play: Play, copy: Copy) -> Tables:
    """What was read is decided as ever; the rest is `expired`, one range a partition."""
    settings, ledger = play.scene.settings, play.scene.ledger()
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
    play.notes.append(f"{len(gone):,} records were deleted unread, each is `expired`.")
    return want
