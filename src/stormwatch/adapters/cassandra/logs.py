"""What the keyspace knows of logs: incarnations given out once, and what was read of each."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec
from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from stormwatch.adapters import log_registry as registry
from stormwatch.adapters.cassandra.session import UNAVAILABLE, keyspace_of, translated
from stormwatch.adapters.log_registry import BY_GENERATION, Registered
from stormwatch.records import Fingerprint
from stormwatch.settings import Settings
from stormwatch.stretches import Stretch

_ALL = "incarnations"
_COLUMNS = ("partition", "incarnation", *BY_GENERATION)
_fingerprints = msgspec.msgpack.Decoder(tuple[Fingerprint, ...]).decode


class CassandraLogs:
    """The part of the port `Store` that is about logs. Asked rarely: at starts, and once a second
    for the positions."""

    _session: Session
    _settings: Settings

    @cached_property
    def _noting(self) -> tuple[Any, Any]:
        keyspace = keyspace_of(self._settings)
        row = "WHERE log = ? AND partition = ? AND incarnation = ?"
        kept = ", ".join(f"{name} = ?" for name in BY_GENERATION)
        return tuple(
            self._session.prepare(
                f"UPDATE {keyspace}.log_stretches USING TIMESTAMP ? SET {what} {row}"
            )
            for what in (kept, "position = ?, fingerprints = ?")
        )

    def incarnation(self, log: str, nth: int, claim: tuple[int, str] | None) -> int:
        """See the port."""
        keyspace = keyspace_of(self._settings)
        read = _serial(
            f"SELECT incarnation, stream, log, nth FROM {keyspace}.logs WHERE registry = %s"
        )
        with translated(self._settings, "give a log its incarnation"):
            while True:
                given = [Registered(*row) for row in self._session.execute(read, (_ALL,))]
                taken = registry.wanted(given, log, nth, claim)
                if taken in given:
                    return taken.incarnation
                row = self._session.execute(
                    f"INSERT INTO {keyspace}.logs (registry, incarnation, stream, log, nth) "
                    "VALUES (%s, %s, %s, %s, %s) IF NOT EXISTS",
                    (_ALL, *taken),
                ).one()
                if row[0]:  # [applied]
                    return taken.incarnation

    def resizes(self, log: str, partitions: int, known: tuple[int, int] | None) -> int:
        """See the port."""
        keyspace = keyspace_of(self._settings)
        read = _serial(f"SELECT partitions, resizes FROM {keyspace}.log_sizes WHERE log = %s")
        with translated(self._settings, "return the size of a log"):
            while True:
                row = self._session.execute(read, (log,)).one()
                before = None if row is None else (row[0], row[1])
                after = registry.sized(before, partitions, known)
                if after == before:
                    return after[1]
                if before is None:
                    done = self._session.execute(
                        f"INSERT INTO {keyspace}.log_sizes (log, partitions, resizes) "
                        "VALUES (%s, %s, %s) IF NOT EXISTS",
                        (log, *after),
                    ).one()
                else:
                    done = self._session.execute(
                        f"UPDATE {keyspace}.log_sizes SET partitions = %s, resizes = %s "
                        "WHERE log = %s IF partitions = %s",
                        (*after, log, before[0]),
                    ).one()
                if done[0]:
                    return after[1]

    def stretches(self, log: str) -> list[Stretch]:
        """See the port."""
        with translated(self._settings, "return what was read of a log"):
            rows = self._session.execute(
                f"SELECT {', '.join(_COLUMNS)}, position, fingerprints "
                f"FROM {keyspace_of(self._settings)}.log_stretches WHERE log = %s",
                (log,),
            )
            found = []
            for *cells, position, fingerprints in rows:
                kept = dict(zip(_COLUMNS, cells, strict=True))
                if kept["first"] is not None:
                    taken = _fingerprints(fingerprints) if fingerprints else ()
                    found.append(Stretch(**kept, position=position or 0, fingerprints=taken))
            return found

    def write_stretches(self, log: str, stretches: Sequence[Stretch]) -> None:
        """See the port."""
        with translated(self._settings, "confirm what was read of a log"):
            for each in stretches:
                kept = [getattr(each, name) for name in BY_GENERATION]
                key = (log, each.partition, each.incarnation)
                self._session.execute(self._noting[0], (each.generation + 1, *kept, *key))
                self._session.execute(self._noting[1], self._noted(log, each))

    def note_position(self, log: str, stretch: Stretch) -> None:
        """See the port."""
        with suppress(*UNAVAILABLE):  # the next one is as good
            self._session.execute_async(self._noting[1], self._noted(log, stretch))

    @staticmethod
    def _noted(log: str, s: Stretch) -> tuple[Any, ...]:
        key = (log, s.partition, s.incarnation)
        return s.position + 1, s.position, msgspec.msgpack.encode(s.fingerprints), *key


def _serial(text: str) -> SimpleStatement:
    """A read that sees what a lightweight transaction has just written."""
    return SimpleStatement(text, consistency_level=ConsistencyLevel.LOCAL_SERIAL)
