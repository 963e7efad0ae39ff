"""Ports on the loopback address."""

import random
import socket
from collections.abc import Iterable

import psutil

from apps.local.services.errors import ServiceError
from apps.local.services.home import Progress

HOST = "127.0.0.1"
_OURS = (HOST, f"::ffff:{HOST}", "0.0.0.0", "::")
"""Whoever listens on one of these is reached at HOST."""
_BELOW_EPHEMERAL = range(20_000, 32_000)
"""Outside the range from which Linux takes the ports of outgoing connections."""


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def held_by_another(port: int, pid: int) -> bool:
    """Whether another process than `pid` listens there, as far as we may know."""
    try:
        found = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows it to root only
        return False
    listening = (c for c in found if c.status == psutil.CONN_LISTEN and c.laddr.port == port)
    return bool({c.pid for c in listening if c.laddr.ip in _OURS} - {pid, None})


def default_or_other(default: int, name: str, progress: Progress) -> int:
    """`default`, or another free port where another program has it; that is said."""
    port = free(default)
    if port != default:
        progress(name, f"port {default} is taken by another program; using {port} instead")
    return port


def same_as_before(before: int | None, default: int, name: str, progress: Progress) -> int:
    """The port of the start before, which whoever used the service still looks at.

    Without one the default. Another where a program has it by now; that is said, with what helps.
    """
    if before is None:
        return default_or_other(default, name, progress)
    port = free(before)
    if port != before:
        progress(
            name,
            f"its port {before} is taken by another program by now; using {port} instead. What "
            f"runs still looks for {name} at {before}: end a `run` or `sparse run` with Ctrl-C and "
            "start it again; on a cluster `sparse kill -n NAME`, then `sparse submit -n NAME`. To "
            f"have {before} back: `ss -ltnp 'sport = :{before}'` shows who listens; stop that, "
            "then `./stormwatch down` and `./stormwatch up`",
        )
    return port


def free(default: int | None = None, taken: Iterable[int] = ()) -> int:
    """`default` if it is free, else some other free port that is not in `taken`."""
    avoid = set(taken)
    if default is not None and default not in avoid and is_free(default):
        return default
    for port in random.sample(_BELOW_EPHEMERAL, 200):
        if port not in avoid and is_free(port):
            return port
    raise ServiceError(
        f"No free port between {_BELOW_EPHEMERAL.start} and {_BELOW_EPHEMERAL.stop}. "
        "See what listens with `ss -ltnp`."
    )
