"""Where the server listens, and what that asks for: loopback by default, else tokens and TLS."""

import socket
import ssl
from typing import NamedTuple

from stormwatch.errors import SettingsError

PORT = 8_765
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ANY = ("0.0.0.0", "::")
_BACKLOG = 2_048
UNREAD_MS = 30_000
"""A connection whose other end takes nothing for so long is dropped."""
_UNREAD_BYTES = 1 << 16
"""What the system holds for it meanwhile; Linux doubles it."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket on any address; port 0 takes a free one. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (40 ms an answer) only where the protocol is named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Port {port} of {host} cannot be had: {error.strerror}. Another program may be on "
            "it; choose another with --port, or 0 for a free one."
        ) from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # of Linux; connections have it of this socket
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
    listening.listen(_BACKLOG)
    return listening


class Front(NamedTuple):
    """How requests come. `proxied`: through a proxy, which does TLS and says whom it asks for."""

    host: str = LOOPBACK[0]
    names: tuple[str, ...] = ()  # that requests may call it by, beside the host
    certificate: str = ""  # PEM files
    key: str = ""
    proxied: bool = False

    @property
    def is_local(self) -> bool:
        """Whether this machine alone reaches it, and nobody passes others on."""
        return self.host in LOOPBACK and not self.proxied

    @property
    def secure(self) -> bool:
        """Whether whoever asks speaks TLS."""
        return self.proxied or bool(self.certificate)

    @property
    def hosts(self) -> frozenset[str]:
        """Names that a request may call it by."""
        own = () if self.host in _ANY else (self.host, f"[{self.host}]")
        return frozenset({*LOOPBACK, "[::1]", *own, *self.names})

    def check(self, tokens: bool) -> None:
        """Raises SettingsError, with what to do, for what others could read or overhear.

        `tokens`: whether somebody has one that holds.
        """
        if bool(self.certificate) != bool(self.key):
            raise SettingsError("--tls-cert and --tls-key go together: give both, or neither.")
        if self.certificate:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
            except (OSError, ssl.SSLError) as error:
                raise SettingsError(
                    f"--tls-cert {self.certificate} with --tls-key {self.key}: {error}. They must "
                    "be a certificate and its key, as PEM files."
                ) from error
        if self.is_local:
            return
        if not tokens:
            raise SettingsError(
                f"--host {self.host}: others could reach it, and nobody has a token that holds. "
                "First: `./stormwatch token add NAME --role operator`. Or listen on "
                f"{LOOPBACK[0]} and reach it through `ssh -L`."
            )
        if not self.secure:
            raise SettingsError(
                f"--host {self.host}: tokens would be sent in clear. Give --tls-cert and "
                "--tls-key, or say --behind-tls-proxy where a proxy in front does TLS."
            )

    def listen(self, port: int) -> socket.socket:
        """A listening socket; port 0 takes a free one. Raises SettingsError with what to do."""
        return bound(self.host, port)

    def address(self, listening: socket.socket) -> str:
        """Where the page is."""
        host, port = listening.getsockname()[:2]
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


HERE = Front()
"""This machine alone."""
