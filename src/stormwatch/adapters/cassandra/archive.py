"""What only audits read of Cassandra, and the acts of people; statements prepared on first use."""

from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from heapq import merge
from itertools import groupby, starmap
from typing import Any

from cassandra.cluster import Session

from stormwatch.adapters.cassandra.reads import ASIDE_STATES, CassandraReads
from stormwatch.adapters.cassandra.session import keyspace_of, translated
from stormwatch.adapters.cassandra.statements import DAY_S
from stormwatch.archive import AlertPlace, LetterAct, StoredDecision
from stormwatch.ports import StoredAside
from stormwatch.records import DecisionRow, SetAside, StateRow, day_of
from stormwatch.state.alerts import standing
from stormwatch.state.decided import SLOT_MS, Entry, in_order, quarter_of
from stormwatch.state.envelope import newest_of
from stormwatch.state.write_timestamps import epoch_of

_SCAN_TIMEOUT_S = 60.0
_PAGE = 2_000
_SLOTS_FIRST, _SLOTS_PAGE = 5, 320
_AT_ONCE = 250
"""Entities whose decisions one call reads."""
_ASIDE = "epoch, offset, ktime, state, code, reason, component, key, raw"
_ACT = "topic, partition, epoch, offset, at, act, who, note, to_partition, to_offset"
_DAY = "domain = ? AND day = ? AND topic = ? AND partition = ?"


class _Statements:
    def __init__(self, session: Session, keyspace: str, ttl_s: int) -> None:
        def prepare(text: str) -> Any:
            statement = session.prepare(text)
            statement.is_idempotent = True
            statement.fetch_size = _PAGE
            return statement

        letters = f"SELECT {_ASIDE} FROM {keyspace}.dead_letters WHERE {_DAY}"
        self.asides = prepare(letters)
        self.find = prepare(f"{letters} AND state IN ? AND epoch = ? AND offset = ?")
        marks = ", ".join("?" * (_ACT.count(",") + 2))
        self.act = prepare(
            f"INSERT INTO {keyspace}.letter_acts (domain, {_ACT}) VALUES ({marks}) "
            f"USING TIMESTAMP ? AND TTL {ttl_s}"
        )
        self.acts = prepare(
            f"SELECT {_ACT} FROM {keyspace}.letter_acts "
            "WHERE domain = ? AND topic = ? AND partition = ?"
        )
        self.state = prepare(
            f"SELECT state, WRITETIME(state) FROM {keyspace}.states "
            "WHERE domain = ? AND stripe = ? AND entity = ?"
        )
        self.states = prepare(
            f"SELECT entity, state FROM {keyspace}.states WHERE domain = ? AND stripe = ? LIMIT ?"
        )
        alerts = (
            "SELECT stripe, entity, time, id, outcome, score, body, ktime "
            f"FROM {keyspace}.alerts WHERE {_DAY}"
        )
        self.alerts = prepare(f"{alerts} LIMIT ?")
        self.alerts_with = prepare(f"{alerts} AND ktime = ? AND (entity, id) > (?, ?) LIMIT ?")
        self.alerts_before = prepare(f"{alerts} AND ktime < ? LIMIT ?")
        self.quarters = prepare(
            f"SELECT day, topic, partition FROM {keyspace}.days "
            "WHERE kind = 'decided' AND domain = ? AND day >= ? AND day <= ?"
        )
        self.decided = prepare(
            f"SELECT slot, body FROM {keyspace}.decided WHERE domain = ? AND quarter = ? "
            "AND topic = ? AND partition = ? AND slot >= ? AND slot <= ?"
        )
        self.of_entity = prepare(
            "SELECT stripe, entity, time, id, outcome, score, body, ktime, alert "
            f"FROM {keyspace}.decisions WHERE domain = ? AND stripe = ? AND period = ? "
            "AND entity = ? AND time >= ? AND (time, id) < (?, ?) "
            "ORDER BY entity DESC, time DESC, id DESC LIMIT ?"
        )
        self.decisions = prepare(
            "SELECT domain, WRITETIME(body), stripe, entity, time, id, outcome, score, body, "
            f"ktime, alert FROM {keyspace}.decisions"
        )


