"""This project beside what a user would write or pick instead: one backlog, taken in turn.

All contenders read the same records of one topic and write a decision for each to a topic of their
own; features, model, rules and the bytes of the decisions are the same (`benchmarks.contenders`),
and they are checked: a fast wrong answer is disqualified. Rates are from the broker's time of the
first decision to that of the last, so that no start counts; processor time is that of all of a
contender's processes in between; memory is the most that they held together. Contenders that are
not installed get an environment of their own, and are a row of the table where that fails.

    ./stormwatch bench peers --records 20000 --runs 3
    ./stormwatch bench peers --only lean "fraud topology" --out /tmp
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from apps.local import services
from apps.local.storm.words import CHECKED
from benchmarks import engine_project
from benchmarks.contenders import tutorial
from benchmarks.contenders.core import Taken, differing, reference
from benchmarks.engine_sink import TOPIC as ENGINES
from benchmarks.fraud_path import BY_BROKER, ROOT, environ_of, fill, prepared, say
from stormwatch.adapters import connect, log_reader
from stormwatch.errors import InfrastructureError
from stormwatch.ports import Watermarks
from stormwatch.settings import Settings, load, to_environ

QUIET_S = 90.0


class Contender(NamedTuple):
    """One way to do the work."""

    name: str
    script: str  # of contenders, or one of the words below
    processes: int = 1
    needs: str = ""  # what its own environment has to install
    more: tuple[str, ...] = ()  # arguments


def contenders(cores: int) -> list[Contender]:
    """All of them; the first is what the others are held against."""
    bytewax, quix = "bytewax==0.21.1", "quixstreams==3.28.1"
    return [
        Contender("lean loop", "lean"),
        Contender(f"lean loop, {cores} processes", "lean", cores),
        Contender("kafka-python loop", "kafka_python"),
        Contender("tutorial-style streamparse", "tutorial"),
        Contender("Bytewax, record by record", "bytewax_flow", 1, bytewax, ("natural",)),
        Contender("Bytewax, batched", "bytewax_flow", 1, bytewax),
        Contender("Quix Streams", "quix", 1, quix),
        Contender("fraud topology into Kafka", "topology"),
    ]


class Run(NamedTuple):
    """What one run gave."""

    rate: float  # records/s
    cpu_us: float  # of processor time a record
    mb: float  # resident, at most
    wrong: str = ""  # what is wrong with its decisions, or why there are none


class Meter:
    """Processor time and memory of processes and all that descend from them, as time goes on."""

    def __init__(self, pids: list[int]) -> None:
        self._pids, self._stop = pids, threading.Event()
        self._spent: dict[int, float] = {}
        self.seen: list[tuple[float, float]] = []  # ms, seconds of processor time
        self.most = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            held = 0.0
            for pid in self._pids:
                try:
                    root = psutil.Process(pid)
                    for process in (root, *root.children(recursive=True)):
                        with process.oneshot():
                            times = process.cpu_times()
                            self._spent[process.pid] = times.user + times.system
                            held += process.memory_info().rss
                except psutil.Error:
                    continue
            self.seen.append((time.time() * 1000, sum(self._spent.values())))
            self.most = max(self.most, held / 1e6)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, first: float, last: float) -> float:
        """Seconds of processor time between two moments, ms."""
        before = max((cpu for at, cpu in self.seen if at <= first), default=0.0)
        after = min((cpu for at, cpu in self.seen if at >= last), default=self.seen[-1][1])
        return max(0.0, after - before)


def python_of(contender: Contender) -> str:
    """The interpreter that runs it; makes its environment at the first use. Raises OSError,
    subprocess.CalledProcessError."""
    if not contender.needs:
        return sys.executable
    folder = ROOT / ".stormwatch" / "bench" / "venvs" / contender.needs.partition("==")[0]
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        say(f"installing {contender.needs}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", contender.needs]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        (folder / "installed").touch()
    return str(python)


@contextmanager
def started(
    contender: Contender, settings: Settings, topic: str, out: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Its processes, ended afterwards."""
    log = (ROOT / settings.run_dir / "logs" / "bench-peers.log").open("a")
    site = Path(psutil.__file__).parents[1]  # msgspec, numpy and the rest, behind its own packages
    path = f"{ROOT}:{ROOT / 'src'}:{site}"
    environ = os.environ | to_environ(settings) | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environ |= {"OPENBLAS_NUM_THREADS": "1", CHECKED: "yes"}  # contenders are not linted
    sparse = str(Path(sys.executable).with_name("sparse"))
    folder = ROOT
    if contender.script == "tutorial":
        folder = tutorial.build(ROOT, settings.kafka_bootstrap, topic, out)
        commands = [[sparse, "run", "-n", "tutorial"]]
    elif contender.script == "topology":
        folder, commands = engine_project.build(ROOT), [[sparse, "run", "-n", "engine"]]
    else:
        script = [python_of(contender), "-m", f"benchmarks.contenders.{contender.script}"]
        group = f"{out}-group"
        commands = [
            [*script, settings.kafka_bootstrap, topic, out, group, str(nth),
             str(contender.processes), *contender.more]
            for nth in range(contender.processes)
        ]  # fmt: skip
    children = [
        subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log,
                         start_new_session=True)
        for command in commands
    ]  # fmt: skip
    try:
        yield children
    finally:
        for child in children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGINT if folder != ROOT else signal.SIGTERM)
        for child in children:
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        log.close()


