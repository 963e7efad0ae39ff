"""One run from start to stop, in order; how each step is done is in the modules beside."""

import os
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from apps.data import mappings
from apps.data.streams import ALL, Stream, streams
from apps.local.run import proof, report
from apps.local.run.phases import Course
from apps.local.run.present import Presenter
from apps.local.run.processes import Processes
from apps.local.run.publisher import Order
from apps.local.run.services import RunServices
from apps.local.run.signals import Interrupted, Signals
from apps.local.run.watch import Watcher
from apps.local.services.lifecycle import nothing
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.parsing.mapping import label_topic
from stormwatch.settings import Settings


class Options(NamedTuple):
    """What a person asked for."""

    seconds: float | None = None  # None: until Ctrl-C
    rate: float = 500.0  # records/s per stream; 0: as fast as it goes
    topology: str = ALL
    report: Path | None = None
    seed: int = 0
    labels: bool = True  # of generated payments, to their own topic


def execute(
    options: Options,
    settings: Settings,
    root: Path,
    shown: Presenter,
    meanwhile: Callable[[], None] = nothing,
) -> int:
    """Run until the end of `seconds` or a signal; the exit code. `meanwhile` is called while the
    services start, and so is what a start of the topologies brings into memory.

    0: ended well. 1: a topology gave up, or records stayed open. 130: Ctrl-C. Raises
    StormwatchError when it cannot start. Whatever it started is stopped when it returns.
    """
    chosen = streams(settings, options.topology)
    for stream in chosen:
        mappings.expect_none(settings, stream.events, stream.topic)

    def prepare() -> None:
        meanwhile()
        _page()

    with Signals() as signals:
        try:
            with RunServices(settings, root, shown.step, prepare) as outside:
                made = _run(options, chosen, outside, root, shown, signals)
        except Interrupted:
            return signals.code
        finally:
            shown.close()
        if options.report:
            report.write(made, options.report)
        shown.summary(made)
        if signals.asked:
            return signals.code
        return 0 if made.ok else 1


def _run(
    options: Options,
    chosen: Sequence[Stream],
    outside: RunServices,
    root: Path,
    shown: Presenter,
    signals: Signals,
) -> report.Report:
    """From the first topology to the last; its processes are gone when this returns."""
    now = datetime.now(UTC)
    run = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    before = proof.highs(outside.admin, chosen)
    signals.only_ask()
    with Processes(
        chosen, root, root / outside.settings.run_dir / "logs", shown.words
    ) as processes:
        watcher = Watcher(
            chosen,
            outside,
            now_ms(),
            lambda: {**outside.pids(), **processes.pids(), "run": [os.getpid()]},
        )
        course = Course(
            lambda s: _order(s, options, outside.settings, run, root),
            run,
            chosen,
            processes,
            watcher,
            signals,
            shown.show,
        )
        shown.step("topologies", f"starting {' and '.join(s.topology for s in chosen)}")
        processes.start()
        watcher.start()
        try:
            server = _page()
            looked = server.Outside(outside.settings, outside.admin, outside.store)
            with server.served(root, looked, shown.page, watcher.by_topic):
                trouble = course.lead(options.seconds)
                published = proof.ranges(before, proof.highs(outside.admin, chosen))
                trouble = trouble or course.drain() or " ".join(watcher.alarms)
        finally:
            watcher.stop()
        proofs = {s.topology: proof.proof(outside, s, published) for s in chosen}
        shown.close()
        shown.step("topologies", "stopping")
        processes.begin_to_stop()  # first, as their spouts commit
        outside.begin_to_stop()
        return report.make(
            report.About(run, now, course.times(), options.rate, trouble),
            [
                report.Part(
                    s.topology,
                    proofs[s.topology],
                    course.looks(s.topology),
                    processes.topologies[s.topology].restarts,
                )
                for s in chosen
            ],
            watcher.peak,
        )


def _page() -> ModuleType:
    """Imported late: the services need not wait for it."""
    from apps.serve import server

    return server


def _order(stream: Stream, options: Options, settings: Settings, run: str, root: Path) -> Order:
    labels = label_topic(settings, stream.events) if options.labels else ""
    return Order(
        stream.events, stream.topic, options.rate, run, str(root), options.seed, labels
    )  # fmt: skip
