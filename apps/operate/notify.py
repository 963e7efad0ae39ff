"""Alerts to a webhook: signed, tried again until the other side has them, each with an id by which
it knows what it has already.

A position of its own in the topic of alerts is committed after the other side confirmed: an alert
is sent at least once, and again after a crash in between.
"""

import hashlib
import hmac
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from stormwatch.errors import InfrastructureError, SettingsError, StormwatchError
from stormwatch.ports import Committed, Source
from stormwatch.records import Decision, Record
from stormwatch.settings import Settings, variable

_log = logging.getLogger(__name__)
TIMEOUT_S = 10.0
FIRST_S, MOST_S = 1.0, 60.0
"""Between two tries: doubled each time."""
AT_ONCE, POLL_S = 100, 0.5
TRIES = 5
"""Of an alert that the other side refuses as such (a status of 4xx): then it is passed over."""
_AGAIN = (408, 425, 429)


class NotTaken(StormwatchError):
    """The other side did not confirm; `lasting`: it refuses this very request."""

    def __init__(self, said: str, *, lasting: bool) -> None:
        super().__init__(said)
        self.lasting = lasting


class Target(NamedTuple):
    """Where alerts go. The secret is in no repr."""

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, settings: Settings) -> "Target":
        """Of `notify.url`, whose host must be in `notify.hosts`. Raises SettingsError."""
        try:
            url = urlsplit(settings.notify_url)
            port = url.port
        except ValueError as error:
            raise SettingsError(f"notify.url is no URL: {error}.") from error
        host = url.hostname or ""
        if url.scheme not in ("https", "http") or not host or url.username:
            raise SettingsError(
                "notify.url must be https://HOST/PATH, without a user in it. "
                f"Set {variable('notify.url')}."
            )
        if host not in _listed(settings):
            raise SettingsError(
                f"notify.url names the host {host!r}, which is not in notify.hosts: alerts go to "
                f"listed hosts alone. Set {variable('notify.hosts')}={host} if that is meant."
            )
        if url.scheme == "http" and not _is_loopback(host):
            raise SettingsError(
                "notify.url: alerts would go over the network in clear. Use https; http is for "
                "127.0.0.1 and ::1 alone."
            )
        if not settings.notify_secret:
            raise SettingsError(
                "notify.secret is empty: the other side could not tell our requests from others. "
                f"Set {variable('notify.secret')}."
            )
        secure = url.scheme == "https"
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        return cls(secure, host, port or (443 if secure else 80), path)

    def address(self) -> str:
        """The address to connect to, looked up now. Raises InfrastructureError, and SettingsError
        where the name leads to this machine, or to what only it reaches."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise InfrastructureError(f"{self.host} has no address: {error}.") from error
        for *_, (address, *_) in found:
            one = ipaddress.ip_address(str(address).partition("%")[0])
            one = getattr(one, "ipv4_mapped", None) or one
            local = one.is_loopback and not _is_loopback(self.host)
            if local or one.is_link_local or one.is_multicast or one.is_unspecified:
                raise SettingsError(
                    f"notify.url: {self.host} leads to {one}, an address of this machine or its "
                    "surroundings (metadata services answer there). Nothing is sent."
                )
        return str(found[0][4][0])


def signature(secret: str, at: int, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 of "SECONDS." and the body. The other side computes it anew,
    and refuses one whose time is long past."""
    made = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


def message(decision: Decision, domain: str, value: bytes) -> tuple[str, bytes]:
    """The id of an alert, the same however often it is sent, and the body."""
    name = f"{domain}/{decision.topic}/{decision.partition}/{decision.offset}/{decision.id}"
    why = "; ".join(reason.text for reason in decision.reasons)
    text = f"{decision.outcome.upper()} {decision.entity}: {why or 'by rules alone'}"
    return name, msgspec.json.encode(
        {"id": name, "domain": domain, "text": text, "alert": msgspec.Raw(value)}
    )


class _Alert(msgspec.Struct):
    domain: str


_decision = msgspec.json.Decoder(Decision).decode
_alert = msgspec.json.Decoder(_Alert).decode


class Notifier:
    """Sends what comes into the topic of alerts. `wait(seconds)` says whether to end."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        clock: Callable[[], int],
        wait: Callable[[float], bool],
    ) -> None:
        """`source`: of the topic of alerts, in a group of its own. Raises SettingsError."""
        self._target, self._secret = Target.of(settings), settings.notify_secret
        self._source, self._clock, self._wait = source, clock, wait
        self.sent = self.passed_over = 0

    def __repr__(self) -> str:
        return f"Notifier({self._target!r})"

    def begin(self) -> None:
        """Go on where the group is; at the first start with what comes from now on.

        Raises InfrastructureError; SettingsError where there is no topic of alerts yet.
        """
        info = self._source.describe()
        if info is None:
            raise SettingsError("There is no topic of alerts yet: start a topology first.")
        partitions = range(info.partitions)
        known = self._source.committed(partitions)
        marks = {part: self._source.watermarks(part) for part in partitions}
        positions = {
            part: max(known[part].offset, mark.low) if part in known else mark.high
            for part, mark in marks.items()
        }
        self._source.assign(positions)
        self._source.commit({p: Committed(o, "") for p, o in positions.items()}, wait=True)

    def step(self) -> None:
        """Send what is there; returns soon when nothing is. Raises InfrastructureError."""
        for partition, records in self._source.poll(AT_ONCE, POLL_S).items():
            for record in records:
                if not self._deliver(record):
                    return
                self._source.commit({partition: Committed(record.offset + 1, "")}, wait=True)

    def _deliver(self, record: Record) -> bool:
        """Until it is taken or passed over; False where it is to end."""
        try:
            value = record.value or b""
            name, body = message(_decision(value), _alert(value).domain, value)
        except msgspec.MsgspecError:
            self.passed_over += 1
            _log.error("the alert at offset %d is of another version: not sent", record.offset)
            return True
        pause, refused = FIRST_S, 0
        while True:
            try:
                self._post(name, body)
                self.sent += 1
                return True
            except (NotTaken, InfrastructureError) as error:
                refused += isinstance(error, NotTaken) and error.lasting
                if refused >= TRIES:
                    self.passed_over += 1
                    _log.error("%s is passed over: %s", name, error)
                    return True
                _log.warning("%s will be sent again: %s", name, error)
            if self._wait(pause):
                return False
            pause = min(2 * pause, MOST_S)

    def _post(self, name: str, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            "X-Stormwatch-Id": name.encode("unicode_escape").decode(),
            "X-Stormwatch-Signature": signature(self._secret, self._clock() // 1000, body),
        }
        target = self._target
        try:
            plain = socket.create_connection((target.address(), target.port), TIMEOUT_S)
            with closing(HTTPConnection(target.host, target.port, timeout=TIMEOUT_S)) as link:
                link.sock = plain
                if target.secure:
                    context = ssl.create_default_context()
                    link.sock = context.wrap_socket(plain, server_hostname=target.host)
                link.request("POST", target.path, body, headers)
                status = link.getresponse().status
        except (OSError, HTTPException) as error:
            raise NotTaken(f"{target.host} does not answer ({error})", lasting=False) from error
        if not 200 <= status < 300:  # a redirect is no confirmation, and is not followed
            lasting = 300 <= status < 500 and status not in _AGAIN
            raise NotTaken(f"{target.host} answered {status}", lasting=lasting)


def _listed(settings: Settings) -> set[str]:
    return {host.strip() for host in settings.notify_hosts.split(",") if host.strip()}


def _is_loopback(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")
