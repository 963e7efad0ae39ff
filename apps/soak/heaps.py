"""What lives in a JVM's heap: the one thing that resident memory of a whole heap cannot show."""

import shutil
import subprocess

from apps.soak.samples import JVMS, Seen

_LIMIT_S = 60.0
_MB = 1_000_000


def live(processes: list[Seen]) -> dict[str, float]:
    """JVM -> MB that a full collection leaves, which is made for it; without a JDK's `jcmd` or an
    answer of the JVM, nothing."""
    jcmd = shutil.which("jcmd")
    if jcmd is None:
        return {}
    found = {each.name: _live(jcmd, each.pid) for each in processes if each.name in JVMS}
    return {name: megabytes for name, megabytes in found.items() if megabytes is not None}


def _live(jcmd: str, pid: int) -> float | None:
    command = [jcmd, str(pid), "GC.class_histogram"]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return None
    return total(done.stdout)


def total(histogram: str) -> float | None:
    """MB of the last line of a class histogram: `Total  OBJECTS  BYTES`."""
    words = histogram.split()[-3:]
    return int(words[2]) / _MB if len(words) == 3 and words[0] == "Total" else None
