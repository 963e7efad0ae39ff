"""Where `bench` reads what a contender decided, and when."""

from itertools import islice
from pathlib import Path

from apps.data.generate.transactions import Transactions
from benchmarks.contenders.core import Taken, reference
from benchmarks.side_by_side.catalogue import CASSANDRA, Contender
from benchmarks.side_by_side.decided import Output, times_of
from bolts.fraud import FraudBolt
from stormwatch.adapters.memory.kafka import MemorySink
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.ledger.reconcile import START
from stormwatch.records import Fragment, LedgerRow
from stormwatch.settings import Settings
from stormwatch.testing import batch, drive, memory_ports

TOPIC = "t"
CONTENDER = Contender("fraud topology", "topology", into=CASSANDRA)


def test_of_a_topology_into_the_store_decisions_and_their_times_are_found(tmp_path: Path) -> None:
    made = list(islice(iter(Transactions(1, run="o", customers=5)), 20))
    domain = Fraud.load()
    with memory_ports() as ports:
        ports.broker.create(TOPIC, 1, {})
        sink = MemorySink(ports.broker)
        for one in made:
            sink.send(TOPIC, one.key, one.value)
        records = [
            Taken(TOPIC, 0, nth, one.timestamp, one.value or b"")
            for nth, one in enumerate(ports.broker.log(TOPIC, 0).read(0, 100))
        ]
        output = Output(CONTENDER, Settings(), TOPIC, str(tmp_path / "none"))
        assert output.count() == 0
        events = [(at.offset, at.timestamp, domain.parse(at.value, at.timestamp)) for at in records]
        fragment = Fragment(TOPIC, 0, 2048, 0, 19, 1, 0)
        assert drive(FraudBolt, batch(fragment, Parsed(events, [], []))).acks == ["1"]
        ports.store.write_aside("fraud", [], _start(fragment), 1)
        found = output.made(times_of(records))
        output.close()
    assert set(found.bodies) == set(reference(records).values())
    assert set(found.done) == {(0, nth) for nth in range(20)}
    assert all(0 <= found.done[0, at.offset] - at.timestamp < 60_000 for at in records)


def test_a_lean_loop_tells_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "told.0").write_text("0 0 1 500\n0 2 2 700\n0 0 2 900\n")
    (tmp_path / "told.1").write_text("1 5 5 600\n")
    lean = CONTENDER._replace(script="lean")
    with memory_ports() as ports:
        ports.broker.create(TOPIC, 2, {})
        output = Output(lean, Settings(), TOPIC, str(tmp_path / "told"))
        found = output.made({})
        output.close()
    assert found.done == {(0, 0): 500, (0, 1): 500, (0, 2): 700, (1, 5): 600}


def _start(fragment: Fragment) -> LedgerRow:
    return LedgerRow(fragment, START, {}, 0)
