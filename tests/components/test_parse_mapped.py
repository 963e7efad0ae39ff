"""The parse bolt with a mapping: the records of another format are decided like any others."""

import msgspec
import pytest
from msgspec import structs

from bolts.parse import ParseTransactions
from stormwatch import codec
from stormwatch.adapters.storm.config import storm_config
from stormwatch.codec import Parsed
from stormwatch.domains.fraud.event import Transaction
from stormwatch.named_texts import joined
from stormwatch.parsing.mapping import text_of
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from stormwatch.testing import batch, drive, fragment

ROW = {"tx_id": "7", "t": "31", "customer": "596", "terminal": "3156", "amount": "57.16"}
NOW = 1_530_000_000_000


def here(first: int = 0, last: int = 0, topic: str = "transactions") -> Fragment:
    return structs.replace(fragment(first, last), topic=topic)


def records(*rows: dict[str, str]) -> list[Record]:
    return [Record(at, NOW, None, msgspec.json.encode(row)) for at, row in enumerate(rows)]


@pytest.mark.parametrize("setting", ["preset:handbook", text_of("preset:handbook")])
def test_a_mapped_record_is_an_event_and_what_does_not_fit_is_set_aside(setting: str) -> None:
    sent = records(ROW, ROW | {"amount": "57.161"})
    said = drive(
        ParseTransactions, batch(here(0, 1), sent),
        conf={"stormwatch.mapping.transactions": setting},
    )  # fmt: skip
    values = {emit["stream"]: emit["tuple"][-1] for emit in said.emits}
    ((_, _, event),) = codec.decoder(Parsed[Transaction])(values["default"]).events
    assert (event.id, event.amount, event.currency) == ("hb-7", 5716, "EUR")
    (row,) = codec.decoder(codec.Asides)(values["rejected"]).rows
    assert (row.offset, row.code) == (1, "out_of_range")
    assert "`amount` has a fraction" in row.reason


def test_a_mapping_that_cannot_be_used_ends_the_start_with_its_sentence() -> None:
    said = drive(
        ParseTransactions, batch(here(), records(ROW)),
        conf={"stormwatch.mapping.transactions": "preset:absent"},
    )  # fmt: skip
    assert said.exit_code == 1 and "There is no preset 'absent'" in said.log


def test_the_text_of_a_mapping_travels_with_the_topology() -> None:
    conf = storm_config(Settings(mapping_transactions="preset:handbook"))
    assert conf["stormwatch.mapping.transactions"] == text_of("preset:handbook")


MOBILE = text_of("preset:paysim").replace("2026-", "2018-")
ONLY = MOBILE.replace('"]\n\n[fields.id]', '"]\nothers = "ignore"\n\n[fields.id]')
PAYSIM = {"step": "1", "type": "PAYMENT", "amount": "9839.64", "nameOrig": "C1", "nameDest": "M1"}


def test_what_a_mapping_ignores_has_an_end_state_and_is_kept_nowhere() -> None:
    assert 'others = "ignore"' in ONLY
    said = drive(
        ParseTransactions, batch(here(0, 1), records(PAYSIM | {"type": "CASH_IN"}, PAYSIM)),
        conf={"stormwatch.mapping.transactions": ONLY},
    )  # fmt: skip
    values = {emit["stream"]: emit["tuple"][-1] for emit in said.emits}
    parsed = codec.decoder(Parsed[Transaction])(values["default"])
    assert [offset for offset, _, _ in parsed.events] == [1] and parsed.elsewhere == [0]
    aside = codec.decoder(codec.Asides)(values["rejected"])
    assert aside.rows == [] and aside.ledger.bitmaps == {"ignored": b"\x01"}


def test_each_topic_has_its_own_mapping_and_another_none() -> None:
    other = 'topic = "payments.mobile"\n' + MOBILE
    conf = {"stormwatch.mapping.transactions": joined([text_of("preset:handbook"), other])}
    made = {}
    for topic in ("transactions", "payments.mobile"):
        sent = records(PAYSIM | ROW)
        said = drive(ParseTransactions, batch(here(topic=topic), sent), conf=conf)
        values = {emit["stream"]: emit["tuple"][-1] for emit in said.emits}
        ((_, _, event),) = codec.decoder(Parsed[Transaction])(values["default"]).events
        made[topic] = event.customer
    assert made == {"transactions": "hb-c596", "payments.mobile": "C1"}


def test_a_topic_that_does_not_fit_its_mapping_is_warned_of() -> None:
    sent = records(*[ROW | {"amount": "much"}] * 12)
    said = drive(
        ParseTransactions, batch(here(0, 11), sent),
        conf={"stormwatch.mapping.transactions": "preset:handbook"},
    )  # fmt: skip
    assert "12 of 12 records of the topic 'transactions' do not fit its mapping" in said.log
    assert "12 as wrong_type, for example `amount` is not an amount" in said.log
