"""What people do, in Cassandra: by lightweight transactions, in tables that no topology writes."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
from cassandra import ConsistencyLevel
from cassandra.cluster import Session

from stormwatch.adapters.cassandra.reads import CassandraReads
from stormwatch.adapters.cassandra.session import keyspace_of, translated
from stormwatch.adapters.cassandra.statements import DAY_S
from stormwatch.people import AlertKey, Audit, Token, Work
from stormwatch.records import day_of

_AUDIT = "day, at, nonce, who, role, origin, act, target, detail, outcome"
_TOKEN = "name, hash, role, created, expires, revoked"
_REGISTRY = "tokens"
_KEYS = 100
"""Rows asked for in one IN."""


class _Statements:
    def __init__(self, session: Session, keyspace: str, ttl_s: int) -> None:
        row = "domain = ? AND day = ? AND entity = ? AND time = ? AND id = ?"
        works = f"SELECT entity, time, id, body FROM {keyspace}.alert_work WHERE"
        self.works = session.prepare(f"{works} domain = ? AND day = ? AND (entity, time, id) IN ?")
        self.work = session.prepare(f"{works} {row}")
        self.work.consistency_level = ConsistencyLevel.LOCAL_SERIAL
        self.new_work = session.prepare(
            f"INSERT INTO {keyspace}.alert_work (domain, day, entity, time, id, version, body) "
            f"VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS USING TTL {ttl_s}"
        )
        self.next_work = session.prepare(
            f"UPDATE {keyspace}.alert_work USING TTL {ttl_s} SET version = ?, body = ? "
            f"WHERE {row} IF version = ?"
        )
        marks = ", ".join("?" * (_AUDIT.count(",") + 1))
        self.write_audit = session.prepare(
            f"INSERT INTO {keyspace}.audit ({_AUDIT}) VALUES ({marks})"
        )
        self.audit = session.prepare(f"SELECT {_AUDIT} FROM {keyspace}.audit WHERE day = ? LIMIT ?")
        self.tokens = session.prepare(f"SELECT {_TOKEN} FROM {keyspace}.tokens WHERE registry = ?")
        self.tokens.consistency_level = ConsistencyLevel.LOCAL_SERIAL
        self.new_token = session.prepare(
            f"INSERT INTO {keyspace}.tokens (registry, {_TOKEN}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"
        )
        self.revoke = session.prepare(
            f"UPDATE {keyspace}.tokens SET revoked = ? WHERE registry = ? AND name = ? IF EXISTS"
        )


class CassandraPeople(CassandraReads):
    """The port `People`."""

    @cached_property
    def _people(self) -> _Statements:
        with translated(self._settings, "prepare statements"):
            ttl_s = self._settings.ttl_decisions_d * DAY_S
            return _Statements(self._session, keyspace_of(self._settings), ttl_s)

    def works(self, domain: str, keys: Sequence[AlertKey]) -> dict[AlertKey, Work]:
        """See the port."""
        by_day: dict[int, list[AlertKey]] = defaultdict(list)
        for key in keys:
            by_day[key.day].append(key)
        reads = (
            self._people.works.bind((domain, day, [tuple(key) for key in some[i : i + _KEYS]]))
            for day, some in by_day.items()
            for i in range(0, len(some), _KEYS)
        )
        with translated(self._settings, "read what people did"):
            return {
                AlertKey(*name): _work(body) for rows in self._run(reads) for *name, body in rows
            }

    def work(self, domain: str, key: AlertKey) -> Work:
        """See the port."""
        with translated(self._settings, "read what people did"):
            row = self._session.execute(self._people.work, (domain, key.day, *key)).one()
        return Work() if row is None else _work(row[-1])

    def put_work(self, domain: str, key: AlertKey, work: Work) -> bool:
        """See the port."""
        place, body = (domain, key.day, *key), msgspec.json.encode(work)
        with translated(self._settings, "confirm what a person did"):
            if work.version == 1:
                return self._applied(self._people.new_work, (*place, work.version, body))
            before = (*place, work.version - 1)
            return self._applied(self._people.next_work, (work.version, body, *before))

    def write_audit(self, row: Audit) -> None:
        """See the port."""
        values = (day_of(row.at), *msgspec.structs.astuple(row))
        with translated(self._settings, "confirm a row of the audit log"):
            self._session.execute(self._people.write_audit, values)

    def audit(self, day: int, limit: int) -> list[Audit]:
        """See the port."""
        with translated(self._settings, "read the audit log"):
            rows = self._session.execute(self._people.audit, (day, limit))
            return [Audit(*row[1:]) for row in rows]

    def tokens(self) -> list[Token]:
        """See the port."""
        with translated(self._settings, "read tokens"):
            return [Token(*row) for row in self._session.execute(self._people.tokens, (_REGISTRY,))]

    def put_token(self, token: Token) -> bool:
        """See the port."""
        values = (_REGISTRY, *msgspec.structs.astuple(token))
        with translated(self._settings, "confirm a token"):
            return self._applied(self._people.new_token, values)

    def revoke_token(self, name: str, at: int) -> bool:
        """See the port."""
        with translated(self._settings, "confirm that a token is revoked"):
            return self._applied(self._people.revoke, (at, _REGISTRY, name))

    def _applied(self, statement: Any, values: tuple[Any, ...]) -> bool:
        return bool(self._session.execute(statement, values).one()[0])


def _work(body: bytes) -> Work:
    return msgspec.json.decode(body, type=Work)
