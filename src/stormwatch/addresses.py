"""Network addresses as people write them in settings: `host:port`, `host`, `[::1]:9092`. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

KAFKA_PORT = 9092
"""Where a broker listens by default."""
_PORTS = range(1, 1 << 16)
_HOST = re.compile(r"[^\s,/@:\[\]]+")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[^\s\]]+)?)\](?::(.*))?")
_PREFIX = re.compile(r"([A-Za-z_]+)://")


class Address(NamedTuple):
    """Where something listens. `host` is without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str, default_port: int) -> list[Address]:
    """The addresses of a list with commas between; one at least.

    Raises ValueError whose text ends the sentence "… is 'x', but ".
    """
    parts = [part for part in (part.strip() for part in text.split(",")) if part]
    if not parts:
        raise ValueError("it must contain a host")
    return [_address(part, default_port) for part in parts]


def brokers(text: str, protocol: str, default_port: int = KAFKA_PORT) -> str:
    """Kafka's bootstrap servers as every client takes them: host:port with commas between.

    A prefix as in `PLAINTEXT://host:9092` may stand before a host if it is `protocol`, the
    setting's. Raises ValueError as `parse` does.
    """
    parts: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        found = _PREFIX.match(part)
        if found and found[1].upper() != protocol:
            raise ValueError(
                f"kafka.security_protocol is {protocol}: write host:port without {found[0]}, and "
                "set that one to how brokers are spoken to"
            )
        parts.append(part[found.end() :].rstrip("/") if found else part)
    return ",".join(str(each) for each in parse(",".join(parts), default_port))


def hosts(text: str, port_key: str) -> str:
    """Hosts alone, with commas between; their one port is the setting `port_key`.

    Raises ValueError as `parse` does.
    """
    parts = [part.strip().removeprefix("[").removesuffix("]") for part in text.split(",")]
    found: Sequence[str] = [part for part in parts if part]
    if not found:
        raise ValueError("it must contain a host")
    for part in found:
        bare = part.count(":") != 1 and _BRACKETED.fullmatch(f"[{part}]")
        if not (bare or _HOST.fullmatch(part)):
            raise ValueError(
                f"{part!r} is no host: write the name or IP address alone, the port is {port_key}"
            )
    return ",".join(found)


def _address(part: str, default_port: int) -> Address:
    if found := _BRACKETED.fullmatch(part):
        host, port = found[1], found[2]
    else:
        if part.count(":") > 1:
            raise ValueError(
                f"{part!r} is not host:port: write an IPv6 address in brackets, as in "
                f"[::1]:{default_port}"
            )
        host, colon, rest = part.partition(":")
        port = rest if colon else None
        if not _HOST.fullmatch(host):
            raise ValueError(f"{part!r} is not an address: write host:port")
    if port is None:
        return Address(host, default_port)
    if not (port.isascii() and port.isdigit() and int(port) in _PORTS):
        raise ValueError(f"the port of {part!r} must be a number from 1 to {_PORTS[-1]}")
    return Address(host, int(port))
