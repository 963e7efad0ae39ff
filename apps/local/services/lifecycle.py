"""Start services together, stop them together, whatever they are."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from apps.local.services import ports, process, registry, storm, workers
from apps.local.services.errors import ServiceError
from apps.local.services.health import listens
from apps.local.services.home import Home, Progress
from apps.local.services.plan import ServicePlan, start, wait
from apps.local.services.registry import Entry
from stormwatch.settings import Settings

_ANSWER_S = 10.0
"""For what runs already; one that is only just starting is waited for by its starter."""


def nothing() -> None:
    """What is done meanwhile, by default."""


def ensure(
    home: Home,
    plans: Mapping[str, Callable[[Home, Progress], ServicePlan]],
    progress: Progress,
    meanwhile: Callable[[], None] = nothing,
) -> list[Entry]:
    """Running and answering services, started where they are not. The caller holds the lock.

    `meanwhile` is called once what was missing is under way, and before it is waited for: if it
    raises, what was started ends.
    """
    known = registry.read(home)
    running = {n: known[n] for n in plans if n in known and process.find(known[n].identity)}
    for name in plans:
        if name in known and name not in running:
            progress(name, f"its process {known[name].pid} is gone; starting it again")
    for entry in running.values():
        _expect_answer(entry)
    started: list[tuple[ServicePlan, Entry]] = []
    try:
        # Cassandra first: it takes longest, and starts while the next one's jars are resolved.
        for name in sorted(set(plans) - set(running)):
            plan = plans[name](home, progress)
            progress(name, "starting")
            started.append((plan, start(home, plan)))
        meanwhile()
        wait(home, started, progress)
    except BaseException:  # also at Ctrl-C: what runs half ends
        process.stop([entry.identity for _, entry in started])
        registry.remove(home, *(entry.name for _, entry in started))
        raise
    return [*running.values(), *(entry for _, entry in started)]


def _expect_answer(entry: Entry) -> None:
    end = time.monotonic() + _ANSWER_S
    port = next(iter(entry.ports.values()))
    while not listens(ports.HOST, port):
        if process.find(entry.identity) is None or time.monotonic() > end:
            raise ServiceError(
                f"{entry.name} (pid {entry.pid}) runs, but does not answer on port {port}. The end "
                f"of {entry.log}:\n{process.tail(Path(entry.log))}\n"
                "`./stormwatch down` ends it; then start again."
            )
        time.sleep(0.2)


def with_entries(settings: Settings, entries: list[Entry]) -> Settings:
    """The settings with the addresses of the entries."""
    changed = {
        key.replace(".", "_"): value for entry in entries for key, value in entry.settings.items()
    }
    return replace(settings, **changed)  # type: ignore[arg-type]


def halt(home: Home, names: list[str], progress: Progress, *, topologies: bool = True) -> list[str]:
    """Stop these, a cluster from the top down and the rest beside it; the names of what ran.

    With a supervisor its topologies and their workers end, unless `topologies` is false. The
    caller holds the lock.
    """
    known = registry.read(home)
    running = {n: known[n] for n in names if n in known and process.find(known[n].identity)}
    for name in running:
        progress(name, "stopping")
    cluster = topologies and storm.SUPERVISOR in names
    alone = workers.running(home) if cluster and storm.SUPERVISOR not in running else []
    left: set[str] = set()
    try:
        if cluster:
            thrift = running[storm.NIMBUS].ports["thrift"] if storm.NIMBUS in running else None
            left = workers.kill_topologies(home, thrift, progress)
        last = {storm.NIMBUS: 1, storm.ZOOKEEPER: 2}
        for turn in range(3):
            process.stop(e.identity for n, e in running.items() if last.get(n, 0) == turn)
            if turn == 0 and cluster:  # they outlive a supervisor that was killed
                process.stop(workers.processes(home), grace_s=1)
        if left:
            progress(
                "cluster",
                f"no Nimbus could forget {', '.join(sorted(left))}: the next `./stormwatch cluster "
                "up` runs that again. `sparse kill -n NAME` ends it then",
            )
    finally:
        gone = [n for n in names if n in known and process.find(known[n].identity) is None]
        registry.remove(home, *gone)
    return [*running, *sorted({f"the workers of {worker.topology}" for worker in alone})]
