"""The part of the port `Store` that keeps versions of rules and models."""

from functools import cached_property
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from stormwatch.adapters.cassandra.session import keyspace_of, translated
from stormwatch.rollout.changes import Change, chunks, decode, digest, encode
from stormwatch.settings import Settings


class CassandraRegistry:
    """Asked rarely, and by any thread: the session is safe for that."""

    _session: Session
    _settings: Settings

    @cached_property
    def _pieces(self) -> tuple[Any, Any]:
        table = f"{keyspace_of(self._settings)}.rollout_artefacts"
        return tuple(
            self._session.prepare(text)
            for text in (
                f"INSERT INTO {table} (sha256, piece, pieces, data) VALUES (?, ?, ?, ?)",
                f"SELECT pieces, data FROM {table} WHERE sha256 = ? AND piece = ?",
            )
        )

    def changes(self, domain: str, kind: str, limit: int) -> list[Change]:
        """See the port."""
        # Serial: sees what a lightweight transaction has just written.
        read = SimpleStatement(
            f"SELECT body FROM {keyspace_of(self._settings)}.rollout_changes "
            "WHERE domain = %s AND kind = %s LIMIT %s",
            consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        )
        with translated(self._settings, "return changes of rules and models"):
            rows = self._session.execute(read, (domain, kind, limit))
            return [decode(bytes(body)) for (body,) in rows]

    def add_change(self, change: Change) -> bool:
        """See the port."""
        with translated(self._settings, "keep a change"):
            row = self._session.execute(
                f"INSERT INTO {keyspace_of(self._settings)}.rollout_changes "
                "(domain, kind, revision, body) VALUES (%s, %s, %s, %s) IF NOT EXISTS",
                (change.domain, change.kind, change.revision, encode(change)),
            ).one()
            # Also where an earlier try was written and not confirmed.
            return bool(row[0]) or decode(bytes(row[-1])) == change

    def keep_artefact(self, artefact: bytes) -> str:
        """See the port."""
        name, pieces = digest(artefact), chunks(artefact)
        with translated(self._settings, "keep an artefact"):
            for number, piece in enumerate(pieces):
                self._session.execute(self._pieces[0], (name, number, len(pieces), piece))
        return name

    def artefact(self, name: str) -> bytes | None:
        """See the port."""
        found: list[bytes] = []
        with translated(self._settings, "return an artefact"):
            while True:
                row = self._session.execute(self._pieces[1], (name, len(found))).one()
                if row is None:
                    return None
                found.append(bytes(row[1]))
                if len(found) == row[0]:
                    return b"".join(found)
