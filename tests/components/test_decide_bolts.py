"""The bolts that decide, over the multilang bytes: chained and spread they do the same."""

import threading
from importlib import import_module
from itertools import islice
from time import monotonic

import msgspec
import pytest

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from bolts import fraud, maintenance
from bolts.base import GROUP_RECORDS
from stormwatch.codec import Parsed, decoder
from stormwatch.domains.fraud.parse import parse as parse_transaction
from stormwatch.domains.maintenance.parse import parse as parse_reading
from stormwatch.ledger.bitmap import count
from stormwatch.metrics import Snapshot
from stormwatch.models import load
from stormwatch.records import Fragment, Outcomes
from stormwatch.testing import HEARTBEAT, TICK, batch, drive

FAR = 1 << 62
DOMAINS = {
    "fraud": (
        fraud.FraudBolt, fraud.ScoreTransactions, fraud.StoreFraudDecisions, parse_transaction,
        lambda: Transactions(3, run="t", customers=20),
    ),
    "maintenance": (
        maintenance.MaintenanceBolt, maintenance.ScoreReadings,
        maintenance.StoreMaintenanceDecisions, parse_reading, lambda: readings(3, units=5),
    ),
}  # fmt: skip


def batches(name, records=120, size=40):
    """Generated events of one partition, as parse hands them on."""
    parse, make = DOMAINS[name][3:]
    events = [parse(g.value, FAR, future_skew_ms=0) for g in islice(iter(make()), records)]
    for first in range(0, records, size):
        fragment = Fragment(name, 0, 1, first, first + size - 1, 1, 0)
        rows = [(first + i, FAR, e) for i, e in enumerate(events[first : first + size])]
        yield fragment, Parsed(rows, [], [])


def messages(name, **changes):
    for i, (fragment, parsed) in enumerate(batches(name)):
        yield batch(msgspec.structs.replace(fragment, **changes), parsed, f"{i}")


def values(store, table):
    rows = store.tables.get(table, {})
    return {key: {c: v for c, (_, v) in row.items()} for key, row in rows.items()}


@pytest.mark.parametrize("name", DOMAINS)
def test_chained_every_batch_is_decided_and_acked(name, store, broker):
    said = drive(DOMAINS[name][0], *messages(name), HEARTBEAT, TICK)
    assert [m["id"] for m in said.of("ack", "fail")] == ["0", "1", "2", "tick"], said.log
    assert not said.of("fail", "emit")
    assert len(values(store, "decisions")) == 120
    assert sum(count(r.bitmaps["scored"]) for r in store.ledger(name, 0, 1, 0, 200)) == 120


@pytest.mark.parametrize("name", DOMAINS)
def test_spread_gives_the_same_tables(name, store, broker):
    chained, score, keep = DOMAINS[name][:3]
    drive(chained, *messages(name))
    whole = {table: values(store, table) for table in ("decisions", "states")}
    store.tables.clear()
    # One at a time, as the spout does: the next batch goes out when this one's tree is acked.
    for message in messages(name):
        said = drive(score, message)
        [out] = said.of("emit")
        assert out["anchors"] == [message["id"]]
        outcomes = decoder(Outcomes)(out["tuple"][-1])
        drive(keep, batch(outcomes.fragment, outcomes))
    assert {table: values(store, table) for table in whole} == whole


def test_a_store_that_is_down_fails_the_batch_and_nothing_is_kept(store, broker):
    store.down = True
    said = drive(fraud.FraudBolt, *messages("fraud"))
    assert [m["command"] for m in said.of("ack", "fail")] == ["fail"] * 3
    assert "will be tried again" in said.log
    assert not store.tables


