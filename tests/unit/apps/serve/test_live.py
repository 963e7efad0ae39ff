"""What the page is told of the ledgers: of all topics, and each reconciled once in a process."""

import msgspec
import pytest

from apps.data.streams import Stream
from apps.operate import ledger
from apps.serve import answers
from apps.serve.live import Live
from apps.serve.server import Outside
from tests.models.verified import SETTINGS, TOPIC, World


def told(live: Live) -> list[answers.Ledger]:
    live._reconcile()
    part = live.parts["ledgers"]
    data = part.frame.removeprefix(b"event: ledgers\ndata: ").strip()
    assert msgspec.json.decode(data, type=answers.Ledgers) == part.told
    return live.now.ledgers.ledgers


def test_each_topic_of_a_domain_has_its_ledger_once_it_is_there() -> None:
    world = World()
    outside = Outside(SETTINGS, world.admin, world.store)
    stream = Stream("fraud", TOPIC, "transactions", ("mapped", "not-yet-there"))
    live = Live([stream, Stream("maintenance", "absent", "readings")], outside)
    assert [(one.domain, one.topic) for one in told(live)] == [("fraud", TOPIC)]
    world.admin.ensure_topic("mapped", 1, {})
    live._reconcile_at = 0.0
    assert [one.topic for one in told(live)] == [TOPIC, "mapped"]


def test_what_another_part_of_the_process_reconciled_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    outside = Outside(SETTINGS, world.admin, world.store)
    known = {TOPIC: ledger.topic(SETTINGS, world.admin, world.store, TOPIC)}
    monkeypatch.setattr(ledger, "topic", lambda *_: pytest.fail("asked again"))
    live = Live([Stream("fraud", TOPIC, "transactions")], outside, lambda: known)
    (one,) = told(live)
    assert one.sound and one.states == known[TOPIC].states
