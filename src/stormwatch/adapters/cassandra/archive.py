"""What only audits read of Cassandra, and the acts of people; statements prepared on first use."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cassandra.cluster import Session

from stormwatch.adapters.cassandra.reads import ASIDE_STATES, CassandraReads
from stormwatch.adapters.cassandra.session import keyspace_of, translated
from stormwatch.adapters.cassandra.statements import DAY_S
from stormwatch.archive import LetterAct, StoredDecision
from stormwatch.ports import StoredAside
from stormwatch.records import DecisionRow, SetAside, StateRow
from stormwatch.state.write_timestamps import epoch_of

_SCAN_TIMEOUT_S = 60.0
_PAGE = 2_000
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

    def all_decisions(self, domain: str) -> Iterator[StoredDecision]:
        """See the port."""
        with translated(self._settings, "read decisions"):
            rows = self._session.execute(self._archive.decisions, timeout=_SCAN_TIMEOUT_S)
            for name, stamp, *cells in rows:
                if name == domain:
                    yield StoredDecision(epoch_of(stamp), DecisionRow(*cells))

    def _days_of(self, domain: str) -> list[tuple[int, str, int]]:
        return list(self._session.execute(self._cql.days, ("dead_letters", domain)))
