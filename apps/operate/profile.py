"""What a record costs in a running topology, hop by hop, from two readings of its meters. Pure.

Times of a task are by its own clock; `cpu_us` is the processor time of its process, which alone
tells how much more it could do: a task that waits for Cassandra is busy and costs nothing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from apps.data.kinds import BY_EVENTS
from stormwatch.metrics import Snapshot

Meters = Mapping[tuple[str, str], Snapshot]
"""(component, instance) -> what it says of itself."""

PARTS = ("wait", "read", "poll", "decode", "score", "store", "encode", "other", "emit")
"""Of a batch on its way through a component: waiting for Storm, reading Storm's message, polling
the log (a spout), decoding the payload, deciding, writing (Cassandra and Kafka, with the waiting
for them), encoding what goes on, all else, and emitting."""
BUSY = 0.85
"""Share of the time from which a task is as good as full."""
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
    cpu_us: float | None  # of processor time a record; None where its processes are elsewhere
    missed: float  # share of states that were not in the cache

    @property
    def batch(self) -> float:
        """Records of a batch on average."""
        return self.records / self.batches if self.batches else 0.0

    @property
    def capacity(self) -> float | None:
        """Records/s that its tasks could do, each with a core of its own."""
        return self.tasks * 1e6 / self.cpu_us if self.cpu_us else None


def hops(
    before: Meters, after: Meters, cpu_s: Mapping[tuple[str, str], float] | None = None
) -> list[Hop]:
    """Of the tasks that both readings have and that did something between, by component.

    `cpu_s`: seconds of processor time that a task's process took between them.
    """
    pairs: dict[str, list[tuple[tuple[str, str], Snapshot, Snapshot]]] = {}
    for name, now in after.items():
        then = before.get(name)
        if then is not None and _batches(now) > _batches(then):
            pairs.setdefault(name[0], []).append((name, then, now))
    decided = max((sum(map(_decided, tasks)) for tasks in pairs.values()), default=0)
    return [
        _hop(component, tasks, cpu_s or {}, decided) for component, tasks in sorted(pairs.items())
    ]


_Task = tuple[tuple[str, str], Snapshot, Snapshot]


def _batches(one: Snapshot) -> int:
    return one.batches or sum(one.sizes.values())


def _decided(task: _Task) -> int:
    _, then, now = task
    return sum(now.latency.values()) - sum(then.latency.values())


def _hop(
    component: str,
    tasks: Sequence[_Task],
    cpu_s: Mapping[tuple[str, str], float],
    decided: int,
) -> Hop:
    """`decided`: records that passed a component which decides none itself."""
    records = sum(map(_decided, tasks)) or decided
    batches = hits = misses = 0
    spent = dict.fromkeys((*PARTS, "process"), 0)
    busy = 0.0
    for _, then, now in tasks:
        batches += _batches(now) - _batches(then)
        hits, misses = hits + now.hits - then.hits, misses + now.misses - then.misses
        for part in spent:
            spent[part] += now.spent.get(part, 0) - then.spent.get(part, 0)
        waited = now.spent.get("wait", 0) - then.spent.get("wait", 0)
        busy = max(busy, 1.0 - waited / max(1, (now.at - then.at) * 1000))
    inside = spent["score"] + spent["store"] + spent["encode"]
    spent["other"] = max(0, spent.pop("process") - inside)  # of a spout, which has none: nothing
    each = max(1, records)
    cpu = [cpu_s[name] for name, _, _ in tasks if name in cpu_s]
    return Hop(
        component, len(tasks), records, batches, {part: spent[part] / each for part in PARTS},
        min(max(busy, 0.0), 1.0), sum(cpu) / each * 1e6 if len(cpu) == len(tasks) else None,
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
    worked = sum(us.values()) - us["wait"]
    if fullest.busy >= BUSY and us["store"] > worked / 2:
        return (
            f"{fullest.component} is full and {us['store'] / worked:.0%} of it is "
            "writing: Cassandra sets the pace. Give it more cores or a faster disk, or raise "
            "batch.max_records; more tasks help only while Cassandra has cores to spare."
        )
    if fullest.busy >= BUSY:
        return (
            f"{fullest.component} is full: raise {_tasks(fullest.component)}, as long as the "
            "machine has a core to spare and the topic has more partitions than that."
        )
    if fullest.batch < SMALL:
        return (
            f"There is room: {fullest.component} is busy {fullest.busy:.0%} of the time. Batches "
            f"are of {fullest.batch:.1f} records, so most of a record's cost is its batch's; they "
            "grow by themselves as more comes."
        )
    return f"There is room: the fullest, {fullest.component}, is busy {fullest.busy:.0%}."


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
