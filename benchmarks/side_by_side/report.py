"""Tables of what was measured, in Markdown."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.side_by_side.catalogue import Contender
from benchmarks.side_by_side.measures import Latency, Run

Runs = Mapping[str, Sequence[Run]]
_NONE = "–"


def rates(contenders: Sequence[Contender], runs: Runs) -> list[str]:
    """Rates, ratios to the lean loop of a group that has most processes, in the same round,
    processor time, memory."""
    made = [
        "| contender | records/s | least to most | ÷ lean loop, all cores | ÷ by processor time "
        "| CPU µs a record | MB | first result, s | decisions |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lean = sorted((one for one in contenders if one.script == "lean"), key=lambda o: o.processes)
    bases = {one.group: one.name for one in lean}
    for one in contenders:
        base = runs.get(bases.get(one.group, ""), [])
        made.append(_row(one, runs.get(one.name, []), base))
    return made


def _row(one: Contender, runs: Sequence[Run], base: Sequence[Run]) -> str:
    good = [run for run in runs if not run.wrong]
    if not good:
        return f"| {one.name} |{f' {_NONE} |' * 7} {runs[-1].wrong if runs else 'not run'} |"
    same = {run.turn: run for run in base if not run.wrong}
    pairs = [(run, same[run.turn]) for run in good if run.turn in same]
    ratio = _median(a.rate / b.rate for a, b in pairs if b.rate)
    by_cpu = _median(b.all_us / a.all_us for a, b in pairs if a.all_us)
    bad = [run.wrong for run in runs if run.wrong]
    told = f"equal, {len(bad)} of {len(runs)} runs: {bad[0]}" if bad else "equal"
    found, first = [run.rate for run in good], statistics.median(run.first_s for run in good)
    return (
        f"| {one.name} | {statistics.median(found):,.0f} | {min(found):,.0f} to {max(found):,.0f} "
        f"| {ratio} | {by_cpu} | {statistics.median(run.all_us for run in good):.0f} "
        f"| {max(run.mb for run in good):,.0f} | {first:.1f} "
        f"| {told} |"
    )


def _median(values: Iterable[float]) -> str:
    found = list(values)
    return f"{statistics.median(found):.2f}" if found else _NONE


def processes(contenders: Sequence[Contender], runs: Runs) -> list[str]:
    """Processor time a record by process."""
    made = ["| contender | µs a record, by process |", "|---|---|"]
    for one in contenders:
        good = [run for run in runs.get(one.name, []) if not run.wrong]
        if not good:
            continue
        labels = sorted(
            {label for run in good for label in run.cpu_us},
            key=lambda label: (-_of(good, label), label),
        )
        parts = (f"{label} {_of(good, label):.1f}" for label in labels if _of(good, label) >= 0.05)
        made.append(f"| {one.name} | {', '.join(parts)} |")
    return made


def _of(runs: Sequence[Run], label: str) -> float:
    return statistics.median(run.cpu_us.get(label, 0.0) for run in runs)


def latencies(contenders: Sequence[Contender], found: Mapping[str, Latency]) -> list[str]:
    """Latency at shares of a contender's own capacity, and how long a restart takes."""
    made = [
        "| contender | at | records/s | p50 | p95 | p99 | most, ms | CPU µs a record "
        "| restart, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in contenders:
        told = found.get(one.name)
        if told is None:
            continue
        if not told.paced:
            made.append(f"| {one.name} |{f' {_NONE} |' * 7} {told.wrong} |")
        for nth, at in enumerate(told.paced):
            last = nth == len(told.paced) - 1
            restart = f"{told.restart_s:.1f}" if told.restart_s else _NONE
            name = "" if nth else one.name
            made.append(
                f"| {name} | {at.level:.0%} | {at.rate:,.0f} | {at.p50:,.0f} "
                f"| {at.p95:,.0f} | {at.p99:,.0f} | {at.most:,.0f} | {at.cpu_us:,.0f} "
                f"| {f'{restart} {told.wrong}'.strip() if last else ''} |"
            )
    return made
