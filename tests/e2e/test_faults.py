"""Processes of a running topology are killed; afterwards nothing is lost, doubled or changed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.services.home import Home
from stormwatch.settings import Settings
from tests.e2e.oracle import Tables
from tests.e2e.scene import BOLT, JVM, SPOUT, Scene, opened
from tests.e2e.traffic import mixed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

COUNT = 20_000
SMALL = 40
"""Records in a batch: 500 of them leave time for a kill."""
SCORE, STORE = "bolts.fraud.ScoreTransactions", "bolts.fraud.StoreFraudDecisions"


@pytest.fixture
def scene(
    services: Settings, services_home: Home, tmp_path: Path, unique: Callable[[str], str]
) -> Iterator[Scene]:
    with opened(services, services_home, tmp_path, unique("kills")) as made:
        yield made


def kill(scene: Scene, parts: dict[float, str]) -> list[str]:
    """kill -9 of each part once that share of the records is decided; what has to be said."""
    told = []
    for share, part in parts.items():
        scene.until_ended(int(share * COUNT), 240)
        pid = scene.kill(part)
        sentence = f"(pid {pid}) died" if part != JVM else "Storm's JVM died: killed by signal 9"
        told.append(sentence)
        scene.until_said(f"restarting the topology in place ({len(told)} of at most", 30)
    return told


def end_well(scene: Scene, told: list[str]) -> Tables:
    """The last kill fell into a backlog, all of it is decided, and the laws hold."""
    left = scene.ledger().in_flight
    assert left > COUNT / 10, f"INVALID: only {left} records were left when the last kill fell"
    scene.drain(COUNT, 240)
    scene.stop()
    said = scene.said()
    assert said.count("restarting the topology in place") == len(told), said
    assert all(sentence in said for sentence in told), said
    return scene.check()


def test_killed_bolt_and_spout_change_nothing(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT))
    scene.start(batch_max_records=SMALL)
    want = end_well(scene, kill(scene, {0.1: BOLT, 0.3: SPOUT}))
    met = {state for states in want.ends.values() for state in states}
    assert met == {"scored", "rejected", "duplicate", "conflict", "late"}


@pytest.mark.slow
def test_three_killed_bolts_change_nothing(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT, seed=2))
    scene.start(batch_max_records=SMALL)
    end_well(scene, kill(scene, {0.05: BOLT, 0.3: BOLT, 0.5: BOLT}))


@pytest.mark.slow
def test_a_killed_storm_changes_nothing(scene: Scene) -> None:
    """The bolts may outlive it for a moment: what they still write must not matter."""
    scene.prepare()
    scene.publish(mixed(COUNT, seed=3))
    scene.start(batch_max_records=SMALL)
    end_well(scene, kill(scene, {0.2: JVM}))


@pytest.mark.slow
def test_the_spread_form_decides_the_same(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT, seed=4))
    scene.start(batch_max_records=SMALL, topology_chain=False)
    end_well(scene, kill(scene, {0.1: SCORE, 0.4: STORE}))
