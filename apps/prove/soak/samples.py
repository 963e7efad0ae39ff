"""What is looked at every ten seconds, one JSON line each, so that a soak survives its own end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from apps.local.memory import Seen


class Sample(msgspec.Struct, frozen=True):
    """Everything at one moment; None where a service did not answer."""

    at: float  # s since the soak began, its breaks left out
    processes: list[Seen]
    published: int
    decided: int | None = None
    lag: int | None = None
    p50: int | None = None  # ms, over the time since the sample before
    p99: int | None = None
    kills: int = 0
    heaps: dict[str, float] = {}  # JVM -> MB that live in its heap; seldom, for it costs a pause


class Journal:
    """The samples of a soak in a file; what is there already is read, and added to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():  # a line that was cut off would swallow the next one
            whole = path.read_bytes().rpartition(b"\n")
            path.write_bytes(whole[0] + whole[1])

    def add(self, sample: Sample) -> None:
        """On disk when this returns."""
        with self._path.open("ab") as out:
            out.write(msgspec.json.encode(sample) + b"\n")

    def read(self) -> list[Sample]:
        """All, oldest first."""
        if not self._path.exists():
            return []
        return msgspec.json.Decoder(Sample).decode_lines(self._path.read_bytes())


AFTER_KILL_S = 60.0


def calm(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Those with no kill in the AFTER_KILL_S before: the others show who is just gone or coming."""
    kills, killed_at = 0, -AFTER_KILL_S
    for sample in samples:
        if sample.kills != kills:
            kills, killed_at = sample.kills, sample.at
        if sample.at - killed_at >= AFTER_KILL_S:
            yield sample


WARM_UP_S = 60.0
JVM_WARM_UP_S = 600.0
"""A process fills its caches first, and a JVM compiles: younger ones do not count for a slope."""
JVMS = frozenset({"storm", "zookeeper", "kafka", "cassandra"})


def lives(
    samples: Sequence[Sample], field: str, *, young: bool = False
) -> Mapping[str, list[list[tuple[float, float]]]]:
    """Component -> for each process of it, its curve (s, value); from its start on if `young`."""
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for sample in samples:
        for seen in sample.processes:
            if young or seen.age >= (JVM_WARM_UP_S if seen.name in JVMS else WARM_UP_S):
                curve = found.setdefault(seen.name, {}).setdefault(seen.pid, [])
                curve.append((sample.at, float(getattr(seen, field))))
    return {name: list(pids.values()) for name, pids in sorted(found.items())}
