"""The report of a run, as `--report FILE` writes it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from apps.local.memory import Groups, total_mb
from apps.local.run.proof import Proof
from apps.operate.figures import Look, latency_of, rates, rejected_by_code
from stormwatch.metrics import since


class TopologyReport(msgspec.Struct):
    """What became of the records that this run published to one topology."""

    published: int  # offsets between the topic's high watermarks before and after
    states: dict[str, int | dict[str, int]]  # from the ledger; rejected_by_code inside
    unaccounted: int  # published offsets without an end state
    throughput_per_s: float  # decided, from the end of warm-up to the end of publishing
    latency_ms: dict[str, int | None]  # Kafka timestamp to committed decision, after warm-up
    memory_mb: dict[str, float]  # resident, by component and total, when all was highest
    alerts: int
    restarts: int
    tried_again: int  # batches given back because Kafka or Cassandra did not answer
    degraded: int  # decisions by rules alone: the model had no score in time
    noted: dict[str, int]  # what a person should know -> how often: `stormwatch.records.NOTES`


class Report(msgspec.Struct):
    """A whole run. `ok`: nothing unaccounted or contradicting, and no topology gave up."""

    run: str
    started: str  # ISO 8601, UTC
    seconds: float  # from ready to the end of publishing
    ready_after_s: (
        float  # from the start of the topologies until the first records of each are decided
    )
    warm_up_s: float  # after ready, left out of latency and throughput
    rate: float  # asked for, records/s per stream; 0: as fast as it goes
    topologies: dict[str, TopologyReport]
    memory_mb: dict[str, float]  # services and the run itself
    memory_mb_total: float  # of the whole process tree, at its highest
    ok: bool
    trouble: str = ""  # what kept it from being ok


class About(NamedTuple):
    """The run itself."""

    run: str
    started: datetime
    times: tuple[float, float, float]  # of `Course.times`
    rate: float
    trouble: str


class Part(NamedTuple):
    """What is known of one topology."""

    topology: str
    proof: Proof
    looks: tuple[Look, Look, Look]  # of `Course.looks`
    restarts: int


def make(about: About, parts: Sequence[Part], memory: Groups) -> Report:
    """The report of a run that has ended."""
    topologies = {p.topology: _topology(p, memory.get(p.topology, {})) for p in parts}
    ready_after, seconds, warm_up = (round(s, 1) for s in about.times)
    sound = all(part.proof.sound for part in parts)
    return Report(
        run=about.run,
        started=about.started.isoformat(timespec="seconds"),
        seconds=seconds,
        ready_after_s=ready_after,
        warm_up_s=warm_up,
        rate=about.rate,
        topologies=topologies,
        memory_mb={
            name: group["total"] for name, group in memory.items() if name not in topologies
        },
        memory_mb_total=total_mb(memory),
        ok=sound and not about.trouble,
        trouble=about.trouble
        or ("" if sound else "the ledger has gaps or overlaps: see `./stormwatch ledger`"),
    )


def write(report: Report, path: Path) -> None:
    """As indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def _topology(part: Part, memory: dict[str, float]) -> TopologyReport:
    warm, stopped, last = part.looks
    states: dict[str, int | dict[str, int]] = dict(part.proof.states)
    states["rejected_by_code"] = rejected_by_code(last.ends)
    return TopologyReport(
        published=part.proof.published,
        states=states,
        unaccounted=part.proof.unaccounted,
        throughput_per_s=round(rates(warm, stopped).outgoing, 1),
        latency_ms=latency_of(since(dict(last.latency), dict(warm.latency)))._asdict(),
        memory_mb=memory,
        alerts=last.alerts,
        restarts=part.restarts,
        tried_again=last.failed,
        degraded=last.degraded,
        noted=dict(last.noted),
    )