def take(settings: Settings, topic: str, after: Mapping[int, Watermarks]) -> list[Taken]:
    """The records of a topic that came after these watermarks, partition after partition."""
    with closing(connect.source(settings, topic)) as source:
        ends = {partition: source.watermarks(partition).high for partition in after}
        return [
            Taken(topic, partition, one.offset, one.timestamp, one.value or b"")
            for partition, mark in after.items()
            for some in log_reader.records(source, partition, mark.high, ends[partition])
            for one in some
        ]


def once(
    contender: Contender, names: dict[str, str], records: int, want: dict[str, bytes], stamp: str
) -> Run:
    """One run of one contender. A failure is its result."""
    out = ENGINES if contender.script == "topology" else f"bench-out-{stamp}"
    own = {**names, "kafka.group": f"peers-{stamp}", "cassandra.keyspace": f"p{stamp}"}
    if contender.script == "topology":
        own |= {"topology.terminals": "0"}
    is_ours = contender.script == "topology"  # its spout looks at the tables
    settings = prepared(own) if is_ours else load(environ_of(own), root=ROOT)
    admin = connect.admin(settings)
    admin.ensure_topic(out, settings.kafka_partitions, BY_BROKER)
    before = admin.watermarks(out)
    low = sum(mark.high for mark in before.values())
    try:
        with started(contender, settings, settings.topic_transactions, out) as children:
            meter, done, changed = Meter([each.pid for each in children]), 0, time.monotonic()
            while done < records:
                time.sleep(0.2)
                now = sum(mark.high for mark in admin.watermarks(out).values()) - low
                if now > done:
                    done, changed = now, time.monotonic()
                ended = any(child.poll() is not None for child in children)
                if ended or time.monotonic() - changed > QUIET_S:
                    return Run(0, 0, 0, f"stopped at {done:,} records; see bench-peers.log")
            time.sleep(0.5)
            meter.stop()
    except (OSError, subprocess.SubprocessError) as error:
        return Run(0, 0, 0, f"cannot be installed: {error}")
    finally:
        admin.close()
    made = take(settings, out, before)
    times = sorted(one.timestamp for one in made)
    took = max(1, times[-1] - times[0])
    wrong = differing(want, [one.value for one in made])
    return Run(
        1000 * records / took, meter.between(times[0], times[-1]) / records * 1e6, meter.most, wrong
    )


