"""What is read back from Cassandra: decisions, alerts, set-aside records, the ledger, meters."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from time import monotonic, sleep
from typing import Any

from cassandra import OperationTimedOut
from cassandra.cluster import NoHostAvailable, Session

from stormwatch.adapters.cassandra.rows import HOUR_MS, execution, int32, key_list
from stormwatch.adapters.cassandra.session import UNAVAILABLE, is_busy, keyspace_of, translated
from stormwatch.adapters.cassandra.statements import Statements
from stormwatch.ledger.coverage import BLOCK_BITS
from stormwatch.ports import StoredAside
from stormwatch.records import (
    DecisionKey,
    DecisionRow,
    EndState,
    Fingerprint,
    Fragment,
    LedgerRow,
    SetAside,
)
from stormwatch.settings import Settings
from stormwatch.state.alerts import standing

IN_FLIGHT = 24
"""Requests of one call under way at once."""
BUSY_PAUSE_S = 0.005
KEYS = 100
"""Keys in one IN."""
ASIDE_STATES = (EndState.REJECTED, EndState.DEAD_LETTERED, EndState.CONFLICT, EndState.LATE)


class CassandraReads:
    """The reading half of the port `Store`."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._period_ms = settings.layout_period_h * HOUR_MS
        self._cql = Statements(session, settings, keyspace_of(settings))

    def find_decisions(self, domain: str, keys: Sequence[DecisionKey]) -> list[DecisionRow]:
        """See the port."""
        places: dict[tuple[int, int], list[DecisionKey]] = {}
        for key in keys:
            places.setdefault((key.stripe, key.time // self._period_ms), []).append(key)
        name = domain.encode()
        reads = (
            execution(
                self._cql.find, [name, int32(stripe), int32(period), key_list(some[i : i + KEYS])]
            )
            for (stripe, period), some in places.items()
            for i in range(0, len(some), KEYS)
        )
        with translated(self._settings, "read decisions"):
            return [DecisionRow(*row) for rows in self._run(reads) for row in rows]

    def ledger(
        self, topic: str, partition: int, epoch: int, first: int, last: int
    ) -> Iterator[LedgerRow]:
        """See the port."""
        # A row spans at most one block, so those that reach into `first` begin one block earlier.
        for block in range(max(0, (first >> BLOCK_BITS) - 1), (last >> BLOCK_BITS) + 1):
            with translated(self._settings, "read the ledger"):
                rows = self._session.execute(
                    self._cql.read_ledger, (topic, partition, epoch, block, last)
                )
                for low, high, part, bitmaps, age, generation, attempt, fingerprint in rows:
                    if high >= first:
                        where = Fragment(
                            topic, partition, epoch, low, high, generation, attempt,
                            fingerprint=None if fingerprint is None else Fingerprint(*fingerprint),
                        )  # fmt: skip
                        yield LedgerRow(where, part, dict(bitmaps), age)

    def ledger_starts(self, topic: str) -> list[tuple[int, int, int]]:
        """See the port."""
        with translated(self._settings, "read the ledger"):
            return list(self._session.execute(self._cql.starts, (topic,)))

    def meters(self, topology: str) -> dict[tuple[str, str], bytes]:
        """See the port."""
        with translated(self._settings, "read meters"):
            rows = self._session.execute(self._cql.meters, (topology,))
            return {(component, instance): body for component, instance, body in rows}

    def alerts(self, domain: str, limit: int) -> list[DecisionRow]:
        """See the port."""
        with translated(self._settings, "read alerts"):
            found = self._newest("alerts", domain, self._cql.alerts, [()], limit)
        rows = [DecisionRow(*(*row, True)) for _, _, row in found]
        return standing(rows, limit, lambda keys: self.find_decisions(domain, keys))

    def set_aside(self, domain: str, limit: int) -> list[StoredAside]:
        """See the port."""
        states = [(str(state),) for state in ASIDE_STATES]
        with translated(self._settings, "read set-aside records"):
            found = self._newest("dead_letters", domain, self._cql.asides, states, limit)
        rows = [
            StoredAside(topic, place, row[0], SetAside(*row[1:])) for topic, place, row in found
        ]
        return sorted(rows, key=lambda a: (-a.row.timestamp, *a[:3], -a.row.offset))[:limit]

    def _newest(
        self, kind: str, domain: str, statement: Any, within: Sequence[tuple[Any, ...]], limit: int
    ) -> list[tuple[str, int, Any]]:
        """(topic, partition, row) of the newest days that together hold `limit` rows."""
        found: list[tuple[str, int, Any]] = []
        known = self._session.execute(self._cql.days, (kind, domain))
        for _, places in groupby(known, key=lambda row: row[0]):
            asked = [(place, more) for place in places for more in within]
            reads = (statement.bind((domain, *place, *more, limit)) for place, more in asked)
            for ((_, topic, partition), _), rows in zip(asked, self._run(reads), strict=True):
                found += ((topic, partition, row) for row in rows)
            if len(found) >= limit:
                break
        return found

    def _run(self, statements: Iterable[Any]) -> Generator[Any, None, None]:
        """Results in order, IN_FLIGHT requests at once. No request outlives the call.

        A call has a third of the time that a bolt may work on a batch (it reads, writes outcomes,
        writes states); Cassandra that answers too slowly for that raises OperationTimedOut.
        """
        under_way: deque[tuple[Any, Any]] = deque()
        until = monotonic() + self._settings.work_timeout_s / 3
        try:
            for statement in statements:
                if len(under_way) >= IN_FLIGHT:
                    yield self._result(*under_way.popleft(), until)
                    if monotonic() > until:
                        raise OperationTimedOut
                under_way.append((statement, self._session.execute_async(statement)))
            while under_way:
                yield self._result(*under_way.popleft(), until)
        finally:
            for _, future in under_way:
                with suppress(*UNAVAILABLE):  # the first failure is the one that is told
                    future.result()

    def _result(self, statement: Any, future: Any, until: float) -> Any:
        """Its result. What the driver did not send, its socket being full, is sent when it can."""
        until = min(until, monotonic() + self._settings.cassandra_request_timeout_s)
        while True:
            try:
                return future.result()
            except NoHostAvailable as error:
                if not is_busy(error) or monotonic() > until:
                    raise
            sleep(BUSY_PAUSE_S)
            future = self._session.execute_async(statement)
