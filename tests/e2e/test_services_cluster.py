"""A real Nimbus, ZooKeeper and supervisor, and `sparse submit` to them."""

import os
import socket
import time
from pathlib import Path

import psutil
import pytest

from apps.local.services import cluster, ports, process, registry, workers
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, silent
from stormwatch.settings import Settings, load
from tests.e2e.project import Project, Until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_submit_list_and_kill(project: Project, until: Until, services_home: Home) -> None:
    settings = _settings(project.root)
    home = Home.of(settings, project.root)
    thrift = ports.free()
    told: list[str] = []
    cluster.up(settings, project.root, lambda step, detail: told.append(detail), thrift)
    try:
        assert any("firewall" in detail for detail in told)
        cluster.up(settings, project.root, silent, thrift)
        seen = project.topology("tiny")
        nimbus = {"STREAMPARSE_NIMBUS": f"127.0.0.1:{thrift}"}
        submitted = project.sparse("submit", "-n", "tiny", **nimbus)
        assert submitted.wait(timeout=90) == 0, project.said()
        until(lambda: _started(seen), 60)
        assert "topology tiny: ACTIVE, 1 worker running" in cluster.status(project.root, settings)
        os.kill(_started(seen)[0], 9)
        until(lambda: len(_started(seen)) == 2, 60)
        running = workers.processes(home)
        assert running
        _a_supervisor_that_comes_back_keeps_its_worker(project.root, settings, home, thrift)
        for name in ("supervisor", "nimbus"):  # nobody can kill the topology by its name now
            _kill(home, name)
        told.clear()
    finally:
        stopped = cluster.down(project.root, lambda step, detail: told.append(detail), settings)
    assert stopped == ["zookeeper", "the workers of tiny"]
    assert any("tiny: the next `./stormwatch cluster up` runs that" in detail for detail in told)
    assert not any(psutil.pid_exists(identity.pid) for identity in running)
    assert ports.is_free(thrift)
    assert registry.read(home) == {}


def test_a_taken_nimbus_port_is_told_and_nothing_stays(project: Project) -> None:
    settings = _settings(project.root)
    with socket.create_server((ports.HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"Port {port} is taken, and config.json"):
            cluster.up(settings, project.root, silent, port)
    assert registry.read(Home.of(settings, project.root)) == {}
    time.sleep(0.1)
    assert project.processes() == []


def _a_supervisor_that_comes_back_keeps_its_worker(
    root: Path, settings: Settings, home: Home, thrift: int
) -> None:
    """Its slots are those it had: given others, it would end the healthy worker."""
    before, had = workers.processes(home), registry.ports(home, "supervisor")
    _kill(home, "supervisor")
    lines = cluster.status(root, settings)
    assert any("supervisor: stale" in line and "cluster up" in line for line in lines)
    assert any("topology tiny: ACTIVE, 1 worker running" in line for line in lines)
    cluster.up(settings, root, silent, thrift)
    assert registry.ports(home, "supervisor") == had
    time.sleep(5)  # so long it took to kill it
    assert {one.pid for one in before} <= {one.pid for one in workers.processes(home)}


def _kill(home: Home, name: str) -> None:
    entry = registry.read(home)[name]
    os.kill(entry.pid, 9)
    while process.find(entry.identity):
        time.sleep(0.05)


def _settings(root: Path) -> Settings:
    return load({}, root=root)


def _started(directory: Path) -> list[int]:
    return [int(p.suffix[1:]) for p in directory.glob("pid.*") if p.stat().st_size]
