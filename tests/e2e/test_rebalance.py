"""A running cluster is rebalanced in mid-stream, to two workers and back: nothing is lost."""

from dataclasses import fields
from pathlib import Path

import psutil
import pytest

from apps.local.services import cluster, ports, workers
from apps.local.services.home import Home, silent
from apps.operate import nimbus
from apps.prove.chaos.environment import Environment, committed
from apps.prove.chaos.traffic import mixed
from stormwatch.settings import Settings, load, variable
from tests.e2e.project import Until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

COUNT = 30_000
WORKER, LOGGER = "org.apache.storm.daemon.worker.Worker", "org.apache.storm.LogWriter"


def test_a_rebalanced_cluster_loses_and_doubles_nothing(
    environment: Environment, until: Until
) -> None:
    environment.prepare()
    environment.publish(mixed(COUNT, 17))
    root, thrift = environment.project.root, ports.free()
    own = load({}, root=root)
    cluster.up(own, root, silent, thrift)
    try:
        submitted = environment.project.sparse(
            "submit", "-n", "fraud", STREAMPARSE_NIMBUS=f"127.0.0.1:{thrift}", **told(environment)
        )
        assert submitted.wait(timeout=200) == 0, environment.project.said()
        with environment.watching() as ledger:

            def ended(count: int) -> bool:
                return sum(ledger().states.values()) >= count

            until(lambda: ended(COUNT // 20), 240)
            seen = [worker_count(own, root)]
            for number, (count, share) in enumerate(((2, 0.4), (1, 0.7))):
                left = ledger().in_flight
                assert left > COUNT // 5, f"INVALID: only {left} records were left"
                moved = committed(ledger())
                nimbus.rebalance(ports.HOST, thrift, "fraud", count)
                until(lambda: committed(ledger()) > moved + 2000, 240)  # noqa: B023
                until(lambda: ended(int(share * COUNT)), 240)  # noqa: B023
                seen.append(worker_count(own, root))
                assert seen[-1] == count, (number, seen)
            assert seen == [1, 2, 1]
            until(lambda: committed(ledger()) >= COUNT and not ledger().in_flight, 400)
    finally:
        cluster.down(root, silent, own)
    want = environment.check()
    states = {state for each in want.ends.values() for state in each}
    assert states == {"scored", "rejected", "duplicate", "conflict", "late"}


def told(environment: Environment) -> dict[str, str]:
    """The scene's settings as environment; batches small, so that there are many under way."""
    default, said = Settings(), {"STORMWATCH_BATCH_MAX_RECORDS": "40"}
    for each in fields(Settings):
        value = getattr(environment.settings, each.name)
        if value != getattr(default, each.name):
            said[variable(each.metadata["key"])] = str(value)
    return said


def worker_count(settings: Settings, root: Path) -> int:
    """Worker JVMs of this cluster, without those that write their logs."""
    pids = {one.pid for one in workers.processes(Home.of(settings, root))}
    commands = [psutil.Process(pid).cmdline() for pid in pids]
    return sum(WORKER in command and LOGGER not in command for command in commands)
