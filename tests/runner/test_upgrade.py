"""An upgraded installation goes on from what an older version stored.

tests/fixtures/stored_by_af92a6c.json holds the tables, the control topic and the commits that
commit af92a6c wrote, before incarnations were given out by the keyspace: 40 records, of the last
ones a batch was in work when it ended.
"""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stormwatch.ingest.commit_metadata import topic_id
from stormwatch.ledger.reconcile import START
from stormwatch.ports import Committed
from stormwatch.records import (
    DecisionRow,
    Fragment,
    LedgerRow,
    Outcomes,
    Record,
    SetAside,
    StateRow,
)
from tests.models.logs import Bench, bench, whole

STORED = json.loads((Path(__file__).parents[1] / "fixtures/stored_by_af92a6c.json").read_text())


@contextmanager
def upgraded(log: str) -> Iterator[Bench]:
    """What was stored, and a Kafka that has the topic as `log`."""
    with bench(partitions=2, topic=STORED["topic"]) as b:
        b.laid_out(64)  # as it was by default; a store says that it must be set
        broker, store = b.broker, b.made.world.store
        topic = broker.topic(b.topic)
        assert topic is not None
        topic.topic_id = log
        for partition, records in STORED["records"].items():
            kafka = topic.logs[int(partition)]
            kafka.records = [
                Record(offset, time, b64decode(key), b64decode(value))
                for offset, (time, key, value) in enumerate(records)
            ]
            kafka.high = len(records)
        for key, value in STORED["control"]:
            broker.append(b.made.settings.topic_control, key.encode(), b64decode(value))
        broker.commits["stormwatch", b.topic] = {
            int(p): Committed(*commit) for p, commit in STORED["commits"].items()
        }
        _tables(store, b.topic)
        b.after(700)
        yield b


def _tables(store: Any, topic: str) -> None:
    for partition, epoch, first in (row[1:] for row in STORED["starts"]):
        at = Fragment(topic, partition, epoch, first, first - 1, 1, 0)
        store.write_aside("fraud", [], LedgerRow(at, START, {}, 0), 1)
    for where, part, bitmaps, age, stamp in STORED["ledger"]:
        bits = {state: b64decode(each) for state, each in bitmaps.items()}
        store.write_aside("fraud", [], LedgerRow(Fragment(topic, *where), part, bits, age), stamp)
    for domain, stripe, entity, blob, stamp in STORED["states"]:
        store.write_states(domain, [StateRow(stripe, entity, b64decode(blob), stamp)])
    for key, cells, stamp in STORED["decisions"]:
        domain, stripe, _, entity, time, name = key
        plain = cells | {"body": b64decode(cells["body"])}
        at = Fragment(topic, 0, 1, 0, 0, 1, 0)
        row = DecisionRow(stripe, entity, time, name, **plain)
        nothing = LedgerRow(at, "score", {}, 0)
        store.write_outcomes(Outcomes(at, domain, stamp, [row], [], [], nothing, [], []))
    for key, cells, stamp in STORED["asides"]:
        _, topic, partition, epoch, _, offset = key
        at = Fragment(topic, partition, epoch, offset, offset, 1, 0)
        *said, kept, raw = cells
        row = SetAside(*said, b64decode(kept), b64decode(raw))
        store.write_aside("fraud", [row], LedgerRow(at, "reject", {}, 0), stamp)


@pytest.mark.parametrize("log", [STORED["topic_id"], topic_id(STORED["topic_id"])])
def test_the_log_that_was_read_is_gone_on_with_and_nothing_is_decided_twice(log: str) -> None:
    with upgraded(topic_id(log)) as b:
        decisions = dict(b.made.world.store.tables["decisions"])
        b.pay(6)
        found = b.run()
        assert whole(found, 46) and found.states == {"scored": 42, "rejected": 4}
        assert b.verified().sound and b.verified().offsets == 46
        after = b.made.world.store.tables["decisions"]
        assert {key: after[key] for key in decisions} == decisions
        assert b.said() == ""
        assert {each.incarnation for each in b.made.world.store.stretches(log_of(b))} == {0}
        b.run()
        assert whole(b.ledger(), 46)


def test_another_log_of_that_name_is_decided_whole() -> None:
    with upgraded("another") as b:
        assert not b.ledger().known
        b.run()
        found = b.ledger()
        assert found.sound and not found.in_flight
        # The same payments: their ids are known.
        assert found.states == {"duplicate": 36, "rejected": 4}
        assert "is of another log" in b.said()


def test_offsets_that_were_moved_before_the_upgrade_are_seen() -> None:
    with upgraded(topic_id(STORED["topic_id"])) as b:
        b.broker.commits["stormwatch", b.topic][0] = Committed(18, "")
        b.run()
        found = b.ledger()
        assert found.sound and not found.in_flight and found.unread == 0
        assert sum(found.states.values()) == 40


def log_of(b: Bench) -> str:
    info = b.admin.describe(b.topic)
    assert info is not None
    return info.topic_id
