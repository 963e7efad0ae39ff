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


def end_well(scene: Scene, kills: int = 0) -> Tables:
    """The last kill fell into a backlog, all of it is decided, and the laws hold."""
    left = scene.ledger().in_flight
    assert left > COUNT / 10, f"INVALID: only {left} records were left when the last kill fell"
    scene.drain(COUNT, 240)
    scene.stop()
    assert scene.said().count("killed by signal 9") == kills, scene.said()
    return scene.check()


def test_killed_bolt_and_spout_change_nothing(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT))
    scene.start(batch_max_records=SMALL)
    for share, part in ((0.1, BOLT), (0.3, SPOUT)):
        scene.until_ended(int(share * COUNT), 240)
        scene.kill(part)
    want = end_well(scene, kills=2)
    met = {state for states in want.ends.values() for state in states}
    assert met == {"scored", "rejected", "duplicate", "conflict", "late"}


@pytest.mark.slow
def test_three_killed_bolts_change_nothing(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT, seed=2))
    scene.start(batch_max_records=SMALL)
    for share in (0.05, 0.3, 0.5):
        scene.until_ended(int(share * COUNT), 240)
        scene.kill(BOLT)
    end_well(scene, kills=3)


@pytest.mark.slow
def test_a_killed_storm_changes_nothing(scene: Scene) -> None:
    """The bolts may outlive it for a moment: what they still write must not matter."""
    scene.prepare()
    scene.publish(mixed(COUNT, seed=3))
    scene.start(batch_max_records=SMALL)
    scene.until_ended(COUNT // 5, 240)
    bolts = scene.pids(BOLT)
    scene.kill(JVM)
    scene.until(lambda: not set(bolts) & set(scene.pids(BOLT)), "end of the orphaned bolts", 30)
    end_well(scene, kills=1)
    assert "Storm's JVM died: killed by signal 9" in scene.said(), scene.said()


@pytest.mark.slow
def test_the_spread_form_decides_the_same(scene: Scene) -> None:
    scene.prepare()
    scene.publish(mixed(COUNT, seed=4))
    scene.start(batch_max_records=SMALL, topology_chain=False)
    for share, part in ((0.1, SCORE), (0.4, STORE)):
        scene.until_ended(int(share * COUNT), 240)
        scene.kill(part)
    end_well(scene, kills=2)
