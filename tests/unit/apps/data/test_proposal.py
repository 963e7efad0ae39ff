"""A mapping proposed for records of somebody else's: a reason for each guess, and questions."""

from typing import Any

import pytest

from apps.data import mappings
from apps.data.columns import Column, flat
from apps.data.mapping_text import toml, written
from apps.data.proposal import Answers, Proposal, propose, sensor_name
from stormwatch.parsing.mapping import Target, read

CARDS = ["4111111111111111", "5500005555555559", "4111111111111111"]
PAYMENTS = [
    {"timestamp": f"2026-03-01 12:00:0{n}", "cc_num": card, "merchant": "Kling, Inc",
     "amt": f"{n}3.15", "lat": "39.59", "long": "-75.65", "is_fraud": "0"}
    for n, card in enumerate(CARDS, 1)
]  # fmt: skip
PUMPS = [
    {"time": f"2026-03-01T12:0{n}:00Z", "pump_id": f"P-{pump}", "vibration": "0.12",
     "temperature [C]": "60.5", "rpm": f"148{n}", "_file": "p.csv", "_row": f"{n}"}
    for n in range(3) for pump in (1, 2)
]  # fmt: skip
KNOWN = Answers(currency="EUR", zone="Europe/Berlin")
TARGETS: dict[str, Target] = mappings.TARGETS


def proposed(records: list[dict[str, Any]], answers: Answers = KNOWN, **more: str) -> Proposal:
    return propose(records, answers._replace(**more), TARGETS)


def tables(proposal: Proposal) -> dict[str, dict[str, Any]]:
    return {guess.table: guess.keys for guess in proposal.guesses}


def reason(proposal: Proposal, table: str) -> str:
    return next(guess.reason for guess in proposal.guesses if guess.table == table)


def about(proposal: Proposal) -> list[str]:
    return [question.about for question in proposal.questions]


def test_payments_are_proposed_with_reasons_and_the_unknown_is_asked() -> None:
    proposal = proposed(PAYMENTS, Answers())
    assert about(proposal) == ["zone", "currency"]
    proposal = proposed(PAYMENTS)
    assert not proposal.questions
    found = tables(proposal)
    assert proposal.top["card_numbers"] == ["cc_num"]
    assert found["fields.customer"] == {"hash": ["cc_num"]}
    assert found["fields.amount"] == {"path": "amt", "unit": "major"}
    assert reason(proposal, "fields.amount") == (
        "`amt`: 2 decimals, always > 0: amount in major units"
    )
    assert found["fields.terminal"] == {"hash": ["merchant"]}
    assert found["fields.id"] == {"hash": ["cc_num", "timestamp", "merchant", "amt"]}
    assert dict(proposal.left)["is_fraud"].startswith("named as a label is")
    assert "whose is not told" in dict(proposal.left)["lat"]


def test_more_of_a_payment_is_proposed_where_the_domain_takes_it() -> None:
    more = [
        {**row, "merch_lat": "1.5", "merch_long": "2.5", "home_lat": "3.5", "category": "food"}
        for row in PAYMENTS
    ]
    target = TARGETS["transactions"]
    fields = ("category", "latitude", "longitude", "customer_latitude")
    knows = target._replace(optional=(*target.optional, *fields))
    found = tables(propose(more, KNOWN, {"transactions": knows}))
    assert [found[f"fields.{name}"]["path"] for name in fields] == [
        "category", "merch_lat", "merch_long", "home_lat",
    ]  # fmt: skip
    knows = target._replace(optional=("merchant",))
    assert "fields.category" not in tables(propose(more, KNOWN, {"transactions": knows}))


def test_readings_are_proposed_with_a_sensor_for_each_column_of_numbers() -> None:
    proposal = proposed(PUMPS)
    found = tables(proposal)
    assert found["fields.unit"] == {"path": "pump_id"}
    assert found["fields.time"] == {"path": "time", "form": "rfc3339"}
    assert found["fields.id"] == {"hash": ["pump_id", "time"]}
    assert found["sensors"] == {
        "vibration": "vibration", "temperature": {"path": "temperature [C]", "unit": "C"},
        "rpm": "rpm",
    }  # fmt: skip


@pytest.mark.parametrize("records", [PAYMENTS, PUMPS], ids=["payments", "pumps"])
def test_what_is_written_is_read_and_used(records: list[dict[str, Any]]) -> None:
    proposal = proposed(records)
    text = written(proposal, "of three\nrecords", "schema/mapping.schema.json")
    mapping = read(text, "m.toml")
    assert mapping.event == proposal.event
    assert {f"fields.{name}" for name in mapping.fields} <= set(tables(proposal))
    mappings.ready(text)


