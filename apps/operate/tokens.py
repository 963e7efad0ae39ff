"""Tokens: who may ask the API, with which role. Only a hash of each is stored.

A token has 256 random bits, so that its SHA-256 tells nothing of it; hashes are compared in
constant time, all of them each time.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from apps.operate.casework import Who
from stormwatch.errors import SettingsError, StoreUnavailable, StormwatchError
from stormwatch.people import OPERATOR, ROLES, Audit, People, Token

PREFIX = "sw_"
"""So that a leaked token is found by a search for it."""
DAYS = 90
DAYS_MOST = 366
KNOWN_MS = 5_000
"""What was read of tokens holds for so long: then a revoked one is refused."""
FAILURES, LOCKED_MS = 10, 600_000
"""Wrong tokens of one address within LOCKED_MS, and for how long it is then locked out."""
RATE, BURST = 100.0, 400.0
"""Requests a second of one asker, and at once."""
ASKERS = 10_000
"""Addresses and names that are remembered."""


class NoEntry(StormwatchError):
    """Why somebody may not ask: an HTTP status, and seconds to wait (0: waiting does not help)."""

    def __init__(self, status: int, said: str, wait_s: int = 0) -> None:
        super().__init__(said)
        self.status, self.wait_s = status, wait_s


def add(people: People, name: str, role: str, days: int, now: int) -> str:
    """A new token: shown once, stored nowhere. Raises SettingsError, StoreUnavailable."""
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise SettingsError(f"{name!r}: a token's name has letters, digits, - and _ alone.")
    if len(name) > 48:
        raise SettingsError("A token's name has at most 48 characters.")
    if role not in ROLES:
        raise SettingsError(f"{role!r} is no role. Choose one of: {', '.join(ROLES)}.")
    if not 1 <= days <= DAYS_MOST:
        raise SettingsError(f"A token holds for 1 to {DAYS_MOST} days, not {days}.")
    text = PREFIX + secrets.token_urlsafe(32)
    token = Token(name, hash_of(text), role, now, now + days * 86_400_000)
    if not people.put_token(token):
        raise SettingsError(
            f"There is a token {name!r} already, perhaps a revoked one. Choose another name: the "
            "audit log tells people apart by it."
        )
    return text


def hash_of(text: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(text.encode()).digest()


class _Failures(NamedTuple):
    since: int
    many: int


class Gate:
    """Lets those in who have a token. Where none was ever made, and `open_`, everybody is let in
    as an operator: what listens on the loopback of one's own machine.

    Its methods may be called by several threads.
    """

    def __init__(
        self, people: People, clock: Callable[[], int], local: str, *, open_: bool
    ) -> None:
        """`local`: the name of whoever needs no token."""
        self._people, self._clock, self._local, self._open = people, clock, local, open_
        self._lock = Lock()
        self._tokens: list[Token] | None = None
        self._read_at = 0
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @property
    def stale(self) -> bool:
        """Whether `refresh` would ask the store."""
        return self._tokens is None or self._clock() - self._read_at > KNOWN_MS

    def refresh(self) -> None:
        """Read the tokens anew. While the store is away, those known before hold.

        Raises StoreUnavailable where none were read yet.
        """
        try:
            found = self._people.tokens()
        except StoreUnavailable:
            if self._tokens is None:
                raise
        else:
            self._tokens = found
        self._read_at = self._clock()

    @property
    def needed(self) -> bool:
        """Whether a token is."""
        return bool(self._tokens) or not self._open

    def enter(self, origin: str, text: str | None) -> Who:
        """Who that is. Raises NoEntry. `origin`: the address, for the lock-out."""
        now = self._clock()
        if text is None:
            if self.needed:
                raise NoEntry(
                    401, "A token is needed: `./stormwatch token add NAME --role viewer`."
                )
            return Who(self._local, OPERATOR, origin)
        with self._lock:
            self._locked_out(origin, now)
            given, found = hash_of(text), None
            for token in self._tokens or ():
                if hmac.compare_digest(token.hash, given):
                    found = token
            if found is None:
                before = self._failures.pop(origin, _Failures(now, 0))
                self._failures[origin] = before._replace(many=before.many + 1)
                _bound(self._failures)
                raise NoEntry(401, "That token is none of this server's.")
        if not found.holds(now):
            why = "was revoked" if found.revoked else "has expired"
            raise NoEntry(401, f"The token {found.name!r} {why}: ask an operator for a new one.")
        return Who(found.name, found.role, origin)

    def expires(self, name: str) -> int:
        """Until when (ms) a name's token holds; 0 where it has none."""
        return next((t.expires for t in self._tokens or () if t.name == name), 0)

    def take(self, who: Who) -> None:
        """Count a request. Raises NoEntry for one too many."""
        now = self._clock()
        name = who.name if self.needed else who.origin
        with self._lock:
            left, at = self._buckets.pop(name, (BURST, now))
            left = min(BURST, left + (now - at) / 1000 * RATE)
            self._buckets[name] = (max(left - 1, 0.0), now)
            _bound(self._buckets)
        if left < 1:
            raise NoEntry(429, f"More than {RATE:g} requests a second: wait a moment.", 1)

    def turned_away(self, who: Who, act: str, why: str) -> None:
        """Into the audit log: a write that the role has no right to. Raises StoreUnavailable."""
        self._people.write_audit(Audit(
            self._clock(), secrets.token_hex(8), who.name, who.role, who.origin, act, "", "",
            f"refused: {why}",
        ))  # fmt: skip

    def _locked_out(self, origin: str, now: int) -> None:
        failed = self._failures.get(origin)
        if failed is None:
            return
        over = failed.since + LOCKED_MS - now
        if over <= 0:
            del self._failures[origin]
        elif failed.many >= FAILURES:
            raise NoEntry(
                429, f"{FAILURES} wrong tokens came from {origin}: it is locked out for "
                f"{over // 1000 + 1} s.", over // 1000 + 1,
            )  # fmt: skip


def bearer(authorization: str | None) -> str | None:
    """The token in a header `Authorization`; "" where it is none, None without the header."""
    if authorization is None:
        return None
    kind, _, text = authorization.partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def _bound(some: OrderedDict[str, Any]) -> None:
    while len(some) > ASKERS:
        some.popitem(last=False)