class CassandraArchive(CassandraReads):
    """The port `Archive` beyond `Store`."""

    @cached_property
    def _archive(self) -> _Statements:
        with translated(self._settings, "prepare statements"):
            ttl_s = self._settings.ttl_dead_letters_d * DAY_S
            return _Statements(self._session, keyspace_of(self._settings), ttl_s)

    def asides(self, domain: str) -> Iterator[StoredAside]:
        """See the port."""
        with translated(self._settings, "read set-aside records"):
            for day, topic, partition in self._days_of(domain):
                asked = (domain, day, topic, partition)
                for row in self._session.execute(
                    self._archive.asides, asked, timeout=_SCAN_TIMEOUT_S
                ):
                    yield StoredAside(topic, partition, row[0], SetAside(*row[1:]))

    def find_asides(
        self, domain: str, topic: str, partition: int, epoch: int, offset: int
    ) -> list[StoredAside]:
        """See the port."""
        states = [str(state) for state in ASIDE_STATES]
        with translated(self._settings, "read set-aside records"):
            reads = (
                self._archive.find.bind((domain, day, topic, partition, states, epoch, offset))
                for day, there, place in self._days_of(domain)
                if (there, place) == (topic, partition)
            )
            return [
                StoredAside(topic, partition, row[0], SetAside(*row[1:]))
                for rows in self._run(reads)
                for row in rows
            ]

    def write_act(self, domain: str, act: LetterAct) -> None:
        """See the port."""
        values = (domain, *(getattr(act, name) for name in _ACT.split(", ")), act.at)
        with translated(self._settings, "confirm a write of an act"):
            self._session.execute(self._archive.act, values)

    def acts(self, domain: str, topic: str, partition: int) -> list[LetterAct]:
        """See the port."""
        with translated(self._settings, "read acts"):
            rows = self._session.execute(self._archive.acts, (domain, topic, partition))
            return [LetterAct(*row) for row in rows]

    def find_state(self, domain: str, stripe: int, entity: str) -> StateRow | None:
        """See the port."""
        with translated(self._settings, "read a state"):
            rows = self._session.execute(self._archive.state, (domain, stripe, entity))
            return next((StateRow(stripe, entity, *row) for row in rows), None)

    def alerts_after(self, domain: str, place: AlertPlace, limit: int) -> list[DecisionRow]:
        """See the port."""
        last = day_of(place.timestamp)
        found: list[DecisionRow] = []
        with translated(self._settings, "read alerts"):
            known = self._session.execute(self._cql.days, ("alerts", domain))
            for day, places in groupby(known, key=lambda row: row[0]):
                if day > last or len(found) >= limit:
                    continue
                reads = []
                for at in places:
                    where = (domain, *at)
                    if day < last:
                        reads.append(self._archive.alerts.bind((*where, limit)))
                        continue
                    reads += (
                        self._archive.alerts_with.bind((*where, *place, limit)),
                        self._archive.alerts_before.bind((*where, place.timestamp, limit)),
                    )
                found += (DecisionRow(*(*row, True)) for rows in self._run(reads) for row in rows)
        return standing(found, limit, lambda keys: self.find_decisions(domain, keys))

    def decided(self, domain: str, since: int, until: int) -> Iterator[list[Entry]]:
        """See the port."""
        first, last = since // SLOT_MS, (until - 1) // SLOT_MS
        with translated(self._settings, "read decisions"):
            known = self._session.execute(
                self._archive.quarters, (domain, quarter_of(since), quarter_of(until - 1))
            )
            for _, places in groupby(known, key=lambda row: row[0]):
                reads = [
                    self._archive.decided.bind((domain, *place, first, last)) for place in places
                ]
                for read in reads:
                    read.fetch_size = _SLOTS_FIRST
                pages = zip(reads, self._run(reads), strict=True)
                rows = merge(*starmap(self._read_on, pages), key=lambda row: -row[0])
                for _, some in groupby(rows, key=lambda row: row[0]):
                    entries = in_order(bytes(blob) for _, blob in some)
                    yield [e for e in entries if since <= e.timestamp < until]

    def _read_on(self, read: Any, page: Any) -> Iterator[Any]:
        """Rows of the first page, and of those after it as they are asked for: larger and larger
        ones, as a row holds one decision or a thousand."""
        while True:
            yield from page.current_rows
            if page.paging_state is None:
                return
            read.fetch_size = min(4 * read.fetch_size, _SLOTS_PAGE)
            page = self._session.execute(read, paging_state=page.paging_state)

    def decisions_of(
        self, domain: str, stripe: int, entity: str, since: int, before: tuple[int, str], limit: int
    ) -> list[DecisionRow]:
        """See the port."""
        newest, oldest = before[0] // self._period_ms, since // self._period_ms
        found: list[DecisionRow] = []
        with (
            translated(self._settings, "read decisions"),
            closing(
                self._run(
                    self._archive.of_entity.bind(
                        (domain, stripe, period, entity, since, *before, limit)
                    )
                    for period in range(newest, oldest - 1, -1)
                )
            ) as answers,
        ):
            for rows in answers:
                found += (DecisionRow(*row) for row in rows)
                if len(found) >= limit:
                    break
        return found[:limit]

    def newest_decisions(self, domain: str, each: int, limit: int) -> dict[str, list[DecisionRow]]:
        """See the port."""
        newest: dict[tuple[int, str], int] = {}
        with translated(self._settings, "read states"):
            reads = (
                self._archive.states.bind((domain, stripe, limit))
                for stripe in range(self._settings.layout_stripes)
            )
            with closing(self._run(reads)) as answers:
                for stripe, rows in enumerate(answers):
                    newest |= {(stripe, key): newest_of(bytes(blob)) for key, blob in rows if blob}
                    if len(newest) >= limit:
                        break
        found: dict[str, list[DecisionRow]] = {}
        asked = list(newest.items())[:limit]
        for i in range(0, len(asked), _AT_ONCE):  # each call has a time limit of its own
            some = asked[i : i + _AT_ONCE]
            reads = (
                self._archive.of_entity.bind(
                    (domain, stripe, time // self._period_ms, entity, 0, time + 1, "", each)
                )
                for (stripe, entity), time in some
            )
            with translated(self._settings, "read decisions"):
                for (key, _), rows in zip(some, self._run(reads), strict=True):
                    if decided := [DecisionRow(*row) for row in rows]:
                        found[key[1]] = decided
        return found

    def all_decisions(self, domain: str) -> Iterator[StoredDecision]:
        """See the port."""
        with translated(self._settings, "read decisions"):
            rows = self._session.execute(self._archive.decisions, timeout=_SCAN_TIMEOUT_S)
            for name, stamp, *cells in rows:
                if name == domain:
                    yield StoredDecision(epoch_of(stamp), DecisionRow(*cells))

    def _days_of(self, domain: str) -> list[tuple[int, str, int]]:
        return list(self._session.execute(self._cql.days, ("dead_letters", domain)))
