"""This project beside what a user would write or pick instead: one backlog, taken in turn.

All contenders read the same records of one topic and write a decision for each to a topic or to
tables of their own; features, model, rules and the bytes of the decisions are the same
(`benchmarks.contenders`), and they are checked: a fast wrong answer is disqualified. Rates are from
the time of the first decision to that of the last, so that no start counts; processor time is that
of all of a contender's processes, and of Kafka and Cassandra, in between; memory is the most that
its processes held together. With --latency each is then sent 10, 50 and 80 % of its own rate, is
killed and started again. Contenders that are not installed get an environment of their own, and are
a row of the table where that fails. Kafka and Cassandra are started for this alone.

    ./stormwatch bench peers                     # the shortest: some minutes
    ./stormwatch bench peers --full              # all contenders, five rounds, latencies
    ./stormwatch bench peers --only lean "fraud topology" --records 20000 --runs 3 --out /tmp
"""

# ruff: noqa: E402
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before numpy is imported, here and in children

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec
from msgspec.structs import replace

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from benchmarks.contenders.core import Taken, reference
from benchmarks.side_by_side import chart, report
from benchmarks.side_by_side.catalogue import Contender, contenders
from benchmarks.side_by_side.decided import BY_BROKER, take
from benchmarks.side_by_side.measures import (
    LEVELS,
    TOPIC_OF,
    Bench,
    Latency,
    Run,
    Written,
    backlog,
    latency,
)
from benchmarks.side_by_side.own_services import ROOT, RUN_DIR, own_services
from benchmarks.side_by_side.running import NotInstalledError, installed
from stormwatch.adapters import connect
from stormwatch.ports import Watermarks

WARM = 200
SPARE = 500
"""Records of a paced run beside those of its levels: the first ones, and those after a restart."""


def say(*words: object) -> None:
    """For whoever waits."""
    print(*words, file=sys.stderr, flush=True)


def events(domain: str, count: int, options: argparse.Namespace) -> list[tuple[bytes, bytes]]:
    """Keys and values."""
    made: Iterable[object] = (
        Transactions(1, run="bench", customers=options.customers, uniform=options.uniform)
        if domain == "fraud"
        else readings(1, units=options.units, run="bench")
    )
    return [(one.key, one.value) for one in islice(made, count)]  # type: ignore[attr-defined]


def fill(bench: Bench, domain: str, topic: str, options: argparse.Namespace) -> list[Taken]:
    """Publish a backlog; what is in the topic then."""
    settings = bench.settings("fill", {TOPIC_OF[domain]: topic}, tables=False)
    with closing(connect.admin(settings)) as admin:
        admin.ensure_topic(topic, settings.kafka_partitions, {})
        admin.ensure_topic("bench-decisions", settings.kafka_partitions, BY_BROKER)
    with closing(connect.sink(settings)) as sink:
        for key, value in events(domain, options.records, options):
            sink.send(topic, key, value)
        sink.flush(60.0)
    return take(settings, topic, dict.fromkeys(range(bench.partitions), Watermarks(0, 0)))


def rounds(
    bench: Bench, chosen: Sequence[Contender], options: argparse.Namespace,
    before: Mapping[str, list[Run]], told: Mapping[str, Latency],
) -> dict[str, list[Run]]:  # fmt: skip
    """All contenders in turn, as often as asked for; after the runs of `before`."""
    topics = {one.domain: f"{one.domain}-{bench.stamp}" for one in chosen}
    taken = {domain: fill(bench, domain, topic, options) for domain, topic in topics.items()}
    want = {domain: reference(records, domain) for domain, records in taken.items()}
    found = {name: list(runs) for name, runs in before.items()}
    found |= {one.name: [] for one in chosen if one.name not in found}
    for nth in range(options.runs):
        for place, one in enumerate(chosen):
            given = taken[one.domain], want[one.domain]
            try:
                run = backlog(bench, one, f"{nth}_{place}", topics[one.domain], *given)
            except Exception as error:  # one that breaks or lies is a row, not an end
                run = Run(wrong=f"{type(error).__name__}: {error}")
            found[one.name].append(replace(run, turn=f"{bench.stamp} {nth}"))
            say(f"{one.name}: {run.wrong or f'{run.rate:,.0f} records/s, {run.all_us:.0f} µs'}")
            figures(options, found, told)
    return found


def paced(
    bench: Bench, chosen: Sequence[Contender], found: Mapping[str, list[Run]],
    options: argparse.Namespace,
) -> dict[str, Latency]:  # fmt: skip
    """Latencies of those that were right."""
    told: dict[str, Latency] = {}
    for place, one in enumerate(chosen):
        good = [run.rate for run in found[one.name] if not run.wrong]
        if not good or one.script == "bare":  # the bare loop ends with its backlog
            continue
        rate = statistics.median(good)
        count = round(rate * sum(LEVELS) * options.seconds * 1.1) + WARM + SPARE
        given = events(one.domain, count, options)
        try:
            told[one.name] = latency(bench, one, f"p{place}", given, rate, options.seconds)
        except Exception as error:  # likewise
            told[one.name] = Latency(wrong=f"{type(error).__name__}: {error}")
        shown = ", ".join(
            f"{at.level:.0%} {at.p50:.0f}/{at.p99:.0f}" for at in told[one.name].paced
        )
        say(f"{one.name}: p50/p99 in ms at {shown} {told[one.name].wrong}")
    return told


