"""`explain`: a decision whole, and what of it is told where something is missing."""

from itertools import islice

import msgspec
import pytest

from apps.data.generate.transactions import Transactions
from apps.operate import explain
from apps.operate.journey import Place
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.records import Decision, DecisionRow, Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy
from tests.models.decided_payments import Decided

SETTINGS = Settings()
FRAUD = Fraud.from_settings(SETTINGS)


def decided() -> list[tuple[Record, DecisionRow]]:
    """Payments as the bolt decides them, with their records."""
    records = [
        Record(at, 1_900_000_000_000, None, value)
        for at, (_, value, _) in enumerate(islice(Transactions(12, customers=150), 4_000))
    ]
    events = [
        (one.offset, one.timestamp, FRAUD.parse(one.value or b"", one.timestamp)) for one in records
    ]
    fragment = Fragment(SETTINGS.topic_transactions, 0, 1, 0, len(records) - 1, 1, 0)
    contract = Contract(FRAUD, Policy(86_400_000, 86_400_000, 10_000), "t")
    states = {event.entity: Entry(0, b"") for _, _, event in events}
    outcomes = contract.apply(fragment, Parsed(events, [], []), states, 1_900_000_000_000)
    return list(zip(records, outcomes.decisions, strict=True))


@pytest.fixture(scope="module")
def alert() -> tuple[Record, DecisionRow, Decision]:
    for record, row in decided():
        if row.alert:
            told = msgspec.json.decode(row.body, type=Decision)
            if (
                told.explanations is not msgspec.UNSET
                and explain.cleared(SETTINGS, explain.event_of(SETTINGS, told, record), told)[0]
            ):
                return record, row, told
    raise AssertionError("no alert")


def said(record: Record | None, row: DecisionRow, told: Decision) -> str:
    event = None if record is None else explain.event_of(SETTINGS, told, record)
    place = Place(told.topic, told.partition, told.offset)
    return "\n".join(explain.lines(SETTINGS, MemoryStore(), place, record, [("fraud", row, event)]))


def test_an_alert_says_why_what_adds_up_and_what_would_have_cleared_it(
    alert: tuple[Record, DecisionRow, Decision],
) -> None:
    record, row, told = alert
    text = said(record, row, told)
    assert told.explanations is not msgspec.UNSET
    for part in told.explanations[0].parts:
        assert f"{part.amount:+10.4f}  {part.of}" in text
    assert "cleared       had it been" in text
    assert told.model in text
    assert told.rules in text
    assert f"record        {told.topic}/0/{told.offset}" in text


def test_without_its_record_nothing_would_have_cleared_it(
    alert: tuple[Record, DecisionRow, Decision],
) -> None:
    _, row, told = alert
    text = said(None, row, told)
    assert "Kafka has it no more" in text
    assert "the record cannot be read again" in text


def test_of_another_model_it_says_which(alert: tuple[Record, DecisionRow, Decision]) -> None:
    record, _, told = alert
    other = msgspec.structs.replace(told, model="fraud-other")
    found, why = explain.cleared(SETTINGS, explain.event_of(SETTINGS, told, record), other)
    assert found == []
    assert "fraud-other" in why


def test_what_came_by_a_mapping_is_not_parsed_as_ours(
    alert: tuple[Record, DecisionRow, Decision],
) -> None:
    record, _, told = alert
    mapped = msgspec.structs.replace(told, mapping="m#1")
    assert explain.event_of(SETTINGS, mapped, record) is None


def test_an_alert_is_found_by_its_id() -> None:
    store = Decided().store
    found = explain.find(store, ["fraud"], "t9")
    assert found is not None
    assert explain.place_of(found[1]).offset == 9
    assert explain.find(store, ["fraud"], "t1") is None  # no alert
