"""The part of the port `Store` that keeps versions of rules and models."""

from stormwatch.adapters.spanner.session import Database, Transaction, translated
from stormwatch.adapters.spanner.values import writes
from stormwatch.rollout.changes import Change, chunks, decode, digest, encode
from stormwatch.settings import Settings

_CHANGE = "domain, kind, revision, body"
_PIECE = "sha256, piece, pieces, data"


class SpannerRegistry:
    """Asked rarely, and by any thread."""

    _database: Database
    _settings: Settings

    def changes(self, domain: str, kind: str, limit: int) -> list[Change]:
        """See the port."""
        with translated(self._settings, "return changes of rules and models"):
            rows = self._database.query(
                "SELECT body FROM rollout_changes WHERE domain = @domain AND kind = @kind "
                "ORDER BY revision DESC LIMIT @most",
                domain=domain, kind=kind, most=limit,
            )  # fmt: skip
            return [decode(body) for (body,) in rows]

    def add_change(self, change: Change) -> bool:
        """See the port."""

        def add(transaction: Transaction) -> bool:
            key = (change.domain, change.kind, change.revision)
            for (body,) in transaction.read("rollout_changes", "body", [key]):
                return decode(body) == change  # where an earlier try was written, not confirmed
            transaction.write(writes("rollout_changes", _CHANGE, [(*key, encode(change))]))
            return True

        with translated(self._settings, "keep a change"):
            return self._database.transact(add)

    def keep_artefact(self, artefact: bytes) -> str:
        """See the port."""
        name, pieces = digest(artefact), chunks(artefact)
        with translated(self._settings, "keep an artefact"):
            for number, piece in enumerate(pieces):
                row = (name, number, len(pieces), piece)
                self._database.write(writes("rollout_artefacts", _PIECE, [row]))
        return name

    def artefact(self, name: str) -> bytes | None:
        """See the port."""
        with translated(self._settings, "return an artefact"):
            rows = self._database.query(
                "SELECT pieces, data FROM rollout_artefacts WHERE sha256 = @name ORDER BY piece",
                name=name,
            )
            whole = bool(rows) and len(rows) == rows[0][0]
            return b"".join(data for _, data in rows) if whole else None
