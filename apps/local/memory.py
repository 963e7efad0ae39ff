"""What everything that a run started holds, by component: memory in MB (10^6 bytes), handles.

Resident set size as the kernel counts it: pages that processes share are counted in each of them,
so a sum is an upper bound.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

import msgspec
import psutil

_BYTES_IN_MB = 1_000_000
_COMPONENT_COMMAND = "streamparse_run"
_JVM_MAIN = {
    "org.apache.storm.shade.org.apache.zookeeper": "zookeeper",
    "org.apache.storm": "storm",
    "kafka.Kafka": "kafka",
    "org.apache.cassandra": "cassandra",
    "org.codehaus.plexus.classworlds": "maven",
}

Groups = dict[str, dict[str, float]]
"""Group -> {component: MB, "total": MB}."""


def by_component(roots: Mapping[str, Iterable[int]]) -> Groups:
    """Memory of the process trees that start at the pids given.

    A process that two groups reach counts in the first. Ended processes are left out.
    """
    seen: set[int] = set()
    groups: Groups = {}
    for group, pids in roots.items():
        sizes: Counter[str] = Counter()
        for process in tree(pids):
            if process.pid in seen:
                continue
            seen.add(process.pid)
            try:
                sizes[component_of(process.cmdline(), process.name())] += process.memory_info().rss
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        groups[group] = {name: round(size / _BYTES_IN_MB, 1) for name, size in sizes.items()}
        groups[group]["total"] = round(sizes.total() / _BYTES_IN_MB, 1)
    return groups


def total_mb(groups: Groups) -> float:
    """The sum over all groups."""
    return round(sum(group["total"] for group in groups.values()), 1)


def tree(pids: Iterable[int]) -> list[psutil.Process]:
    """The living processes of `pids` and all that descend from them."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            members = [process, *process.children(recursive=True)]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        found |= {member.pid: member for member in members}
    return list(found.values())


def component_of(command: Sequence[str], name: str) -> str:
    """What a process is, in a word: a bolt's class, the JVM's role, or the program's name."""
    if any(PurePath(word).name == _COMPONENT_COMMAND for word in command):
        return command[-1].rpartition(".")[2]
    if name.startswith("java"):
        for word in command:
            for start, role in _JVM_MAIN.items():
                if word.startswith(start):
                    return role
    return name or "?"


class Seen(msgspec.Struct, frozen=True):
    """One process at one moment."""

    name: str
    pid: int
    rss: float  # MB, 10^6 bytes
    own: float  # MB of it that is not a mapped file's: those pages the kernel takes back
    files: int  # handles but those of its data
    threads: int
    age: float  # s since it started
    data: int = 0  # handles of files of its data


def processes(roots: Iterable[int], now: float, data: Path | None = None) -> list[Seen]:
    """The living processes that descend from `roots`; `now` is the wall clock, s.

    `data`: the folder of the services' data. A store keeps its files open, some of them twice, so
    that these handles follow what is stored; of a file that is deleted and still held they do not.
    """
    found = []
    for each in tree(roots):
        try:
            with each.oneshot():
                memory = each.memory_info()
                held = _held(each.pid, data) if data else 0
                found.append(
                    Seen(
                        component_of(each.cmdline(), each.name()),
                        each.pid,
                        round(memory.rss / _BYTES_IN_MB, 2),
                        round((memory.rss - memory.shared) / _BYTES_IN_MB, 2),
                        each.num_fds() - held,
                        each.num_threads(),
                        round(now - each.create_time(), 1),
                        held,
                    )
                )
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def _held(pid: int, data: Path) -> int:
    """The process's handles of files below `data` that exist (Linux; elsewhere 0)."""
    found = 0
    with suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed since
                target = handle.readlink()
                found += target.is_relative_to(data) and target.exists()
    return found