def test_two_works_at_one_try_take_back_nothing_of_each_other(store, broker):
    """A zombie and its successor: each finds some of it committed by the other."""
    said = drive(fraud.ScoreTransactions, next(messages("fraud")))
    outcomes = decoder(Outcomes)(said.of("emit")[0]["tuple"][-1])
    for bits in ({"conflict": b"\x01"}, {"scored": b"\x02"}):
        outcomes.ledger = msgspec.structs.replace(outcomes.ledger, bitmaps=bits)
        drive(fraud.StoreFraudDecisions, batch(outcomes.fragment, outcomes))
    told = [row.bitmaps for row in store.ledger("fraud", 0, 1, 0, 200)]
    assert {"conflict": b"\x01"} in told and {"scored": b"\x02"} in told


def test_a_state_of_a_newer_version_is_waited_for_and_no_record_suffers(store, broker):
    first, *others = messages("fraud")
    drive(fraud.FraudBolt, first)
    before = {table: dict(rows) for table, rows in store.tables.items()}
    for row in store.tables["states"].values():
        stamp, blob = row["state"]
        row["state"] = (stamp, blob[:1] + bytes([blob[1] + 1]) + blob[2:])
    said = drive(fraud.FraudBolt, *others)
    assert "Traceback" not in said.log
    assert [m["command"] for m in said.of("ack", "fail")] == ["fail"] * len(others)
    assert "will be tried again: the stored state of 'C" in said.log
    assert "Run the version of Stormwatch that wrote it, or start this entity afresh" in said.log
    assert store.tables["decisions"] == before["decisions"]
    assert "dead_letters" not in store.tables


def apart(partitions, **changes):
    """The same batch of events in several partitions, under entities of each."""
    fragment, parsed = next(iter(batches("fraud")))
    for p in range(partitions):
        rows = [(o, t, msgspec.structs.replace(e, customer=f"{p}-{e.customer}"))
                for o, t, e in parsed.events]  # fmt: skip
        yield batch(
            msgspec.structs.replace(fragment, partition=p, **changes), Parsed(rows, [], []), str(p)
        )


def test_a_state_that_cannot_be_read_fails_its_own_partition_alone(store, broker):
    drive(fraud.FraudBolt, *apart(4))
    for key, row in store.tables["states"].items():
        if key[2].startswith("2-"):
            stamp, blob = row["state"]
            row["state"] = (stamp, blob[:1] + bytes([blob[1] + 1]) + blob[2:])
    said = drive(fraud.FraudBolt, *apart(4, first=40, last=79), at_once=True)
    assert {m["id"]: m["command"] for m in said.of("ack", "fail")} == {
        "0": "ack", "1": "ack", "2": "fail", "3": "ack",
    }  # fmt: skip


def test_a_batch_that_was_tried_before_is_worked_on_alone(store, broker, monkeypatch):
    """What the store cannot do for one of a group it can for the others, next time."""
    sizes = []
    whole = fraud.FraudBolt.handle_all
    monkeypatch.setattr(
        fraud.FraudBolt, "handle_all", lambda b, works: sizes.append(len(works)) or whole(b, works)
    )
    drive(fraud.FraudBolt, *apart(4), at_once=True)
    drive(fraud.FraudBolt, *apart(4, attempt=1), at_once=True)
    assert sizes == [4, 1, 1, 1, 1]


def test_as_many_records_as_fit_are_worked_on_together_however_small_the_batches(
    store, broker, monkeypatch
):
    sizes = []
    whole = fraud.FraudBolt.handle_all
    monkeypatch.setattr(
        fraud.FraudBolt, "handle_all", lambda b, works: sizes.append(len(works)) or whole(b, works)
    )
    _, parsed = next(iter(batches("fraud")))
    single = [
        batch(Fragment("fraud", p, 1, 0, 0, 1, 0), Parsed(parsed.events[:1], [], []), str(p))
        for p in range(450)
    ]
    said = drive(fraud.FraudBolt, *single, at_once=True)
    assert len(said.of("ack")) == 450
    assert sizes == [GROUP_RECORDS, GROUP_RECORDS, 50]


