"""Whether a topology is well, of what Kafka and the store say."""

import pytest

from apps.operate import health
from apps.operate.figures import NOTHING
from apps.serve.server import Outside
from stormwatch.adapters import connect
from stormwatch.ledger.reconcile import TopicLedger
from tests.models.decided_payments import SETTINGS, TOPIC, Decided

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("tasks", "lag", "lost", "state", "well"),
    [
        (2, 0, 0, "runs", True), (2, 10_001, 0, "behind", False), (0, 0, 0, "idle", True),
        (0, 1, 0, "stands", False), (2, 0, 1, "unsound", False),
    ],
)  # fmt: skip
def test_the_word_for_it(tasks: int, lag: int, lost: int, state: str, well: bool) -> None:
    class Ledger:
        unaccounted, conflicting = lost, 0

    ledger: TopicLedger = Ledger()  # type: ignore[assignment]
    found = health.health("fraud", NOTHING._replace(tasks=tasks, lag=lag), [ledger])
    assert (found.state, found.well) == (state, well)


def test_of_what_is_stored() -> None:
    world = Decided()
    outside = Outside(SETTINGS, world.admin, world.store)
    before = connect.use(world.doubles())
    try:
        (idle,) = health.topologies(outside, NOW)
        world.meter(NOW - 5, 31)
        (runs,) = health.topologies(outside, NOW)
        world.broker.append(TOPIC, None, b"{}", partition=0)
        (stands,) = health.topologies(outside, NOW + 60_000)
    finally:
        connect.use(before)
    assert (idle.state, runs.state, runs.tasks, stands.state) == ("idle", "runs", 1, "stands")
