"""The label of a payment: found by id or place, written for the topic of labels, or refused."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from apps.operate import label
from apps.prove.verdict.oracle import Span, cut, expected
from stormwatch.adapters import connect
from stormwatch.adapters.memory import world as memory
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Label, Transaction
from stormwatch.domains.fraud.parse import parse, to_wire
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings

NOW = datetime(2026, 11, 21, 9, 15, 30, tzinfo=UTC)
PAID = int(NOW.timestamp() * 1000) - 86_400_000
SETTINGS = Settings()


def payment(name: str, customer: str = "c1") -> Transaction:
    return Transaction(name, customer, "pos-1", PAID, 12_950, "EUR")


def test_a_label_is_keyed_by_the_customer_and_read_back() -> None:
    made = label.record(SETTINGS, NOW, payment("t-1"), "chargeback")
    now = PAID + 86_400_000
    event = parse(made.value, now, future_skew_ms=0)
    assert made.key == b"c1"
    assert event == Transaction(
        f"chargeback-{now}-t-1", "c1", "pos-1", now, 12_950, "EUR",
        label=Label("t-1", PAID, "chargeback"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        (SETTINGS, "stolen", "fraud, chargeback, cleared"),
        (Settings(topic_labels=""), "fraud", "topic.labels is empty"),
    ],
)
def test_what_is_no_label_is_not_written(settings: Settings, kind: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        label.record(settings, NOW, payment("t-1"), kind)


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """Three payments that were decided; two customers have one id."""
    broker = MemoryBroker(clock=lambda: PAID)
    for event in (payment("t-1"), payment("t-2"), payment("t-2", "c2")):
        broker.append("transactions", event.customer.encode(), to_wire(event), 0)
    span = Span("transactions", 0, 0, 0, 3)
    batches = cut(span, [broker.log("transactions", 0).read(0, 9)], lambda: 9, lambda record: False)
    made = expected(SETTINGS, batches, Fraud(), parse)
    before = connect.use(memory.doubles(memory.World(broker, made)))
    yield made
    connect.use(before)


@pytest.mark.parametrize("name", ["t-1", "transactions/0/0"])
def test_a_payment_is_found_by_its_id_and_by_its_place(store: MemoryStore, name: str) -> None:
    assert label.payment(SETTINGS, store, name) == payment("t-1")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("t-2", r"2 customers .* transactions/0/1, transactions/0/2"),
        ("t-9", "No decision is stored"),
        ("transactions/0/7", "Kafka has no record"),
    ],
)
def test_what_names_no_payment_is_refused(store: MemoryStore, name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        label.payment(SETTINGS, store, name)
