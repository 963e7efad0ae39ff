"""Labels beside payments, and terminals as second key, in the fraud topology: nothing is lost and
each counts once, whatever goes wrong; what was decided comes out again of what it recorded."""

from collections.abc import Iterable
from itertools import islice
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.operate import ledger
from apps.prove.chaos import oracle
from apps.prove.chaos.traffic import mixed
from apps.prove.replay.session import opened
from apps.prove.verdict import judge, recorded, second, tables
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySource
from stormwatch.adapters.memory.store import Fault as StoreFault
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.domains.fraud.second import TERMINALS
from stormwatch.records import Decision, Rejection
from stormwatch.runner.faults import Faults
from stormwatch.state.recorded import AsRecorded
from tests.runner.drive import Stage, stage

RECORDS = 500
DAY = 86_400_000
LATER = "2010-03-01T00:00:00Z"


def labels_of(
    payments: Iterable[tuple[bytes, bytes | None]], seed: int
) -> list[tuple[bytes, bytes]]:
    """Of some payments, in some order; some twice, contradicting, broken, or of no payment."""
    random, made = Random(seed), []
    for nth, (key, value) in enumerate(payments):
        event = parse(value or b"", 1 << 60, future_skew_ms=0)
        if isinstance(event, Rejection) or random.random() < 0.7:
            continue
        label: dict[str, Any] = {
            "type": "label", "id": f"l-{nth}", "customer": event.customer,
            "terminal": event.terminal, "payment": event.id, "payment_time": "2010-01-01T00:00:00Z",
            "amount": event.amount, "currency": event.currency,
            "label": random.choice(["fraud", "chargeback", "cleared"]), "time": LATER,
        }  # fmt: skip
        made.append((key, msgspec.json.encode(label)))
        match random.randrange(12):
            case 0:
                made.append(made[-1])
            case 1:
                other = {**label, "id": f"m-{nth}", "label": "cleared"}
                made.append((key, msgspec.json.encode(other)))
            case 2:
                made.append((key, b'{"type":"label"}'))
            case 3:
                made.append((key, msgspec.json.encode({**label, "label": "cleared"})))
            case 4:
                future = {**label, "id": f"f-{nth}", "time": "2999-01-01T00:00:00Z"}
                made.append((key, msgspec.json.encode(future)))
    random.shuffle(made)
    return made


def run(made: Stage, seed: int, faults: int, stores: list[int], together: bool) -> None:
    settings, broker = made.settings, made.world.broker
    payments = list(islice(mixed(RECORDS, seed=seed % 7), RECORDS))
    for key, value in payments:
        broker.append(settings.topic_transactions, key, value)
    given = labels_of(payments, seed)
    for key, value in given:
        broker.append(settings.topic_labels, key, value)
    admin = MemoryAdmin(broker)
    both = [settings.topic_transactions, settings.topic_labels]
    made.run(
        "fraud", both[0], lambda plan: Faults.seeded(seed, plan, faults, within=40), seed,
        store_faults=[StoreFault(None if n < 0 else n) for n in stores], together=together,
        also=both[1:],
    )  # fmt: skip
    for topic, count in zip(both, (RECORDS, len(given)), strict=True):
        account = ledger.topic(settings, admin, made.world.store, topic)
        assert account.sound and not account.in_flight, made.happened
        assert sum(account.states.values()) == count


def check(made: Stage) -> tables.Tables:
    """All that is stored is what the core makes of both logs, in the order that was recorded."""
    settings, broker = made.settings, made.world.broker
    found = tables.of_memory(made.world.store)
    find = recorded.Stored(Fraud.name, found)
    sources = [
        MemorySource(broker, topic, settings.kafka_group, settings.topic_control)
        for topic in (settings.topic_transactions, settings.topic_labels)
    ]
    told = AsRecorded(Fraud.load(), find)
    want = oracle.expected(settings, sources[0], told, parse, labels=(sources[1], find))
    assert judge.differences(tables.of_memory(want), found) == [], made.happened
    events = []
    for topic in (settings.topic_transactions, settings.topic_labels):
        for partition in range(3):
            for record in broker.log(topic, partition).read(0, 10_000):
                event = parse(record.value or b"", record.timestamp, future_skew_ms=300_000)
                if not isinstance(event, Rejection):
                    events.append(event)
    have = {key[2]: blob for key, blob in found.states.items() if key[0] == TERMINALS.name}
    learned = second.Learned(TERMINALS)
    learned.look(Parsed([(0, 0, event) for event in events], [], []))
    differences = second.differences(TERMINALS, learned.states(), have)
    assert list(differences) == [], made.happened
    return found


def test_labels_and_terminals_without_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    with stage(monkeypatch) as made:
        run(made, 1, 0, [], together=False)
        found = check(made)
        for partition in range(3):
            end = len(made.world.broker.log("transactions", partition).records)
            of = partition, end // 2, end - 1
            with opened(made.settings, made.world.store, "fraud", *of) as replay:
                proof = replay.proof()
            assert proof.same and proof.decisions, proof.differences
    bodies = [msgspec.json.decode(cells[2], type=Decision) for cells in found.decisions.values()]
    labelled = [one for one in bodies if one.outcome == "labelled"]
    assert len(labelled) > 50
    assert {one.topic for one in labelled} == {"labels"}
    assert any(one.after for one in labelled)
    letters = {(cells[1]) for key, cells in found.dead_letters.items() if key[1] == "labels"}
    assert {"too_far_in_future", "missing_field", "conflict"} <= letters


CHOICES = {
    "seed": st.integers(0, 2**32),
    "faults": st.integers(1, 12),
    "stores": st.lists(st.integers(-1, 60), max_size=6),
    "together": st.booleans(),
}


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments(
    seed: int, faults: int, stores: list[int], together: bool
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, stage(monkeypatch) as made:
        run(made, seed, faults, stores, together)
        check(made)


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments_at_length(
    seed: int, faults: int, stores: list[int], together: bool
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, stage(monkeypatch) as made:
        run(made, seed, faults, stores, together)
        check(made)
