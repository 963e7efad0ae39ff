"""Is somebody answering, and in the right protocol? Without drivers, in milliseconds."""

import socket
import struct

_TIMEOUT_S = 2.0


def listens(host: str, port: int) -> bool:
    """A TCP connection is accepted."""
    try:
        with socket.create_connection((host, port), _TIMEOUT_S):
            return True
    except OSError:
        return False


def kafka_answers(host: str, port: int) -> bool:
    """A broker answers ApiVersions v0."""
    body = struct.pack(">hhih", 18, 0, 7, -1)
    reply = _ask(host, port, struct.pack(">i", len(body)) + body, 8)
    return len(reply) == 8 and struct.unpack(">ii", reply)[1] == 7


def cassandra_answers(host: str, port: int) -> bool:
    """A node answers OPTIONS of the native protocol v4 with SUPPORTED."""
    reply = _ask(host, port, struct.pack(">BBhBi", 0x04, 0, 1, 0x05, 0), 5)
    return len(reply) == 5 and reply[4] == 0x06


def zookeeper_answers(host: str, port: int) -> bool:
    """ZooKeeper answers `srvr`, the one four-letter word it allows by default."""
    return _ask(host, port, b"srvr", 9) == b"Zookeeper"


def _ask(host: str, port: int, request: bytes, wanted: int) -> bytes:
    reply = b""
    try:
        with socket.create_connection((host, port), _TIMEOUT_S) as connection:
            connection.sendall(request)
            while len(reply) < wanted and (got := connection.recv(wanted - len(reply))):
                reply += got
    except OSError:
        return b""
    return reply
