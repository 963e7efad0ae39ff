"""What the core asks of the outside. Adapters: `stormwatch.adapters`; doubles beside them.

Each port has one contract suite in tests/contracts that every adapter passes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from stormwatch.cursors import Cursors
from stormwatch.records import (
    DecisionKey,
    DecisionRow,
    LedgerRow,
    Outcomes,
    Record,
    SetAside,
    StateRow,
)
from stormwatch.rollout.changes import Change
from stormwatch.stretches import Stretch


class TopicInfo(NamedTuple):
    """What the broker says of a topic."""

    topic_id: str  # names its log: changes when the topic is deleted and made again; opaque
    partitions: int


class Committed(NamedTuple):
    """A consumer group's commit of one partition."""

    offset: int  # the next offset to read
    metadata: str  # ours: see stormwatch.ingest.partition


class Watermarks(NamedTuple):
    """Offsets that a partition holds: `low` is the oldest kept, `high` the next to be written."""

    low: int
    high: int


class Held(NamedTuple):
    """An open transaction at `offset`: who reads only what is committed comes no further."""

    offset: int
    waiting: int  # offsets from there to the end
    producer: str  # whose it is, in words; "" where Kafka does not say


class StoredAside(NamedTuple):
    """A set-aside record with where it came from."""

    topic: str
    partition: int
    epoch: int
    row: SetAside


