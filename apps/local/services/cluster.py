"""A Storm cluster on this machine: up, down and what runs on it."""

from collections import Counter
from pathlib import Path

from apps.local.services import lifecycle, manage, ports, process, registry, storm, workers
from apps.local.services.home import Home, Progress, silent
from apps.operate import nimbus
from stormwatch.settings import Settings, load


def up(
    settings: Settings, root: Path, progress: Progress = silent, thrift: int = storm.NIMBUS_PORT
) -> None:
    """ZooKeeper, a leading Nimbus and a registered supervisor when this returns.

    What this call started is stopped again if it cannot finish. Raises ServiceError.
    """
    home = Home.of(settings, root)
    with registry.locked(home):
        before = {n for n, e in registry.read(home).items() if process.find(e.identity)}
        try:
            plans = {storm.ZOOKEEPER: storm.zookeeper}
            (keeper,) = lifecycle.ensure(home, plans, progress)
            for name, plan in storm.daemons(home, keeper.ports["client"], thrift).items():
                lifecycle.ensure(home, {name: plan}, progress)
        except BaseException:  # also at Ctrl-C: what runs half ends
            made = [name for name in storm.ALL if name not in before]
            lifecycle.halt(home, made, silent, topologies=False)
            raise
    progress(
        "cluster",
        "Nimbus, supervisor and workers listen on all interfaces and ask for no password: whoever "
        "reaches them runs code here. Keep those ports behind a firewall.",
    )


def down(root: Path, progress: Progress = silent, settings: Settings | None = None) -> list[str]:
    """Kill the topologies and stop the cluster's processes; the names of what was stopped.

    Workers whose supervisor was killed are found and ended too.
    """
    home = Home.of(settings or load(root=root), root)
    if not home.registry.exists() and not workers.running(home):
        return []
    with registry.locked(home):
        return lifecycle.halt(home, list(storm.ALL), progress)


def status(root: Path, settings: Settings | None = None) -> list[str]:
    """Lines for a person: the processes, and the topologies with their state."""
    home = Home.of(settings or load(root=root), root)
    known = registry.read(home)
    lines = []
    for name in storm.ALL:
        entry = known.get(name)
        if entry is None:
            lines.append(f"{name}: stopped")
        elif process.find(entry.identity) is None:
            lines.append(
                f"{name}: stale (pid {entry.pid} is gone; it does not come back by itself: "
                f"`{manage.again(name)}`)"
            )
        else:
            shown = ", ".join(f"{what} {port}" for what, port in entry.ports.items())
            lines.append(f"{name}: running, pid {entry.pid}, {shown}, log {entry.log}")
    alive = Counter(worker.topology for worker in workers.running(home))
    found = None
    if storm.NIMBUS in known:
        found = nimbus.ask(ports.HOST, known[storm.NIMBUS].ports["thrift"])
        if found is None:
            lines.append("Nimbus does not answer")
        elif not found.topologies:
            lines.append("topologies: none")
    supervised = registry.running(home, storm.SUPERVISOR)
    for name, state in (found.topologies if found else {}).items():
        lines.append(f"topology {name}: {state}, {_workers(alive.pop(name, 0), supervised)}")
    for name, count in alive.items():
        lines.append(
            f"topology {name}: {_workers(count, supervised)}, though no Nimbus tells of it; "
            "`./stormwatch cluster down` ends that"
        )
    return lines


def _workers(alive: int, supervised: bool) -> str:
    """What decides, and whether what is missing comes back."""
    if alive:
        return f"{alive} worker{'s' * (alive > 1)} running"
    if supervised:
        return "no worker is running; the supervisor starts one, which takes up to a minute"
    return "no worker is running and nothing starts one: `./stormwatch cluster up`"
