"""What a record costs in a running topology, hop by hop, from two readings of its meters. Pure.

Times of a task are by its own clock; `cpu_us` is the processor time of its process, which alone
tells how much more it could do: a task that waits for Cassandra is busy and costs nothing. Nothing
else makes costs of meters: `./stormwatch profile` and the server (`/v1/costs`, the page) ask here.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from apps.data.kinds import BY_EVENTS
from stormwatch.metrics import Snapshot

Meters = Mapping[tuple[str, str], Snapshot]
"""(component, instance) -> what it says of itself."""

PARTS = (
    "wait", "read", "poll", "decode", "states", "features", "model", "rules", "encode", "store",
    "other", "emit",
)  # fmt: skip
"""Of a batch on its way through a component: waiting for Storm, reading Storm's message, polling
the log (a spout), decoding the payload; of a decision looking its states up (in Cassandra, where
they are not in memory), features, model, rules and reasons; encoding what goes on or is stored,
writing (Cassandra and Kafka, with the waiting for them), all else, and emitting. With the compiled
core `features` has the reading and writing of states in it, which else are there and in `encode`.
"""
_DECIDING = ("features", "model", "rules", "encode")
BUSY = 0.85
"""Share of the time from which a task is as good as full."""
MOST = 0.5
"""Share of a task's work from which one part is told of as what it goes into."""
SMALL = 20
"""Records of a batch, below which what a batch costs outweighs what its records do."""


class Hop(NamedTuple):
    """One component, all of its tasks together, between two readings."""

    component: str
    tasks: int
    records: int
    batches: int
    us: Mapping[str, float]  # of PARTS: microseconds a record
    busy: float  # share of the time that its busiest task did not wait for Storm
    cpu_us: float | None  # of processor time a record; None where a version before does not tell
    missed: float  # share of states that were not in the cache

    @property
    def batch(self) -> float:
        """Records of a batch on average."""
        return self.records / self.batches if self.batches else 0.0

    @property
    def capacity(self) -> float | None:
        """Records/s that its tasks could do, each with a core of its own."""
        return self.tasks * 1e6 / self.cpu_us if self.cpu_us else None


def hops(before: Meters, after: Meters) -> list[Hop]:
    """Of the tasks that both readings have and that did something between, by component."""
    pairs: dict[str, list[tuple[tuple[str, str], Snapshot, Snapshot]]] = {}
    for name, now in after.items():
        then = before.get(name)
        if then is not None and _batches(now) > _batches(then):
            pairs.setdefault(name[0], []).append((name, then, now))
    decided = max((sum(map(_decided, tasks)) for tasks in pairs.values()), default=0)
    return [_hop(component, tasks, decided) for component, tasks in sorted(pairs.items())]


_Task = tuple[tuple[str, str], Snapshot, Snapshot]


def _batches(one: Snapshot) -> int:
    return one.batches or sum(one.sizes.values())


def _decided(task: _Task) -> int:
    _, then, now = task
    return sum(now.latency.values()) - sum(then.latency.values())


def _hop(component: str, tasks: Sequence[_Task], decided: int) -> Hop:
    """`decided`: records that passed a component which decides none itself."""
    records = sum(map(_decided, tasks)) or decided
    batches = hits = misses = 0
    spent = dict.fromkeys((*PARTS, "process", "score"), 0)
    busy = 0.0
    for _, then, now in tasks:
        batches += _batches(now) - _batches(then)
        hits, misses = hits + now.hits - then.hits, misses + now.misses - then.misses
        for part in spent:
            spent[part] += now.spent.get(part, 0) - then.spent.get(part, 0)
        waited = now.spent.get("wait", 0) - then.spent.get("wait", 0)
        busy = max(busy, 1.0 - waited / max(1, (now.at - then.at) * 1000))
    made = sum(spent[part] for part in _DECIDING)
    spent["states"] = max(0, spent.pop("score") - made)  # of what decides nothing: nothing
    inside = made + spent["states"] + spent["store"]
    spent["other"] = max(0, spent.pop("process") - inside)  # of a spout, which has none: nothing
    each = max(1, records)
    cpu = [now.cpu - then.cpu for _, then, now in tasks if now.cpu]
    return Hop(
        component, len(tasks), records, batches, {part: spent[part] / each for part in PARTS},
        min(max(busy, 0.0), 1.0), sum(cpu) / each if len(cpu) == len(tasks) else None,
        misses / (hits + misses) if hits + misses else 0.0,
    )  # fmt: skip


