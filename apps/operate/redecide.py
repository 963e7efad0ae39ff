"""Have the topology decide again what was acknowledged and is gone from the store.

It reads once more from the first offset without an end state on, in a stretch of its own: there the
ledger is believed instead of the marks, as far as the group had come (docs/decisions/0007).
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from apps.operate import ledger as ledgers
from apps.operate.ledger import Read
from stormwatch.epochs import epoch_of
from stormwatch.errors import StormwatchError, TopicError
from stormwatch.ingest.commit_metadata import Mark, read_mark
from stormwatch.ledger.reconcile import PartitionLedger
from stormwatch.metrics import Snapshot
from stormwatch.ports import Admin, Committed, Source, Store
from stormwatch.settings import Settings
from stormwatch.stretches import Stretch

LOOK_S = 5.0
"""A bolt writes its figures once a second: without new ones for so long none runs."""


class Lost(NamedTuple):
    """What of a partition is to be decided again: from `first` on to `committed` - 1."""

    partition: int
    first: int
    committed: int
    offsets: int


def check_stopped(
    store: Store, topology: str, wait: Callable[[float], object] = time.sleep
) -> None:
    """Raises StormwatchError while the topology runs, wherever it does; `wait` takes seconds."""
    before = store.meters(topology)
    wait(LOOK_S)
    for (component, _), body in sorted(set(store.meters(topology).items()) - set(before.items())):
        of = msgspec.json.decode(body, type=Snapshot)
        raise StormwatchError(
            f"The topology {topology} runs: {component} on {of.host} (process {of.pid}) wrote its "
            "figures just now. What it commits would undo this command. Stop it (Ctrl-C where it "
            f"runs, `sparse kill -n {topology}` on a cluster) and run this again."
        )


def lost(settings: Settings, admin: Admin, store: Store, topic: str) -> list[Lost]:
    """Partitions with offsets that were acknowledged and have no end state.

    Raises TopicError where Kafka no longer has the first of them, InfrastructureError.
    """
    marks = admin.watermarks(topic)
    found = []
    for part in ledgers.topic(settings, admin, store, topic).partitions:
        if part.unaccounted:
            first = _first(topic, part, marks[part.partition].low)
            found.append(Lost(part.partition, first, part.committed, part.unaccounted))
    return found


def _first(topic: str, part: PartitionLedger, low: int) -> int:
    first = part.unaccounted_ranges[0].first
    if first < low:
        raise TopicError(
            f"{topic}[{part.partition}]: offset {first} has no end state, and Kafka has the "
            f"partition from offset {low} on only (retention). What is older cannot be decided."
        )
    return first


def redecide(
    settings: Settings, admin: Admin, source: Source, store: Store, topic: str, some: list[Lost]
) -> None:
    """Set the group back so that the next start decides them. Only while the topology is stopped
    (`check_stopped`): what it commits undoes this. Raises InfrastructureError.
    """
    info = admin.describe(topic)
    if info is None or not some:
        return
    log = Read.of(store, topic, info.topic_id)
    resizes = store.resizes(log.name, info.partitions, None)
    commits = admin.committed(settings.kafka_group, topic)
    for each in some:
        before = log.stretches[each.partition]
        mark = read_mark(commits[each.partition].metadata)
        generation = 1 + max(*(s.generation for s in before), mark.generation if mark else 0)
        nth = 1 + max(stretch.nth for stretch in before)
        again = Stretch(
            each.partition, store.incarnation(log.name, nth, None), nth, each.first, each.first,
            decided_to=each.committed, generation=generation, position=each.first,
        )  # fmt: skip
        begin = Mark(
            generation=generation, epoch=epoch_of(again.incarnation, resizes), clean=True,
            log=log.name, offset=each.first,
        )  # fmt: skip
        # The commit first: without the stretch it is a replay that changes nothing.
        source.commit({each.partition: Committed(each.first, begin.text())}, wait=True)
        store.write_stretches(log.name, [again])
