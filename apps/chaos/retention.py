"""Kafka throws away what was not read yet: told, counted, and nothing else suffers."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial

from apps.chaos import judge, oracle, tables
from apps.chaos.errors import Invalid, expect
from apps.chaos.play import Play
from apps.chaos.tables import Tables
from apps.verdict import oracle as core
from apps.verdict.oracle import Span
from stormwatch.adapters import kafka
from stormwatch.fraud.parse import parse
from stormwatch.records import EndState, Record

UP_TO = 0.6
"""Of each partition's offsets are gone."""

Copy = Mapping[Span, list[Record]]


def cut(play: Play) -> None:
    """While the topology is stopped, the log up to UP_TO is deleted, a tenth of it decided.

    Stopped, for a client that runs has far more in its memory than it has decided.
    """
    settings = play.scene.settings
    topic = settings.topic_transactions
    play.restarts = None
    play.at(0.1)
    play.scene.stop()
    with closing(kafka.source(settings, topic)) as source:
        copy = {
            span: [record for some in oracle.records(source, span) for record in some]
            for span in oracle.spans(settings, source)
        }
    with closing(kafka.admin(settings)) as admin:
        admin.delete_records(topic, {s.partition: int(s.end * UP_TO) for s in copy})
    play.scene.tell(f"stopped `sparse run`; deleted {UP_TO:.0%} of the log; starting it again")
    play.judge = partial(_judge, play, copy)
    play.fell()
    play.scene.start()


def _judge(play: Play, copy: Copy) -> Tables:
    """What was read is decided as ever; the rest is `expired`, one range a partition, but for what
    was rejected of the batch under way at the stop."""
    settings, ledger = play.scene.settings, play.scene.ledger()
    expect(ledger.sound and not ledger.in_flight, ledger)
    found = tables.of_cassandra(settings)
    gone = {key for key, states in found.ends.items() if states == {EndState.EXPIRED}}
    for span in copy:
        offsets = sorted(key[2] for key in gone if key[0] == span.partition)
        if not offsets:
            raise Invalid(f"INVALID: nothing of partition {span.partition} is `expired`.")
        held = {key[2] for key in found.ends.keys() - gone if key[0] == span.partition}
        whole = set(range(offsets[0], int(span.end * UP_TO)))
        expect(set(offsets) == whole - held, f"expired: {len(offsets)} of {len(whole)} offsets")
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
