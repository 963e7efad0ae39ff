"""The part of the port `Store` that counts the records of logs without offsets."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from cassandra.cluster import Session

from stormwatch.adapters.cassandra.session import keyspace_of, translated
from stormwatch.cursors import Anchor, Cursor
from stormwatch.settings import Settings


class CassandraCursors:
    """Written once a second for what is read; read at starts, and while a shard waits for others.

    A process that was replaced may set a cursor back: what is read again then is known by its
    marks, as where a group is moved by hand.
    """

    _session: Session
    _settings: Settings

    @cached_property
    def _cursor_writes(self) -> tuple[Any, Any]:
        start = f"UPDATE {keyspace_of(self._settings)}.log_cursors SET "
        row = " WHERE log = ? AND reader = ? AND partition = ?"
        kept = "offset = ?, metadata = ?, sequence = ?"
        return tuple(
            self._session.prepare(start + columns + row) for columns in (kept, kept + ", ended = ?")
        )

    def cursors(self, log: str, reader: str) -> dict[int, Cursor]:
        """See the port."""
        with translated(self._settings, "return how far a log was read"):
            rows = self._session.execute(
                "SELECT partition, offset, metadata, sequence, ended "
                f"FROM {keyspace_of(self._settings)}.log_cursors WHERE log = %s AND reader = %s",
                (log, reader),
            )
            return {
                partition: Cursor(offset, metadata or "", sequence or "", ended)
                for partition, offset, metadata, sequence, ended in rows
            }

    def write_cursors(self, log: str, reader: str, cursors: Mapping[int, Cursor]) -> None:
        """See the port."""
        plain, ending = self._cursor_writes
        with translated(self._settings, "confirm how far a log was read"):
            for partition, (*kept, ended) in cursors.items():
                key = (log, reader, partition)
                if ended is None:
                    self._session.execute(plain, (*kept, *key))
                else:
                    self._session.execute(ending, (*kept, ended, *key))

    def anchors(self, log: str, partition: int) -> list[Anchor]:
        """See the port."""
        with translated(self._settings, "return the counts of a log"):
            rows = self._session.execute(
                f"SELECT offset, sequence FROM {keyspace_of(self._settings)}.log_anchors "
                "WHERE log = %s AND partition = %s",
                (log, partition),
            )
            return [Anchor(*row) for row in rows]

    def anchor(self, log: str, partition: int, wanted: Anchor) -> Anchor:
        """See the port."""
        with translated(self._settings, "keep a count of a log"):
            row = self._session.execute(
                f"INSERT INTO {keyspace_of(self._settings)}.log_anchors "
                "(log, partition, offset, sequence) VALUES (%s, %s, %s, %s) IF NOT EXISTS",
                (log, partition, *wanted),
            ).one()
            return wanted if row[0] else Anchor(wanted.offset, row[-1])  # [applied], key, value