class Source(Protocol):
    """Reads a log: some partitions of it, assigned by hand.

    What the spout relies on, whatever the log is. A partition is a sequence of records that only
    grows at its end; each record has an offset, a whole number that rises, and keeps it at each
    reading. Where the log numbers its records otherwise the adapter counts them, and keeps how far
    it has counted (Kinesis: `stormwatch.cursors`). The group's commits are kept by the log (Kafka)
    or by the store. A log's name (`TopicInfo.topic_id`) is opaque and never used again. A partition
    may end and others go on with its keys: then an adapter gives nothing of these before all of it
    is committed (Kinesis: the children of a shard).

    Every method raises BrokerUnavailable when the log does not answer within the port's time limit
    and may be called again. Never skips a record: a position that the log no longer holds
    is told by `gone` and waits for a `seek`.
    """

    def describe(self) -> TopicInfo | None:
        """The log as it is now (not cached), None while it does not exist. Which log was read may
        be told late by no more than it takes to make one anew."""

    def committed(self, partitions: Sequence[int]) -> dict[int, Committed]:
        """The group's commits; a partition never committed is left out."""

    def watermarks(self, partition: int) -> Watermarks:
        """Asked from the broker, not cached."""

    def peek(self, offsets: Mapping[int, int]) -> dict[int, Record]:
        """The record of each partition at the offset given; left out where there is none (now).

        Before `assign`: it ends what was assigned.
        """

    def held(self, positions: Mapping[int, int]) -> dict[int, Held]:
        """Which of these partitions hold more than the positions, all behind an open transaction.

        An ordinary transaction ends soon: one that is there twice in a minute does not.
        """

    def assign(self, positions: Mapping[int, int]) -> None:
        """Read exactly these partitions, each from the offset given. Replaces what was before."""

    def seek(self, partition: int, offset: int) -> None:
        """Continue an assigned partition at `offset`; buffered records of it are dropped."""

    def poll(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        """Records as they come, in offset order within each partition; {} after `timeout` s.

        A partition whose position the broker no longer has is reported once in `gone()`.
        """

    def gone(self) -> list[int]:
        """Partitions whose position is out of the broker's range; cleared by the call."""

    def pause(self, partitions: Iterable[int]) -> None:
        """Fetch no more of these until `resume`; their position is kept."""

    def resume(self, partitions: Iterable[int]) -> None:
        """Undo `pause`."""

    def commit(self, offsets: Mapping[int, Committed], *, wait: bool) -> None:
        """Commit for the group. With wait=False errors are raised by the next call of `commit`."""

    def recall(self, key: str) -> bytes | None:
        """The value last given to `remember` for this key, from the compacted control topic."""

    def remember(self, key: str, value: bytes) -> None:
        """Keep a small value for longer than the topic or its offsets live; returns when kept."""

    def close(self) -> None:
        """Leave; commits nothing. Idempotent."""


class Sink(Protocol):
    """Writes records. Partition by murmur2 of the key, as Java's client does (`murmur2_random`)."""

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Queue a record. Raises BrokerUnavailable if the queue stays full."""

    def flush(self, timeout: float) -> None:
        """Wait until all that was sent is confirmed by all in-sync replicas.

        Raises BrokerUnavailable if one was not within `timeout` s: then any of them may be written.
        """

    def close(self) -> None:
        """Flush for a moment, then leave. Idempotent."""


class Admin(Protocol):
    """The few administrative calls; each idempotent."""

    def ensure_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """Create the topic if absent; True if it was made now. An existing one is left alone."""

    def describe(self, name: str) -> TopicInfo | None: ...

    def watermarks(self, name: str) -> dict[int, Watermarks]: ...

    def committed(self, group: str, name: str) -> dict[int, Committed]: ...

    def members(self, group: str) -> list[str]:
        """Programs that are subscribed with the group, in words. Ours never are."""

    def delete_topic(self, name: str) -> None: ...

    def delete_records(self, name: str, before: Mapping[int, int]) -> None: ...

    def add_partitions(self, name: str, total: int) -> None: ...

    def close(self) -> None: ...


class Registry(Protocol):
    """Keeps versions of rules and models. Any thread may use it.

    Every method raises StoreUnavailable when the store does not answer in time.
    """

    def changes(self, domain: str, kind: str, limit: int) -> list[Change]:
        """The newest changes, newest first."""

    def add_change(self, change: Change) -> bool:
        """Keep it as the change of its number; False if another one is: nothing is kept then."""

    def keep_artefact(self, artefact: bytes) -> str:
        """Keep it; the SHA-256 that names it."""

    def artefact(self, name: str) -> bytes | None:
        """The artefact of that SHA-256, unchecked; None where it is not whole."""


class Store(Registry, Cursors, Protocol):
    """Keeps decisions, states and the ledger. All writes idempotent, timestamps given by us.

    Every method raises StoreUnavailable when the store does not confirm in time; what was being
    written may then be there in part, and writing the same again is right.
    """

    def load_states(self, domain: str, entities: Mapping[int, Sequence[str]]) -> dict[str, bytes]:
        """Blobs of the entities (grouped by stripe) that have one."""

    def next_term(self, domain: str) -> int:
        """A number greater than all given for this domain before, to whomever; from 1."""

    def incarnation(self, log: str, nth: int, claim: tuple[int, str] | None) -> int:
        """The number of a log's `nth` stretches: the same for each who asks, to no others ever.

        From FIRST_INCARNATION on; `claim` is (number, stream) of a log that was read before there
        were numbers for all: its own, unless another log of the stream has it. Raises TopicError
        where none is left.
        """

    def resizes(self, log: str, partitions: int, known: tuple[int, int] | None) -> int:
        """How often partitions were added to a log, which has `partitions` now.

        `known`: (partitions, resizes) of a log that was read before this was kept.
        """

    def stretches(self, log: str) -> list[Stretch]:
        """What was read of a log, by partition, then incarnation."""

    def write_stretches(self, log: str, stretches: Sequence[Stretch]) -> None:
        """Keep them; returns when all are confirmed. For each the greatest generation wins, of
        position and fingerprints the greatest position."""

    def note_position(self, log: str, stretch: Stretch) -> None:
        """Keep its position and fingerprints. Does not wait; errors are ignored."""

    def write_outcomes(self, *batches: Outcomes) -> None:
        """Decisions, alerts, set-aside rows and ledger rows; returns when all are confirmed."""

    def write_states(self, domain: str, rows: Sequence[StateRow]) -> None:
        """The commit point. A row whose stored stamp is higher stays as it is."""

    def write_aside(
        self, domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int
    ) -> None:
        """Set-aside rows and their ledger row, from components that decide nothing."""

    def find_decisions(self, domain: str, keys: Sequence[DecisionKey]) -> list[DecisionRow]:
        """The stored decisions of these keys, in no order."""

    def ledger(
        self, topic: str, partition: int, epoch: int, first: int, last: int
    ) -> Iterator[LedgerRow]:
        """Ledger rows that touch offsets first..last, ascending by fragment.first.

        A row longer than `tally.BLOCK` comes back in pieces; rows of part "start" do not come. Each
        BLOCK of the range is a request: ask no further than the log goes.
        """

    def ledger_starts(self, topic: str) -> list[tuple[int, int, int]]:
        """(partition, epoch, offset) of the rows of part "start": where reading began."""

    def write_meter(self, topology: str, component: str, instance: str, body: bytes) -> None:
        """A component's cumulative figures. Does not wait; the last write wins; errors ignored."""

    def meters(self, topology: str) -> dict[tuple[str, str], bytes]:
        """(component, instance) -> its latest figures."""

    def alerts(self, domain: str, limit: int) -> list[DecisionRow]:
        """The newest alerts, newest first by Kafka's time."""

    def set_aside(self, domain: str, limit: int) -> list[StoredAside]:
        """The newest set-aside records, newest first by Kafka's time."""

    def close(self) -> None: ...


@runtime_checkable
class AtomicStore(Protocol):
    """What a store with transactions over its tables offers besides."""

    def commit(self, batches: Sequence[Outcomes]) -> None:
        """`write_outcomes` and the states of the outcomes: of each batch all at once, or nothing.

        The commit point. Returns when all is confirmed; raises StoreUnavailable.
        """
