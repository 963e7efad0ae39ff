"""Erasing rows for good. Each is deleted with the write timestamp that it has: a DELETE of now
would hide what is written later, whose timestamps are no times (schema/README.md).
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from cassandra.cluster import Session

from stormwatch.adapters.cassandra.reads import CassandraReads
from stormwatch.adapters.cassandra.session import keyspace_of, translated
from stormwatch.archive import Erased
from stormwatch.people import AlertKey
from stormwatch.ports import StoredAside
from stormwatch.records import day_of
from stormwatch.state.decided import SLOT_MS, quarter_of, without

_TABLES = {
    "states": ("state", "domain = ? AND stripe = ? AND entity = ?"),
    "decisions": (
        "body", "domain = ? AND stripe = ? AND period = ? AND entity = ? AND time = ? AND id = ?",
    ),
    "alerts": (
        "body", "domain = ? AND day = ? AND topic = ? AND partition = ? AND ktime = ? "
        "AND entity = ? AND id = ?",
    ),
    "dead_letters": (
        "code", "domain = ? AND day = ? AND topic = ? AND partition = ? AND state = ? "
        "AND epoch = ? AND offset = ?",
    ),
}  # fmt: skip


_SLOT = "domain = ? AND quarter = ? AND topic = ? AND partition = ? AND slot = ?"
_WORK = "epoch, first, last, part, generation, attempt"
_OF_WORK = " AND ".join(f"{name} = ?" for name in _WORK.split(", "))


class _Statements:
    def __init__(self, session: Session, keyspace: str) -> None:
        self.stamp, self.delete = {}, {}
        for table, (column, where) in _TABLES.items():
            self.stamp[table] = session.prepare(
                f"SELECT WRITETIME({column}) FROM {keyspace}.{table} WHERE {where}"
            )
            self.delete[table] = session.prepare(
                f"DELETE FROM {keyspace}.{table} USING TIMESTAMP ? WHERE {where}"
            )
        self.entries = session.prepare(
            f"SELECT {_WORK}, body, WRITETIME(body), TTL(body) FROM {keyspace}.decided "
            f"WHERE {_SLOT}"
        )
        self.shortened = session.prepare(
            f"INSERT INTO {keyspace}.decided (domain, quarter, topic, partition, slot, {_WORK}, "
            "body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?"
        )
        self.no_entries = session.prepare(
            f"DELETE FROM {keyspace}.decided USING TIMESTAMP ? WHERE {_SLOT} AND {_OF_WORK}"
        )
        self.work = session.prepare(
            f"DELETE FROM {keyspace}.alert_work WHERE domain = ? AND day = ? AND entity = ? "
            "AND time = ? AND id = ? IF EXISTS"
        )


class CassandraErase(CassandraReads):
    """The part of the port `Archive` that erases."""

    @cached_property
    def _erase(self) -> _Statements:
        return _Statements(self._session, keyspace_of(self._settings))

    def erase_state(self, domain: str, stripe: int, entity: str) -> bool:
        """See the port."""
        with translated(self._settings, "erase a state"):
            return self._gone("states", (domain, stripe, entity))

    def erase_decisions(self, domain: str, rows: Sequence[Erased]) -> int:
        """See the port."""
        with translated(self._settings, "erase decisions"):
            erased = 0
            self._erase_entries(domain, rows)
            for r in rows:
                day = day_of(r.timestamp)
                at = (domain, day, r.topic, r.partition, r.timestamp, r.entity, r.id)
                self._gone("alerts", at)
                period = r.time // self._period_ms
                erased += self._gone(
                    "decisions", (domain, r.stripe, period, r.entity, r.time, r.id)
                )
                key = AlertKey(r.entity, r.time, r.id)
                self._session.execute(self._erase.work, (domain, key.day, *key))
            return erased

    def _erase_entries(self, domain: str, rows: Iterable[Erased]) -> None:
        """Out of the index of decisions, whose rows name others, too: those are written again, a
        microsecond later."""
        gone: dict[tuple[Any, ...], list[tuple[str, int, str]]] = {}
        for r in rows:
            slot = (domain, quarter_of(r.timestamp), r.topic, r.partition, r.timestamp // SLOT_MS)
            gone.setdefault(slot, []).append((r.entity, r.time, r.id))
        for slot, some in gone.items():
            for *work, entries, stamp, ttl_s in self._session.execute(self._erase.entries, slot):
                left = without(bytes(entries), some)
                if left is None:
                    self._session.execute(self._erase.no_entries, (stamp, *slot, *work))
                elif left != bytes(entries):
                    values = (*slot, *work, left, stamp + 1, ttl_s or 0)
                    self._session.execute(self._erase.shortened, values)

    def erase_asides(self, domain: str, rows: Sequence[StoredAside]) -> int:
        """See the port."""
        with translated(self._settings, "erase set-aside records"):
            return sum(
                self._gone(
                    "dead_letters",
                    (domain, day_of(one.row.timestamp), one.topic, one.partition, one.row.state,
                     one.epoch, one.row.offset),
                )
                for one in rows
            )  # fmt: skip

    def _gone(self, table: str, key: tuple[Any, ...]) -> bool:
        row = self._session.execute(self._erase.stamp[table], key).one()
        if row is None or row[0] is None:
            return False
        self._session.execute(self._erase.delete[table], (row[0], *key))
        return True
