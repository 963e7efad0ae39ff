"""What people do, in Spanner: each change a transaction, so that of two the second is told."""

from collections.abc import Sequence

import msgspec

from stormwatch.adapters.spanner.session import Database, Transaction, translated
from stormwatch.adapters.spanner.values import in_days, names, writes
from stormwatch.people import AlertKey, Audit, Token, Work
from stormwatch.records import day_of
from stormwatch.settings import Settings

_WORK = "domain, entity, time, id, version, body, expires"
_AUDIT = "day, `at`, nonce, who, role, origin, act, target, detail, outcome"
_TOKEN = "name, sha256, role, created, expires, revoked"


class SpannerPeople:
    """The port `People`."""

    _database: Database
    _settings: Settings

    def works(self, domain: str, keys: Sequence[AlertKey]) -> dict[AlertKey, Work]:
        """See the port."""
        with translated(self._settings, "read what people did"):
            rows = self._database.read(
                "alert_work", "entity, time, id, body", [(domain, *key) for key in set(keys)]
            )
            return {AlertKey(*key): _work(body) for *key, body in rows}

    def work(self, domain: str, key: AlertKey) -> Work:
        """See the port."""
        return self.works(domain, [key]).get(key, Work())

    def put_work(self, domain: str, key: AlertKey, work: Work) -> bool:
        """See the port."""
        until = in_days(self._settings.ttl_decisions_d)
        row = (domain, *key, work.version, msgspec.json.encode(work), until)

        def put(transaction: Transaction) -> bool:
            found = transaction.read("alert_work", "version", [(domain, *key)])
            if (found[0][0] if found else 0) != work.version - 1:
                return False
            transaction.write(writes("alert_work", _WORK, [row]))
            return True

        with translated(self._settings, "confirm what a person did"):
            return self._database.transact(put)

    def write_audit(self, row: Audit) -> None:
        """See the port."""
        values = (day_of(row.at), *msgspec.structs.astuple(row))
        with translated(self._settings, "confirm a row of the audit log"):
            self._database.write(writes("audit", _AUDIT, [values]))

    def audit(self, day: int, limit: int) -> list[Audit]:
        """See the port."""
        columns = ", ".join(_AUDIT.split(", ")[1:])
        with translated(self._settings, "read the audit log"):
            rows = self._database.query(
                f"SELECT {columns} FROM audit WHERE day = @day ORDER BY `at` DESC, nonce "
                "LIMIT @most",
                day=day, most=limit,
            )  # fmt: skip
            return [Audit(*row) for row in rows]

    def tokens(self) -> list[Token]:
        """See the port."""
        with translated(self._settings, "read tokens"):
            rows = self._database.query(f"SELECT {_TOKEN} FROM tokens ORDER BY name")
            return [Token(*row) for row in rows]

    def put_token(self, token: Token) -> bool:
        """See the port."""

        def put(transaction: Transaction) -> bool:
            if transaction.read("tokens", "name", [(token.name,)]):
                return False
            row = msgspec.structs.astuple(token)
            transaction.write(writes("tokens", _TOKEN, [row]))
            return True

        with translated(self._settings, "confirm a token"):
            return self._database.transact(put)

    def revoke_token(self, name: str, at: int) -> bool:
        """See the port."""

        def revoke(transaction: Transaction) -> bool:
            found = transaction.read("tokens", _TOKEN, [(name,)])
            for row in found:
                kept = dict(zip(names(_TOKEN), row, strict=True)) | {"revoked": at}
                transaction.write(writes("tokens", _TOKEN, [list(kept.values())]))
            return bool(found)

        with translated(self._settings, "confirm that a token is revoked"):
            return self._database.transact(revoke)


def _work(body: bytes) -> Work:
    return msgspec.json.decode(body, type=Work)
