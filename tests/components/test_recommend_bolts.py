"""The round over the multilang bytes: plan, two shards of items, lists in the store."""

from itertools import islice

import msgspec
import pytest

from apps.data.generate.behaviour import behaviour
from bolts.items import FirstItems, SecondItems
from bolts.recommend import PlanBolt, RecommendBolt
from stormwatch.codec import Parsed, decoder
from stormwatch.domains.recommend.parse import parse
from stormwatch.domains.recommend.round import Round
from stormwatch.ledger.bitmap import count
from stormwatch.records import Decision, Fragment
from stormwatch.testing.ports import memory_ports
from stormwatch.testing.storm import batch, drive

FAR = 1 << 62
ROUND = (PlanBolt, FirstItems, SecondItems)


@pytest.fixture
def ports():
    with memory_ports() as found:
        yield found


def batches(records=300, size=60, **identity):
    events = islice(behaviour(3, users=20, items=60, groups=4), records)
    found = [parse(generated.value, FAR, future_skew_ms=0) for generated in events]
    for first in range(0, records, size):
        fragment = Fragment("behaviour", 0, 1, first, first + size - 1, 1, 0)
        rows = [(first + i, FAR, event) for i, event in enumerate(found[first : first + size])]
        yield msgspec.structs.replace(fragment, **identity), Parsed(rows, [], [])


def send_round(**identity):
    """One batch after the other, as the spout does."""
    for fragment, payload in batches(**identity):
        message = batch(fragment, payload)
        for bolt in ROUND:
            said = drive(bolt, message)
            assert [m["command"] for m in said.of("ack", "fail")] == ["ack"], said.log
            (out,) = said.of("emit")
            message = batch(fragment, decoder(Round)(out["tuple"][-1]))
        said = drive(RecommendBolt, message)
        assert [m["command"] for m in said.of("ack", "fail")] == ["ack"], said.log


def values(store, table):
    rows = store.tables.get(table, {})
    return {key: {c: v for c, (_, v) in row.items()} for key, row in rows.items()}


def test_each_event_leaves_its_users_list_and_items_learn(ports):
    send_round()
    lists = [
        msgspec.json.decode(row["body"], type=Decision)
        for row in values(ports.store, "decisions").values()
    ]
    assert len(lists) == 300
    assert (
        sum(count(r.bitmaps["scored"]) for r in ports.store.ledger("behaviour", 0, 1, 0, 400))
        == 300
    )
    late = [one for one in lists if one.offset >= 200]
    assert all(len(one.reasons) == 10 for one in late)
    texts = {reason.text.rsplit(" ", 1)[0] for one in late for reason in one.reasons}
    assert {"because you viewed", "because you bought"} <= texts
    domains = {key[0] for key in values(ports.store, "states")}
    assert domains == {"recommend", "recommend.items"}


def test_a_replay_changes_nothing(ports):
    send_round()
    before = {table: dict(rows) for table, rows in ports.store.tables.items()}
    send_round(generation=2)
    assert ports.store.tables == before


@pytest.mark.parametrize("bolt", [FirstItems, SecondItems])
def test_a_store_that_is_down_fails_the_batch_before_an_answer_goes_on(ports, bolt):
    fragment, payload = next(batches())
    (out,) = drive(PlanBolt, batch(fragment, payload)).of("emit")
    ports.store.down = True
    said = drive(bolt, batch(fragment, decoder(Round)(out["tuple"][-1])))
    assert [m["command"] for m in said.of("ack", "fail", "emit")] == ["fail"]