def test_where_no_column_is_unique_the_row_is_the_id() -> None:
    twice = [{**row, "time": "2026-03-01T12:00:00Z", "_row": str(n)} for n, row in enumerate(PUMPS)]
    assert tables(proposed(twice))["fields.id"] == {"hash": ["_file", "_row"]}
    same = [{name: cell for name, cell in row.items() if name[0] != "_"} for row in twice]
    assert "count once" in reason(proposed(same), "fields.id")


def test_without_a_date_steps_are_counted_from_a_time_that_is_asked() -> None:
    steps = [{**row, "timestamp": "", "step": str(n)} for n, row in enumerate(PAYMENTS)]
    assert about(proposed(steps)) == ["since", "step_s"]
    found = tables(proposed(steps, since="2026-01-01T00:00:00Z", step_s="3600"))
    assert found["fields.time"]["step_s"] == 3600


def test_a_day_that_may_be_a_month_is_asked() -> None:
    ambiguous = [{**row, "timestamp": "03/04/2026 12:00"} for row in PAYMENTS]
    (question,) = proposed(ambiguous).questions
    assert question.choices == ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")
    found = tables(proposed(ambiguous, form="%m/%d/%Y %H:%M"))["fields.time"]
    assert found["form"] == "%m/%d/%Y %H:%M" and found["zone"] == "Europe/Berlin"
    told = [*ambiguous, {**PAYMENTS[0], "timestamp": "03/14/2026 12:00"}]
    assert not proposed(told).questions


def test_a_whole_amount_may_be_of_cents() -> None:
    whole = [{**row, "amt": "1250"} for row in PAYMENTS]
    assert about(proposed(whole)) == ["amount_unit"]
    assert tables(proposed(whole, amount_unit="minor"))["fields.amount"]["unit"] == "minor"


def test_amounts_as_other_countries_write_them() -> None:
    german = [{**row, "amt": "-1.234,50"} for row in PAYMENTS]
    assert tables(proposed(german))["fields.amount"] == {
        "path": "amt", "unit": "major", "decimal_sign": ",", "thousands": ".",
        "negative": "absolute",
    }  # fmt: skip


def test_a_point_before_three_digits_is_a_decimal_sign_unless_a_comma_stands_elsewhere() -> None:
    assert Column("v", ["0.211", "1.234"]).numbers == [0.211, 1.234]
    assert Column("v", ["1.234", "12,5", "7"]).numbers == [1234.0, 12.5, 7.0]
    assert not Column("v", ["1.23", "12,5"]).is_numeric


def test_one_sensor_a_record_is_seen() -> None:
    long = [
        {"ts": f"{1_767_225_600_000 + n}", "device": "a", "tag": tag, "value": "1.5"}
        for n in range(5) for tag in ("temp", "flow")
    ]  # fmt: skip
    found = tables(proposed(long))
    assert found["long"] == {"sensor": "tag", "value": "value"}
    assert found["fields.time"]["form"] == "epoch_ms"
    assert found["fields.id"] == {"hash": ["device", "ts", "tag"]}


def test_words_for_no_value_are_told_of() -> None:
    gaps = [*PUMPS, {**PUMPS[0], "time": "2026-03-01T13:00:00Z", "vibration": "NA"}]
    assert proposed(gaps).top["absent"] == ["NA"]


def test_what_cannot_be_told_apart_is_asked() -> None:
    assert about(proposed([{"a": "x"}])) == ["event"]
    nameless = [{"when": "2026-03-01T12:00:00Z", "x": "1.5"}]
    assert about(proposed(nameless)) == ["entity"]
    assert about(proposed(nameless, entity="no")) == ["entity"]
    assert about(proposed(PUMPS, time="no")) == ["time"]


def test_forms_of_times() -> None:
    def names(*cells: str) -> list[str]:
        return [form.name for form in Column("t", cells).times]

    assert names("2026-03-01T12:00:00+01:00") == ["rfc3339"]
    assert names("1767225600") == ["epoch_s"] and names("1767225600000000") == ["epoch_us"]
    assert names("1/2/2026 6:00:00 AM", "1/14/2026 6:00:00 PM") == ["%m/%d/%Y %I:%M:%S %p"]
    assert names("12.5", "13") == [] and names("soon") == [] and names("") == []


def test_paths_reach_into_objects() -> None:
    assert flat({"a": {"b": 1, "c": {"d": "x"}}, "e": [1], "f": {}}) == {"a.b": 1, "a.c.d": "x"}


def test_sensor_names() -> None:
    assert sensor_name("Rotational speed [rpm]") == ("rotational_speed", "rpm")
    assert sensor_name("Ps30") == ("Ps30", "") and sensor_name("values.temp") == ("values_temp", "")


def test_texts_are_quoted_as_toml_has_it() -> None:
    import tomllib

    for text in ('a"b', "back\\slash", "tab\t", "\x7f", "é", "\x00", "\U0001f600"):
        assert tomllib.loads(f"{toml(text)} = {toml([text, {text: 1}])}") == {
            text: [text, {text: 1}]
        }
