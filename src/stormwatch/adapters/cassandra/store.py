"""The store on Apache Cassandra. Tables, keys and their sizes: schema/README.md.

Nothing is tried again inside: a request that fails or times out raises StoreUnavailable, and the
caller writes the same batch again, which is idempotent. One thread at a time may use a store.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from cassandra.cluster import Session
from cassandra.query import UNSET_VALUE

from stormwatch.adapters.cassandra import rows as wire
from stormwatch.adapters.cassandra.archive import CassandraArchive
from stormwatch.adapters.cassandra.cursors import CassandraCursors
from stormwatch.adapters.cassandra.erase import CassandraErase
from stormwatch.adapters.cassandra.locks import next_term
from stormwatch.adapters.cassandra.logs import CassandraLogs
from stormwatch.adapters.cassandra.migrations import apply, status
from stormwatch.adapters.cassandra.people import CassandraPeople
from stormwatch.adapters.cassandra.reads import KEYS
from stormwatch.adapters.cassandra.registry import CassandraRegistry
from stormwatch.adapters.cassandra.rows import Part, batches, execution
from stormwatch.adapters.cassandra.schema import batch_limits, check_schema
from stormwatch.adapters.cassandra.session import UNAVAILABLE, open_session, translated
from stormwatch.ledger.coverage import BLOCK_BITS
from stormwatch.ledger.reconcile import START, split
from stormwatch.records import Fragment, LedgerRow, Outcomes, SetAside, StateRow
from stormwatch.settings import Settings

__all__ = ["CassandraStore", "apply", "connect", "status"]

DAYS_KEPT = 10_000
"""Entries of the index of days that a process remembers to have written."""

Day = tuple[str, str, int, str, int]  # kind, domain, day, topic, partition


def connect(settings: Settings) -> "CassandraStore":
    """A store with its tables checked and its statements prepared.

    Raises StoreUnavailable if Cassandra is not reached in time (call again), SchemaError if its
    tables are not the ones that this version and these settings need.
    """
    session = open_session(settings)
    try:
        check_schema(session, settings)
        with translated(settings, "prepare statements"):
            return CassandraStore(session, settings)
    except BaseException:  # also at Ctrl-C: its threads would keep the process
        session.cluster.shutdown()
        raise


class CassandraStore(
    CassandraRegistry,
    CassandraCursors,
    CassandraLogs,
    CassandraArchive,
    CassandraErase,
    CassandraPeople,
):
    """The port `Archive`; made by `connect`."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__(session, settings)
        self._limits = batch_limits(session, settings)
        self._days: set[Day] = set()  # confirmed
        self._new_days: set[Day] = set()  # in the write under way

    def load_states(self, domain: str, entities: Mapping[int, Sequence[str]]) -> dict[str, bytes]:
        """See the port."""
        name = domain.encode()
        reads = (
            execution(
                self._cql.load, [name, wire.int32(stripe), wire.text_list(names[i : i + KEYS])]
            )
            for stripe, names in entities.items()
            for i in range(0, len(names), KEYS)
        )
        found: dict[str, bytes] = {}
        with translated(self._settings, "read states"):
            for rows in self._run(reads):
                found.update(rows)
        return found

    def next_term(self, domain: str) -> int:
        """See the port."""
        with translated(self._settings, "give a term"):
            return next_term(self._session, self._settings.cassandra_keyspace, domain)

    def write_outcomes(self, *batches: Outcomes) -> None:
        """See the port."""
        self._write("decisions", *map(self._outcomes, batches))

    def write_states(self, domain: str, rows: Sequence[StateRow]) -> None:
        """See the port."""
        heaviest = max((len(row.blob) for row in rows), default=0)
        parts = wire.state_rows(domain.encode(), rows)
        self._write("states", (Part(self._cql.state, part, heaviest) for part in parts))

    def write_aside(
        self, domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int
    ) -> None:
        """See the port."""
        aside = self._aside(domain, rows, ledger.fragment, stamp)
        self._write("set-aside records", aside, self._ledger_rows(ledger, stamp))

    def write_meter(self, topology: str, component: str, instance: str, body: bytes) -> None:
        """See the port."""
        with suppress(*UNAVAILABLE):  # a figure that is lost is replaced by the next
            self._session.execute_async(self._cql.meter, (topology, component, instance, body))

    def close(self) -> None:
        """Leave. Idempotent."""
        self._session.cluster.shutdown()

    def _write(self, what: str, *parts: Iterable[Part]) -> None:
        self._new_days.clear()
        with translated(self._settings, f"confirm a write of {what}"):
            for _ in self._run(batches(chain(*parts), self._limits)):
                pass
        if self._new_days:
            if len(self._days) >= DAYS_KEPT:
                self._days.clear()
            self._days |= self._new_days

    def _outcomes(self, o: Outcomes) -> Iterator[Part]:
        heaviest = max((len(row.body) for row in o.decisions), default=0)
        for rows in wire.decision_rows(o.domain.encode(), o.stamp, self._period_ms, o.decisions):
            yield Part(self._cql.decision, rows, heaviest)
        yield from self._alerts(o, heaviest)
        yield from self._decided(o)
        yield from self._aside(o.domain, o.aside, o.fragment, o.stamp)
        yield from self._ledger_rows(o.ledger, o.stamp)

    def _alerts(self, o: Outcomes, heaviest: int) -> Iterator[Part]:
        alerts = [row for row in o.decisions if row.alert]
        if alerts:
            f = o.fragment
            days = wire.alert_rows(o.domain.encode(), o.stamp, f.topic, f.partition, alerts)
            for rows in days.values():
                yield Part(self._cql.alert, rows, heaviest)
            yield from self._index("alerts", o.domain, f, o.stamp, days)

    def _decided(self, o: Outcomes) -> Iterator[Part]:
        for quarter, rows, heaviest in wire.decided_rows(o):
            yield Part(self._cql.decided, rows, heaviest)
            yield from self._index("decided", o.domain, o.fragment, o.stamp, (quarter,))

    def _aside(
        self, domain: str, rows: Sequence[SetAside], f: Fragment, stamp: int
    ) -> Iterator[Part]:
        days = wire.aside_rows(domain.encode(), stamp, f.topic, f.partition, f.epoch, rows)
        sizes = (len(r.raw or b"") + len(r.key or b"") + 4 * len(r.reason) for r in rows)
        heaviest = max(sizes, default=0)
        for part in days.values():
            yield Part(self._cql.aside, part, heaviest)
        yield from self._index("dead_letters", domain, f, stamp, days)

    def _index(
        self, kind: str, domain: str, f: Fragment, stamp: int, days: Collection[int]
    ) -> Iterator[Part]:
        """Rows of `days` that this process has not written yet."""
        for day in days:
            entry = (kind, domain, day, f.topic, f.partition)
            if entry not in self._days:
                self._new_days.add(entry)
                yield self._single(self._cql.day[kind], (*entry, stamp), 0)

    def _ledger_rows(self, row: LedgerRow, stamp: int) -> Iterator[Part]:
        f = row.fragment
        if row.part == START:
            yield self._single(self._cql.start, (f.topic, f.partition, f.epoch, f.first, stamp), 0)
            return
        for piece in split(row):
            f, fingerprint = piece.fragment, piece.fragment.fingerprint
            taken = (
                UNSET_VALUE
                if fingerprint is None
                else (fingerprint.offset, fingerprint.timestamp, fingerprint.checksum)
            )
            values = (
                f.topic, f.partition, f.epoch, f.first >> BLOCK_BITS, f.first, f.last, piece.part,
                piece.bitmaps, piece.age, f.generation, f.attempt, taken, stamp,
            )  # fmt: skip
            yield self._single(self._cql.ledger, values, sum(map(len, piece.bitmaps.values())))

    @staticmethod
    def _single(prepared: Any, values: tuple[Any, ...], heaviest: int) -> Part:
        return Part(prepared, [prepared.bind(values).values], heaviest)
