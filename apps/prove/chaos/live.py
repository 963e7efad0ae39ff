"""A kill in a topology that runs already, and the ledger until it is even again."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import psutil

from apps.operate import ledger as ledgers
from apps.prove.chaos.environment import committed
from apps.prove.chaos.errors import ChaosFailed, Invalid
from apps.prove.chaos.run import BOLT, JVM, SPOUT
from apps.prove.chaos.screen import Screen, in_words
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.settings import Settings

PARTS = {"kill-bolt": BOLT, "kill-spout": SPOUT, "kill-jvm": JVM}
GRACE_S = 30.0
_POLL_S = 0.5


def execute(name: str, settings: Settings, root: Path, screen: Screen) -> str:
    """Kill -9 one process; what was seen, in words.

    Raises ChaosFailed when nothing fits or the ledger stays uneven, Invalid when no record came.
    """
    if name not in PARTS:
        raise ChaosFailed(f"{name} cannot be done to a running system; --live takes {_names()}.")
    found = running(PARTS[name], root)
    if not found:
        raise ChaosFailed(
            f"No {PARTS[name]} runs from {root}. Start one (`./stormwatch run` in another "
            "terminal), or leave --live out: the campaign then starts its own."
        )
    limit = settings.message_timeout_s + GRACE_S
    admin = connect.admin(settings)
    with closing(admin), closing(cassandra.connect(settings)) as store:
        topic = settings.topic_transactions
        screen.show(ledgers.topic(settings, admin, store, topic))
        os.kill(found[0], signal.SIGKILL)
        began = time.monotonic()
        screen.tell(f"killed {PARTS[name]} (pid {found[0]}) with SIGKILL")
        level: int | None = None  # committed when its successor was first seen
        while True:
            seen = ledgers.topic(settings, admin, store, topic)
            screen.show(seen)
            took = time.monotonic() - began
            again = [pid for pid in running(PARTS[name], root) if pid not in found]
            if again and level is None:
                level = committed(seen)
            elif again and level is not None and committed(seen) > level and seen.sound:
                return f"HOLDS: pid {again[0]} goes on after {took:.1f} s: {in_words(seen)}"
            if took > limit:
                if seen.sound and not seen.in_flight:
                    raise Invalid("INVALID: no record came after the kill; nothing was tested.")
                raise ChaosFailed(f"{took:.0f} s after the kill: {in_words(seen)}")
            time.sleep(_POLL_S)


def running(part: str, root: Path) -> list[int]:
    """Processes of a topology started from `root` whose command line names `part`."""
    found = []
    for each in psutil.process_iter(["cmdline"]):
        try:
            if part in " ".join(each.info["cmdline"] or ()).split() and any(
                Path(parent.cwd()) == root for parent in (each, *each.parents())
            ):
                found.append(each.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return sorted(found)


def _names() -> str:
    return ", ".join(PARTS)
