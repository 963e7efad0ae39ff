"""What lives in a JVM's heap: the one thing that resident memory of a whole heap cannot show."""

import re
import shutil
import subprocess

from apps.local.memory import Seen
from apps.prove.soak.samples import JVM_WARM_UP_S, JVMS

EVERY_S = 600.0
_FIRST_S = JVM_WARM_UP_S - 30.0
"""The first look leaves a thread and a handle in the JVM: before those are compared."""
_LIMIT_S = 60.0
_MB = 1_000_000


class Heaps:
    """Looks into each JVM when it is warm and every ten minutes after."""

    def __init__(self) -> None:
        self._jcmd = shutil.which("jcmd")
        self._next: dict[int, float] = {}  # pid -> age at which it is looked into

    def due(self, processes: list[Seen]) -> dict[str, float]:
        """JVM -> MB that a full collection leaves, which is made for it. Without a JDK's `jcmd` or
        an answer of the JVM, nothing."""
        found: dict[str, float] = {}
        for each in processes:
            if each.name in JVMS and each.age >= self._next.get(each.pid, _FIRST_S) and self._jcmd:
                self._next[each.pid] = each.age + EVERY_S
                if (megabytes := _live(self._jcmd, each.pid)) is not None:
                    found[each.name] = megabytes
        return found


def _live(jcmd: str, pid: int) -> float | None:
    """MB in use right after a full collection. Not from GC.class_histogram: it builds a table of
    all classes in native memory, which left up to 0.3 MB behind at a look, as a leak would."""
    try:
        done = subprocess.run(
            [jcmd, str(pid), "-f", "/dev/stdin"], input="GC.run\nGC.heap_info\n",
            check=False, capture_output=True, text=True, timeout=_LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return used(done.stdout)


def used(info: str) -> float | None:
    """MB in use in all generations of a `jcmd PID GC.heap_info`; None when it says nothing."""
    found = [int(kib) for kib in re.findall(r"total \d+K, used (\d+)K", info)]
    return sum(found) * 1024 / _MB if found else None
