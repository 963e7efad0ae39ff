"""`explain`: a decision whole, and what of it is told where something is missing."""

import dataclasses
import random
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from apps.data import mappings
from apps.data.generate.transactions import Transactions
from apps.operate import explain
from apps.operate.journey import Place
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
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
            event = explain.event_of(SETTINGS, told, record)
            found, _ = explain.cleared(SETTINGS, event, told)
            if told.explanations is not msgspec.UNSET and any(
                one.field == "amount" for one in found
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


MAPPING = """event = "transactions"
[fields.id]
path = "number"
[fields.customer]
path = "card"
[fields.terminal]
path = "shop"
[fields.time]
path = "when"
form = "epoch_ms"
[fields.amount]
path = "amt"
unit = "major"
[fields.currency]
constant = "EUR"
"""


def test_of_a_payment_that_came_by_a_mapping_its_own_column_is_named(
    alert: tuple[Record, DecisionRow, Decision], tmp_path: Path
) -> None:
    record, _, told = alert
    place = tmp_path / "shop.toml"
    place.write_text(MAPPING)
    settings = dataclasses.replace(SETTINGS, mapping_transactions=str(place))
    event = FRAUD.parse(record.value or b"", record.timestamp)
    assert isinstance(event, Transaction)
    own = {
        "number": event.id, "card": event.customer, "shop": event.terminal,
        "when": str(event.time), "amt": f"{event.amount / 100:.2f}",
    }  # fmt: skip
    theirs = msgspec.structs.replace(record, value=msgspec.json.encode(own))
    mark = mappings.of(settings, "transactions", settings.topic_transactions)
    assert mark is not None
    decision = msgspec.structs.replace(told, mapping=mark.mark)
    read = explain.event_of(settings, decision, theirs)
    assert isinstance(read, Transaction) and read.amount == event.amount
    found, _ = explain.cleared(settings, read, decision)
    of_amount = [one for one in found if one.field == "amt"]
    assert of_amount and of_amount[0].text.endswith("`amt` of the record")
    plain, _ = explain.cleared(SETTINGS, event, told)
    wanted = next(one for one in plain if one.field == "amount")
    assert (of_amount[0].now, of_amount[0].score) == (wanted.now, wanted.score)
    other = msgspec.structs.replace(told, mapping="1#00000000")
    assert explain.event_of(settings, other, theirs) is None


def test_of_a_machine_its_readings_before_are_learned_again(tmp_path: Path) -> None:
    """By a mapping: the column of the sensor is named; without those records nothing is told."""
    place = tmp_path / "pumps.toml"
    place.write_text(
        'event = "readings"\n[fields.id]\nhash = ["pump", "when"]\n[fields.unit]\npath = "pump"\n'
        '[fields.time]\npath = "when"\nform = "epoch_ms"\n[sensors]\nflow = "q"\npressure = "p"\n'
    )
    settings = dataclasses.replace(SETTINGS, mapping_readings=str(place))
    mapped = mappings.of(settings, "readings", settings.topic_readings)
    assert mapped is not None
    draw, values = random.Random(2), []
    for nth in range(80):
        q = draw.gauss(5, 1) + (40 if nth == 79 else 0)
        own = {"pump": f"P{nth % 2}", "when": str(10**12 + nth), "q": f"{q:.3f}", "p": "3"}
        values.append(msgspec.json.encode(own))
    records = [Record(at, 10**12 + at, None, value) for at, value in enumerate(values)]
    events = [(r.offset, r.timestamp, mapped.parse(r.value, -1, future_skew_ms=0)) for r in records]
    fragment = Fragment(settings.topic_readings, 0, 1, 0, 79, 1, 0)
    contract = Contract(
        Maintenance.from_settings(settings), Policy(86_400_000, 86_400_000, 10_000), "t",
        {settings.topic_readings: mapped.mark},
    )  # fmt: skip
    states = {event.entity: Entry(0, b"") for _, _, event in events}
    outcomes = contract.apply(fragment, Parsed(events, [], []), states, 10**12)
    row = outcomes.decisions[-1]
    told = msgspec.json.decode(row.body, type=Decision)
    assert (row.outcome, told.mapping) == ("anomaly", mapped.mark)
    event = explain.event_of(settings, told, records[-1])
    assert isinstance(event, Reading)
    found, _ = explain.cleared(settings, event, told, lambda: records[:-1])
    assert found[0].field == "q" and "`q` of the record" in found[0].text
    none, why = explain.cleared(settings, event, told, lambda: records[40:-1])
    assert none == [] and "do not give the decision again" in why