def table(found: dict[str, list[Run]]) -> list[str]:
    """Rows of a table in Markdown; ratios to the first contender of the same round."""
    base = next(iter(found.values()))
    made = [
        "| contender | records/s, median | least to most | ÷ lean loop | CPU µs a record | MB |"
        " decisions |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        good = [run for run in runs if not run.wrong]
        if not good:
            made.append(f"| {name} | – | – | – | – | – | {runs[-1].wrong} |")
            continue
        rates = [run.rate for run in good]
        ratios = [one.rate / other.rate for one, other in zip(runs, base, strict=False)
                  if not one.wrong and other.rate]  # fmt: skip
        bad = [run.wrong for run in runs if run.wrong]
        told = f"equal, {len(bad)} of {len(runs)} runs: {bad[0]}" if bad else "equal"
        ratio = f"{statistics.median(ratios):.2f}" if ratios else "–"
        made.append(
            f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f} to {max(rates):,.0f} "
            f"| {ratio} | {statistics.median(run.cpu_us for run in good):.0f} "
            f"| {max(run.mb for run in good):.0f} | {told} |"
        )
    return made


def chart(found: dict[str, list[Run]]) -> str:
    """Records/s as bars, SVG."""
    rates = {
        name: statistics.median(run.rate for run in runs if not run.wrong)
        for name, runs in found.items()
        if any(not run.wrong for run in runs)
    }
    most = max(rates.values(), default=1.0)
    bars = []
    for nth, (name, rate) in enumerate(rates.items()):
        y, width = 30 + nth * 28, 420 * rate / most
        bars.append(
            f'<text x="210" y="{y + 14}" text-anchor="end">{name}</text>'
            f'<rect x="220" y="{y}" width="{width:.0f}" height="18" fill="#1b6ca8"/>'
            f'<text x="{226 + width:.0f}" y="{y + 14}">{rate:,.0f}</text>'
        )
    high = 40 + 28 * len(rates)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{high}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        '<text x="10" y="18" font-weight="bold">Records/s into Kafka, medians</text>'
        f"{''.join(bars)}</svg>\n"
    )


def main() -> None:
    """Run them in turn; print the table and write it with its figures and a chart."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--uniform", action="store_true", help="all customers equally often")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[""], help="contenders whose names begin so")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reports")
    options = parser.parse_args()
    services.up(load(root=ROOT), ROOT, say)
    stamp = f"{int(time.time()):x}"
    names = {"topic.transactions": f"bench-{stamp}"}
    settings = prepared({**names, "cassandra.keyspace": f"p{stamp}"})
    fill(settings, options)
    with closing(connect.admin(settings)) as admin:
        all_of_it = dict.fromkeys(admin.watermarks(settings.topic_transactions), Watermarks(0, 0))
    want = reference(take(settings, settings.topic_transactions, all_of_it))
    wanted: Callable[[str], bool] = lambda name: name.startswith(tuple(options.only))  # noqa: E731
    chosen = [one for one in contenders(os.cpu_count() or 1) if wanted(one.name)]
    found: dict[str, list[Run]] = {one.name: [] for one in chosen}
    for nth in range(options.runs):
        for place, one in enumerate(chosen):
            try:
                run = once(one, names, options.records, want, f"{stamp}_{nth}_{place}")
            except InfrastructureError as error:
                run = Run(0, 0, 0, str(error))
            found[one.name].append(run)
            say(f"{one.name}: {run.wrong or f'{run.rate:,.0f} records/s'}")
    lines = table(found)
    print("\n".join(lines))
    about = (
        f"{options.records:,} records of {options.customers:,} customers, {options.runs} runs, "
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.0f} (with more than one a core "
        "only the ratios mean something); made by `./stormwatch bench peers`."
    )
    options.out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(("# Side by side", "", about, "", *lines, "", "![rates](peers.svg)", ""))
    (options.out / "peers.md").write_text(text, encoding="utf-8")
    (options.out / "peers.svg").write_text(chart(found), encoding="utf-8")
    figures = {name: [run._asdict() for run in runs] for name, runs in found.items()}
    told = {"about": about, "runs": figures}
    (options.out / "peers.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