def test_a_replay_writes_nothing_but_publishes_alerts_again(store, broker):
    drive(fraud.FraudBolt, *messages("fraud"))
    before = {t: dict(rows) for t, rows in store.tables.items()}
    log = broker.topic("alerts").logs[0].records
    alerts = len(log)
    drive(fraud.FraudBolt, *messages("fraud", generation=2))
    assert store.tables == before
    assert alerts > 0
    assert len(log) == 2 * alerts
    assert {record.value for record in log[alerts:]} == {record.value for record in log[:alerts]}


def test_all_decisions_go_to_a_topic_where_that_is_wanted(store, broker):
    drive(fraud.FraudBolt, *messages("fraud"))
    assert broker.topic("decisions") is None
    store.tables.clear()
    drive(fraud.FraudBolt, *messages("fraud"), conf={"stormwatch.topic.decisions": "decisions"})
    log = broker.topic("decisions").logs[0].records
    told = {msgspec.json.decode(record.value)["id"]: record for record in log}
    assert len(told) == len(log) == 120
    for row in values(store, "decisions").values():
        stored = msgspec.json.decode(row["body"])
        record = told[stored["id"]]
        assert record.key == stored["entity"].encode()
        assert msgspec.json.decode(record.value) == {"domain": "fraud", **stored}


def test_the_meter_is_written_on_a_tick(store, broker):
    drive(fraud.FraudBolt, *messages("fraud"), TICK)
    [body] = store.meters("test").values()
    reading = msgspec.json.decode(body, type=Snapshot)
    assert reading.ends == {"scored": 120}
    assert reading.batches == 3
    assert sum(reading.latency.values()) == 120
    assert reading.cached == len(values(store, "states"))
    assert sum(reading.sizes.values()) == 3 and reading.misses == reading.cached
    assert reading.hits + reading.misses >= 3 and reading.resident > 1 << 20
    assert {"wait", "read", "decode", "emit", "process", "score", "store"} <= set(reading.spent)
    assert reading.spent["score"] + reading.spent["store"] <= reading.spent["process"]
    assert 0 < reading.started <= reading.at and reading.cpu > 0


@pytest.mark.parametrize("name", DOMAINS)
def test_features_model_rules_and_encoding_are_told_apart(name, store, broker):
    drive(DOMAINS[name][0], *messages(name), TICK)
    [body] = store.meters("test").values()
    spent = msgspec.json.decode(body, type=Snapshot).spent
    parts = [spent[stage] for stage in ("features", "model", "rules", "encode")]
    assert all(part > 0 for part in parts) and sum(parts) <= spent["score"] + 4  # each cut to 1 us


def test_a_broken_model_ends_the_process_with_the_file_and_the_mend(store, broker, tmp_path):
    (tmp_path / "card.json").write_text("{")
    said = drive(
        fraud.FraudBolt, *messages("fraud"), conf={"stormwatch.fraud.model": str(tmp_path)}
    )
    assert said.exit_code == 1
    assert "ModelError" in said.log and str(tmp_path) in said.log
    assert not said.of("ack")


@pytest.mark.parametrize("name", DOMAINS)
def test_while_a_model_hangs_heartbeats_are_answered_and_rules_alone_decide(
    name, store, broker, monkeypatch
):
    released = threading.Event()
    module = import_module(f"stormwatch.domains.{name}.domain")
    hung = load(module.SHIPPED)
    monkeypatch.setattr(hung, "predict", lambda rows: released.wait(60) and [0.0] * len(rows))
    monkeypatch.setattr(module, "load", lambda *a, **k: hung)
    conf = {"stormwatch.model.deadline_s": 0.2}
    began = monotonic()
    first, *others = messages(name)
    said = drive(DOMAINS[name][0], first, HEARTBEAT, *others, HEARTBEAT, TICK, conf=conf)
    released.set()
    assert monotonic() - began < 20
    assert [m["id"] for m in said.of("ack", "fail")] == ["0", "1", "2", "tick"], said.log
    assert len(said.of("sync")) == 2
    assert said.log.count("The model has no scores for 40 records after 0.2 s") == 1
    [body] = store.meters("test").values()
    reading = msgspec.json.decode(body, type=Snapshot)
    assert (reading.degraded, reading.ends) == (120, {"scored": 120})
