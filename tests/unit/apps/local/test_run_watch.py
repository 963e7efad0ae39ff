"""What the watcher of a run sees of the ledger, and what is shown of it."""

from types import SimpleNamespace

import pytest

from apps.data.streams import Stream
from apps.local.run import watch
from apps.local.run.figures import NOTHING
from apps.local.run.view import Panel, Screen, plain
from apps.local.run.watch import Watcher
from apps.operate.ledger_alarm import Alarm
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySource
from stormwatch.ports import Committed
from tests.models.verified import SETTINGS, TOPIC, World


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> tuple[Watcher, World]:
    monkeypatch.setattr(watch, "LEDGER_EVERY_S", 0.0)
    monkeypatch.setattr(watch, "LEDGER_SHARE", 0.0)
    world = World()
    outside = SimpleNamespace(settings=SETTINGS, admin=MemoryAdmin(world.broker), store=world.store)
    made = Watcher([Stream("fraud", TOPIC, "transactions")], outside, 0, dict)
    made._alarm = Alarm(patience_s=0.0)
    return made, world


def test_the_ledger_is_looked_at_and_a_lasting_gap_is_an_alarm_once(
    watcher: tuple[Watcher, World],
) -> None:
    made, world = watcher
    assert made.ledger("fraud") is None
    made._reconcile()
    found = made.ledger("fraud")
    assert found is not None and found.sound and not made.alarms
    commit = {0: Committed(43, "")}
    MemorySource(world.broker, TOPIC, SETTINGS.kafka_group).commit(commit, wait=True)
    for _ in range(3):
        made._reconcile()
    (said,) = made.alarms
    assert "offsets 40 to 42 have had no end state" in said
    panel = Panel("fraud", NOTHING, None, ledger=made.ledger("fraud"))
    (line,) = plain(Screen("r", "running", 1.0, [panel], {}))
    assert "unaccounted 3," in line, "told although nothing was decided"
    unread = panel._replace(look=NOTHING._replace(ends={"scored": 1}), ledger=None)
    assert "unaccounted –" in plain(Screen("r", "running", 1.0, [unread], {}))[0]
