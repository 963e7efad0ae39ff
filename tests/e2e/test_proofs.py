"""dlq, ledger, verdict and replay as commands, on real Kafka and Cassandra.

The topology's own steps decide, without Storm between them.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

import pytest

from apps.data.generate.transactions import Transactions
from apps.local.run import prepare
from apps.local.services.home import silent
from apps.prove.verdict import oracle
from apps.prove.verdict.oracle import Span
from bolts.fraud import FraudBolt
from stormwatch.adapters import connect, log_reader
from stormwatch.adapters.cassandra import store
from stormwatch.dead_letters.rows import redacted
from stormwatch.domains.fraud.parse import parse
from stormwatch.epochs import incarnation
from stormwatch.ingest.commit_metadata import Epoch, Mark, epoch_key, write_epoch
from stormwatch.ledger.reconcile import START
from stormwatch.parsing.batch import parse_batch
from stormwatch.ports import Committed, Source
from stormwatch.records import Fragment, LedgerRow
from stormwatch.settings import Settings, variable
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.stretches import Stretch
from tests.models.host import Host

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
COUNT = 400
EPOCH = 2
BAD = b'{"id":"late-1","merchant":"Secret & Sons"'
PARTITIONS = 2


class World:
    """Topics and tables of its own; `decide` does what spout, parse, decide and reject do."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = int(time.time() * 1000)
        with closing(connect.admin(settings)) as admin:
            for name, (partitions, given) in prepare.topics(settings).items():
                admin.ensure_topic(name, partitions, given)
        prepare.ensure_tables(settings, ROOT, silent)
        self.store = store.connect(settings)
        self.sink = connect.sink(settings)
        self.host = Host(FraudBolt, settings, self.store, self.sink)
        self.positions = dict.fromkeys(range(PARTITIONS), 0)
        made = iter(Transactions(5, run="a", customers=30))
        self.transactions = ((key or b"", value) for key, value, _ in made)

    def publish(self, *values: tuple[bytes, bytes]) -> None:
        for key, value in values:
            self.sink.send(self.settings.topic_transactions, key, value)
        self.sink.flush(30)

    def decide(self) -> None:
        """All that is in the topic now."""
        topic = self.settings.topic_transactions
        with closing(connect.source(self.settings, topic)) as source:
            info = source.describe()
            assert info is not None
            source.remember(epoch_key(topic), write_epoch(Epoch(EPOCH, info.topic_id, PARTITIONS)))
            number = incarnation(EPOCH)
            read = [Stretch(partition, number, 0, 0, 0) for partition in self.positions]
            self.store.write_stretches(info.topic_id, read)
            for partition, first in self.positions.items():
                self._decide(
                    source, Span(topic, partition, EPOCH, first, source.watermarks(partition).high)
                )

    def _decide(self, source: Source, span: Span) -> None:
        settings = self.settings
        if not span.first:
            of = Fragment(span.topic, span.partition, EPOCH, 0, -1, 1, 0)
            self.store.write_aside("fraud", [], LedgerRow(of, START, {}, 0), 1)
        runs = log_reader.records(source, span.partition, span.first, span.end)
        for fragment, records, _ in oracle.cut(span, runs, lambda: 60, lambda record: False):
            batch = parse_batch(
                fragment, records,
                lambda value, at: parse(value, at, future_skew_ms=300_000),
                component="parse", record_max_bytes=settings.record_max_bytes,
                masked=frozenset({"merchant"}), now=int(time.time() * 1000),
            )  # fmt: skip
            if batch.rejected is not None:
                rows = [redacted(row, settings.record_max_bytes) for row in batch.rejected.rows]
                stamp = outcome_stamp(fragment)
                self.store.write_aside("fraud", rows, batch.rejected.ledger, stamp)
            self.host.decide(fragment, batch.parsed)
        mark = Mark(generation=1, epoch=EPOCH, clean=True, started=True).text()
        source.commit({span.partition: Committed(span.end, mark)}, wait=True)
        self.positions[span.partition] = span.end

    def call(self, *arguments: str) -> tuple[int, str]:
        default = Settings()
        told = {
            variable(each.metadata["key"]): str(value)
            for each in fields(Settings)
            if (value := getattr(self.settings, each.name)) != getattr(default, each.name)
        }
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
        done = subprocess.run(
            [sys.executable, "-m", "apps.cli", *arguments], cwd=ROOT, capture_output=True,
            env={**clean, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", **told}, text=True, check=False,
            timeout=120,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    def close(self) -> None:
        self.sink.close()
        self.store.close()


@pytest.fixture(scope="module")
def world(services: Settings, unique: Callable[[str], str]) -> Iterator[World]:
    name = unique("proofs")
    settings = replace(
        services, kafka_group=name, kafka_partitions=PARTITIONS,
        topic_transactions=f"{name}.transactions", topic_readings=f"{name}.readings",
        topic_alerts=f"{name}.alerts", topic_dead_letters=f"{name}.dead",
        topic_control=f"{name}.control", cassandra_keyspace=name, mask_fields="merchant",
        layout_stripes=8,
        topology_terminals=0,  # the steps of one bolt decide here: nobody keeps terminals
    )  # fmt: skip
    made = World(settings)
    made.publish(*islice(made.transactions, COUNT))
    made.publish((b"C0000001", BAD), (b"C0000002", b"{}"))
    made.decide()
    yield made
    made.close()


def test_the_ledger_verifies_itself_against_the_tables(world: World) -> None:
    code, said = world.call("ledger", "--verify")
    assert code == 0, said
    assert "unaccounted 0" in said


def test_the_verdict_passes_and_sees_one_planted_loss_double_and_byte(world: World) -> None:
    code, said = world.call("verdict", "fraud", "--seed", "11")
    assert (code, said[:5]) == (0, "PASS:"), said
    assert "seed 11" in said
    keyspace, session = world.settings.cassandra_keyspace, world.store._session
    columns = "domain, stripe, period, entity, time, id, outcome, score, body, ktime, alert"
    rows = list(session.execute(f"SELECT {columns} FROM {keyspace}.decisions LIMIT 3"))
    insert = f"INSERT INTO {keyspace}.decisions ({columns}) VALUES ({', '.join(['%s'] * 11)})"
    where = "domain = %s AND stripe = %s AND period = %s AND entity = %s AND time = %s AND id = %s"
    delete = f"DELETE FROM {keyspace}.decisions USING TIMESTAMP 1000000000000000 WHERE {where}"

    lost, doubled, wrong = rows
    body = bytes(wrong[8])
    session.execute(delete, lost[:6])
    session.execute(insert, (*doubled[:4], doubled[4] + 1, *doubled[5:]))
    session.execute(insert, (*wrong[:8], body[:-2] + bytes([body[-2] ^ 1]) + body[-1:], *wrong[9:]))
    code, said = world.call("verdict", "fraud", "--json")
    made = json.loads(said)
    assert (code, made["status"]) == (1, "FAIL")
    assert made["counts"] == {
        "missing": 1, "extra": 0, "doubled": 1, "different": 1, "out_of_order": 0,
    }  # fmt: skip
    code, said = world.call("ledger", "--verify")
    assert code == 1 and "scored" in said, said
    # Mended with the clock's time, which wins over what was planted.
    for row in (lost, wrong):
        session.execute(insert, row)
    session.execute(
        f"DELETE FROM {keyspace}.decisions WHERE {where}",
        (*doubled[:4], doubled[4] + 1, doubled[5]),
    )
    assert world.call("verdict", "fraud")[0] == 0


def test_a_fault_after_the_last_record_makes_the_verdict_invalid(world: World) -> None:
    late = str(int(time.time() * 1000) + 60_000)
    code, said = world.call("verdict", "fraud", "--fault-at", str(world.now), "--fault-at", late)
    assert (code, said[:8]) == (3, "INVALID:"), said
    assert f"the fault at {late}" in said and f"the fault at {world.now}" not in said


def test_a_replay_of_a_range_is_equal_in_all_fields(world: World) -> None:
    command = ("replay", "fraud", "--partition", "0", "--from")
    code, said = world.call(*command, "50", "--to", str(world.positions[0] - 1))
    assert code == 0, said
    assert "0 offsets differ" in said and "states from 50 records before" in said
    code, said = world.call(*command, "0", "--to", "99999")
    assert code == 2 and "ends at offset" in said


def test_a_dead_letter_is_masked_mended_and_redriven_once(world: World) -> None:
    code, said = world.call("dlq", "list", "--reason", "not_json", "--json")
    assert code == 0, said
    (letter,) = json.loads(said)
    assert "Secret" not in said and '"merchant":"***"' in letter["value"]
    code, said = world.call("dlq", "redrive", letter["record"])
    assert (code, "would be rejected again: not_json" in said) == (1, True), said
    # What a mended parser takes: the record as a person sends it right, dead-lettered by hand.
    key, value = next(world.transactions)
    world.publish((key, value))
    topic = world.settings.topic_transactions
    with closing(connect.source(world.settings, topic)) as source:
        place = next(
            (p, mark.high - 1)
            for p in range(PARTITIONS)
            if (mark := source.watermarks(p)).high > world.positions[p]
        )
        record = source.peek(dict([place]))[place[0]]
    assert record.value == value
    of = Fragment(topic, place[0], EPOCH, place[1], place[1], 1, 0)
    row = parse_batch(
        of, [record], _raises, component="parse", record_max_bytes=65_536, now=0
    ).rejected  # fmt: skip
    assert row is not None
    world.store.write_aside("fraud", row.rows, row.ledger, outcome_stamp(of))
    world.positions[place[0]] = place[1] + 1
    before = len(list(world.store.all_decisions("fraud")))
    code, said = world.call("dlq", "redrive", "--reason", "raised", "--note", "parser mended")
    assert (code, "1 done" in said) == (0, True), said
    code, said = world.call("dlq", "redrive", f"{topic}/{place[0]}/{EPOCH}/{place[1]}")
    assert (code, "redriven before" in said) == (1, True), said
    world.decide()
    assert len(list(world.store.all_decisions("fraud"))) == before + 1
    code, said = world.call("dlq", "show", f"{topic}/{place[0]}/{EPOCH}/{place[1]}")
    assert code == 0 and "parser mended" in said and "redriven" in said
    code, said = world.call("dlq", "discard", letter["record"], "--note", "nonsense")
    assert code == 0, said
    code, said = world.call("dlq", "list", "--reason", "not_json")
    assert said == "No dead letter is open.\n"
    assert world.call("ledger", "--verify")[0] == 0


def _raises(value: bytes, timestamp: int) -> object:
    raise RuntimeError("a bug of this parser")
