"""The port `People` in memory."""

from abc import abstractmethod
from collections.abc import Sequence
from threading import Lock
from typing import Any

import msgspec

from stormwatch.people import AlertKey, Audit, Token, Work
from stormwatch.records import day_of


class MemoryPeople:
    """What `MemoryStore` offers of people."""

    def __init__(self) -> None:
        super().__init__()
        self._people = Lock()
        self._works: dict[tuple[str, AlertKey], bytes] = {}
        self._audit: dict[tuple[int, str], Audit] = {}
        self._tokens: dict[str, Token] = {}

    @abstractmethod
    def _fail(self, method: str) -> Any: ...

    def works(self, domain: str, keys: Sequence[AlertKey]) -> dict[AlertKey, Work]:
        """See the port."""
        self._fail("works")
        found = {key: self._works[domain, key] for key in keys if (domain, key) in self._works}
        return {key: msgspec.json.decode(body, type=Work) for key, body in found.items()}

    def work(self, domain: str, key: AlertKey) -> Work:
        """See the port."""
        return self.works(domain, [key]).get(key, Work())

    def put_work(self, domain: str, key: AlertKey, work: Work) -> bool:
        """See the port."""
        self._fail("put_work")
        with self._people:
            if self.work(domain, key).version != work.version - 1:
                return False
            self._works[domain, key] = msgspec.json.encode(work)
            return True

    def _erase_work(self, domain: str, key: AlertKey) -> None:
        self._works.pop((domain, key), None)

    def write_audit(self, row: Audit) -> None:
        """See the port."""
        self._fail("write_audit")
        self._audit[row.at, row.nonce] = row

    def audit(self, day: int, limit: int) -> list[Audit]:
        """See the port."""
        self._fail("audit")
        rows = [row for row in list(self._audit.values()) if day_of(row.at) == day]
        return sorted(rows, key=lambda row: (-row.at, row.nonce))[:limit]

    def tokens(self) -> list[Token]:
        """See the port."""
        self._fail("tokens")
        return [self._tokens[name] for name in sorted(self._tokens)]

    def put_token(self, token: Token) -> bool:
        """See the port."""
        self._fail("put_token")
        with self._people:
            return self._tokens.setdefault(token.name, token) is token

    def revoke_token(self, name: str, at: int) -> bool:
        """See the port."""
        self._fail("revoke_token")
        with self._people:
            if name not in self._tokens:
                return False
            self._tokens[name] = msgspec.structs.replace(self._tokens[name], revoked=at)
            return True