def advice(found: Sequence[Hop]) -> str:
    """One line: what to change first, or why nothing needs to be."""
    if not found:
        return (
            "Nothing was decided meanwhile: publish records (./stormwatch publish), or is the "
            "topology running? (./stormwatch status)"
        )
    fullest = max(found, key=lambda hop: hop.busy)
    us = fullest.us
    if fullest.missed > 0.2:
        return (
            f"{fullest.component} reads {fullest.missed:.0%} of its states from Cassandra: raise "
            "cache_mb, as far as there is memory."
        )
    part, share = _most(us)
    mostly = f" {share:.0%} of its work is {_WORDS[part]}." if share > MOST else ""
    if fullest.busy >= BUSY and mostly and part in _MENDS:
        return f"{fullest.component} is full.{mostly} {_MENDS[part]}"
    if fullest.busy >= BUSY:
        return (
            f"{fullest.component} is full: raise {_tasks(fullest.component)}, as long as the "
            f"machine has a core to spare and the topic has more partitions than that.{mostly}"
        )
    if fullest.batch < SMALL:
        return (
            f"There is room: {fullest.component} is busy {fullest.busy:.0%} of the time. Batches "
            f"are of {fullest.batch:.1f} records, so most of a record's cost is its batch's; they "
            f"grow by themselves as more comes.{mostly}"
        )
    return f"There is room: the fullest, {fullest.component}, is busy {fullest.busy:.0%}.{mostly}"


_WORDS = {
    "read": "reading Storm's messages", "poll": "polling the log", "decode": "decoding batches",
    "states": "looking states up", "features": "features", "model": "the model",
    "rules": "rules and reasons", "encode": "encoding", "store": "writing",
    "other": "outside of what is told apart", "emit": "emitting",
}  # fmt: skip
_MENDS = {
    "store": "Cassandra sets the pace: give it more cores or a faster disk, or raise "
    "batch.max_records; more tasks help only while Cassandra has cores to spare.",
    "model": "Train one with fewer trees, install the compiled core (docs/native-core.md), or "
    "raise topology.scorers while the machine has a core to spare.",
    "features": "Install the compiled core (docs/native-core.md), or raise topology.scorers while "
    "the machine has a core to spare.",
    "rules": "See which fire most (the page, Rules), or raise topology.scorers while the machine "
    "has a core to spare.",
}
"""What helps where one part is most of a full task's work."""


def _most(us: Mapping[str, float]) -> tuple[str, float]:
    """The part that most of the work goes into, and its share."""
    worked = {part: us[part] for part in _WORDS}
    part = max(worked, key=lambda name: worked[name])
    return part, worked[part] / (sum(worked.values()) or 1.0)


def _tasks(component: str) -> str:
    """The setting of how many tasks it has."""
    if component in BY_EVENTS:
        return "topology.spouts"
    known = {"terminals": "topology.terminals", "parse": "topology.parsers"}
    return known.get(component, "topology.scorers")


def lines(found: Sequence[Hop]) -> list[str]:
    """The table, for a person."""
    head = (*PARTS, "cpu", "records", "batch", "busy", "records/s at most")
    made = [f"{'µs a record':<14}" + "".join(f"{name:>9}" for name in head)]
    for hop in found:
        cells = [f"{hop.us[part]:.1f}" for part in PARTS]
        cpu, most = hop.cpu_us, hop.capacity
        cells += [
            "-" if cpu is None else f"{cpu:.1f}", f"{hop.records:,}", f"{hop.batch:.1f}",
            f"{hop.busy:.0%}", "-" if most is None else f"{most:,.0f}",
        ]  # fmt: skip
        name = hop.component if hop.tasks == 1 else f"{hop.component} × {hop.tasks}"
        made.append(f"{name:<14}" + "".join(f"{cell:>9}" for cell in cells))
    return made