def write(
    options: argparse.Namespace, chosen: Sequence[Contender], found: Mapping[str, list[Run]],
    told: Mapping[str, Latency],
) -> str:  # fmt: skip
    """The report, its figures and its charts; the report's text."""
    about = (
        f"{options.records:,} records of {options.customers:,} customers or {options.units} "
        f"machines, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.0f} at the end. With "
        "more programs than cores at work rates mean little: then read the ratio by processor time "
        "(all processes of a contender, Kafka's and Cassandra's). Made by "
        f"`{options.command}`."
    )
    groups = list(dict.fromkeys(one.group for one in chosen))
    lines = ["# Side by side", "", about, ""]
    for group in groups:
        some = [one for one in chosen if one.group == group]
        name = "peers-" + group.lower().replace(" ", "-")
        lines += [f"## {group[0].upper()}{group[1:]}", "", *report.rates(some, found), ""]
        lines += [*report.processes(some, found), ""]
        if _drawn(some, found, group, options.out / f"{name}.svg"):
            lines += [f"![{group}]({name}.svg)", ""]
    if told:
        lines += ["## Latency and restart", "", *report.latencies(chosen, told), "", _LATENCY, ""]
    figures(options, found, told)
    text = "\n".join(lines)
    (options.out / "peers.md").write_text(text, encoding="utf-8")
    return text


def figures(
    options: argparse.Namespace, found: Mapping[str, list[Run]], told: Mapping[str, Latency]
) -> None:
    """What there is so far, for whoever ends it early."""
    options.out.mkdir(parents=True, exist_ok=True)
    whole = msgspec.json.encode(Written(options.command, dict(found), dict(told)))
    (options.out / "peers.json").write_bytes(msgspec.json.format(whole, indent=1) + b"\n")


_LATENCY = (
    "From Kafka's time of a record to the broker's time of its decision, or until it is stored, at "
    "shares of the contender's own rate. Restart: from the death (SIGKILL) of all of its "
    "processes to the first decision on a record that came afterwards; who keeps neither states "
    "nor positions decides all that is in the topic again before that."
)


def _drawn(
    some: Sequence[Contender], found: Mapping[str, list[Run]], group: str, out: Path
) -> bool:
    bars = []
    for one in some:
        rates = [run.rate for run in found[one.name] if not run.wrong]
        if rates:
            bars.append([one.name, min(rates), statistics.median(rates), max(rates)])
    if not bars:
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    figures = {"kind": "bars", "title": group, "bars": bars, "unit": "records/s, median and range"}
    try:
        chart.written(installed(chart.NEEDS, "charts"), figures, out)
    except (NotInstalledError, subprocess.CalledProcessError) as error:
        say(f"no chart: {error}")
        return False
    return True


def main() -> None:
    """Run them in turn; print the tables and write them with their figures and charts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, help="of a backlog: 10,000; with --full 100,000")
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--units", type=int, default=50, help="machines")
    parser.add_argument("--uniform", action="store_true", help="all customers equally often")
    parser.add_argument("--runs", type=int, help="rounds: 1; with --full 5; 0: latencies alone")
    parser.add_argument("--full", action="store_true", help="all contenders, and latencies")
    parser.add_argument("--latency", action="store_true", help="at 10, 50 and 80 %% of each rate")
    parser.add_argument("--more", action="store_true", help="add to the figures that are there")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each of these")
    parser.add_argument("--only", nargs="+", help="these, or those whose names begin so")
    parser.add_argument(
        "--out", type=Path, help="folder: .stormwatch/bench/reports; with --full docs/reports"
    )
    options = parser.parse_args()
    options.command = " ".join(["./stormwatch bench peers", *sys.argv[1:]])
    options.records = options.records or (100_000 if options.full else 10_000)
    shortly = ROOT / RUN_DIR / "reports"
    options.out = options.out or (ROOT / "docs" / "reports" if options.full else shortly)
    if options.runs is None:
        options.runs = 5 if options.full else 1
    everyone = contenders(os.cpu_count() or 1)
    chosen = [one for one in everyone if options.full or one.brief]
    if options.only:
        whole = {one.name for one in everyone} & set(options.only)
        begins = tuple(set(options.only) - whole)
        chosen = [one for one in everyone if one.name in whole or one.name.startswith(begins)]
    told: dict[str, Latency] = {}
    before: dict[str, list[Run]] = {}
    if options.more and (options.out / "peers.json").exists():
        kept = msgspec.json.decode((options.out / "peers.json").read_bytes(), type=Written)
        before, told = kept.runs, kept.latencies
        options.command = f"{kept.about}`, then `{options.command}"
    with own_services(lambda step, detail: say(f"{step}: {detail}")) as services:
        bench = Bench(services, f"{int(time.time()):x}")
        found = rounds(bench, chosen, options, before, told)
        if options.full or options.latency:
            told.update(paced(bench, chosen, found, options))
    shown = [one for one in everyone if one.name in found]
    print(write(options, shown, found, told))


if __name__ == "__main__":
    main()
