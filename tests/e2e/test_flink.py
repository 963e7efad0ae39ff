"""Real Flink on real Kafka and Cassandra: what it decides is what the oracle decides."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from apps.data.kinds import BY_TOPOLOGY
from apps.local.flink import virtualenv
from apps.local.run import prepare
from apps.local.services.home import Home, silent
from apps.prove.chaos.run import Run
from apps.prove.verdict.tables import of_cassandra
from stormwatch.domains.fraud import terminals
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.settings import Settings, to_environ
from stormwatch.state.recorded import read
from tests.conftest import Unique
from tests.e2e.flink_cluster import cluster
from tests.e2e.ground import Ground
from tests.e2e.project import ROOT
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)]

RECORDS = int(os.environ.get("STORMWATCH_FLINK_RECORDS", "100_000"))
"""Of each domain that are compared; a tenth of them where it is killed."""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """With the virtualenv and the jars of the project's own."""
    own = Home.of(Settings(), ROOT)
    virtualenv.python(own, silent)
    (tmp_path / "flink").mkdir()
    (tmp_path / "flink" / "venv").symlink_to(own.run_dir / "flink" / "venv")
    (tmp_path / "jars").symlink_to(own.jars)
    return tmp_path


@pytest.fixture
def started(run_dir: Path) -> Iterator[list[Started]]:
    made: list[Started] = []
    yield made
    for each in made:
        each.end()


def ground(services: Settings, unique: Unique, name: str) -> Ground:
    alone = replace(services, topology_terminals=0)
    made = Ground(alone, BY_TOPOLOGY[name], unique("flink"))
    made.settings = replace(made.settings, topic_labels="")
    return made


def start(on: Ground, run_dir: Path, *more: str) -> Started:
    settings = replace(on.settings, run_dir=str(run_dir))
    return Started(run_dir, "run", on.kind.topology, *more, command="flink", **to_environ(settings))


@pytest.mark.parametrize("name", ["fraud", "maintenance"])
def test_decisions_are_the_oracles_byte_for_byte(
    name: str, services: Settings, unique: Unique, run_dir: Path, started: list[Started]
) -> None:
    on = ground(services, unique, name)
    on.publish(RECORDS)
    started.append(start(on, run_dir, "--once"))
    assert started[0].wait(1200) == 0, started[0].text
    on.passes()


def test_after_kill_9_it_goes_on_from_the_checkpoint(
    services: Settings, unique: Unique, run_dir: Path, started: list[Started]
) -> None:
    count, kills = RECORDS // 10, 2
    on = ground(services, unique, "fraud")
    on.publish(count)
    for kill in range(kills):
        started.append(start(on, run_dir, "--interval", "1"))
        started[-1].until("Flink decides fraud from ")
        with on.looking() as look:
            while not (_checkpoints(run_dir) and look()[0] > count * (kill + 1) // (kills + 2)):
                assert started[-1].process.poll() is None, started[-1].text
                time.sleep(0.5)
        for process in (psutil.Process(started[-1].process.pid), *started[-1].look()):
            process.send_signal(signal.SIGKILL)
        started[-1].process.wait()
    on.publish(count // 2)  # ids of before: all are duplicates
    started.append(start(on, run_dir, "--once"))
    assert started[-1].wait(1000) == 0, started[-1].text
    resumed = ["Flink decides fraud from /" in each.text for each in started]
    assert resumed == [False, *[True] * kills]
    on.passes()


def _checkpoints(run_dir: Path) -> list[Path]:
    return list(run_dir.glob("flink/*/fraud/*/*/chk-*/_metadata"))


def test_a_cluster_decides_as_the_oracle_and_goes_on_from_its_checkpoint(
    services: Settings, unique: Unique, run_dir: Path, started: list[Started]
) -> None:
    on = ground(services, unique, "fraud")
    with cluster(run_dir / "flink" / "venv", run_dir / "cluster") as address:
        for count, begin in ((6_000, "the oldest record on"), (9_000, "/")):
            on.publish(count)  # the second time 6,000 are duplicates
            started.append(start(on, run_dir, "--once", "--interval", "1", "--jobmanager", address))
            assert started[-1].wait(300) == 0, started[-1].text
            assert f"Flink decides fraud from {begin}" in started[-1].text
        on.passes()


def test_as_recorded_it_decides_what_storm_has_decided_with_terminals(
    services: Settings, services_home: Home, unique: Unique, run_dir: Path, started: list[Started],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    count = 10_000
    on = Ground(services, BY_TOPOLOGY["fraud"], unique("storm"))
    on.settings = replace(on.settings, topic_labels="")
    storm = Run(tmp_path_factory.mktemp("storm"), services_home.jars, services)
    storm.settings = replace(on.settings, run_dir=".stormwatch")
    try:
        storm.start("fraud")
        on.publish(count)
        with on.looking() as look:
            storm.until(lambda: look() == (count, count), "all payments decided", 300.0)
        storm.stop()
    finally:
        storm.project.end()
    name = unique("flink")
    own = replace(on.settings, kafka_group=name, cassandra_keyspace=name, run_dir=str(run_dir))
    prepare.topics_and_tables(own, ROOT, silent)
    recorded = on.settings.cassandra_keyspace
    command = ("run", "fraud", "--once", "--recorded", recorded)
    started.append(Started(run_dir, *command, command="flink", **to_environ(own)))
    assert started[0].wait(300) == 0, started[0].text
    by_storm, by_flink = (_bodies(settings) for settings in (on.settings, own))
    assert by_flink == by_storm and len(by_storm) > 0.9 * count
    at = FEATURE_NAMES.index(terminals.NAMES[0])
    told = (read(body) for body in by_storm.values())
    known = {one.features[at : at + len(terminals.NAMES)] for one in told if one}
    assert len(known) > 100, "terminals were told nothing of"


def _bodies(settings: Settings) -> dict[object, bytes]:
    return {key: bytes(row[2]) for key, row in of_cassandra(settings).decisions.items()}
