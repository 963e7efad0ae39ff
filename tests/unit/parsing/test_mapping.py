"""Mappings: records of other formats become events, and what is ambiguous is refused by name."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.parsing.fields import from_ms
from stormwatch.parsing.mapping import MappingError, Target, compiled, read
from stormwatch.records import Rejection

EXPONENTS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3, "MRU": 2}


def make(found: dict[str, Any], value: bytes, timestamp: int, skew: int) -> dict[str, Any]:
    time = found["time"]
    time = from_ms(time) if isinstance(time, int) else time.astimezone(UTC)
    return {**found, "time": time, "seen": value}


TARGET = Target(
    "transactions", ("id", "customer", "time", "amount", "currency"), ("merchant",),
    "customer", make, EXPONENTS.__getitem__,
)  # fmt: skip

WHOLE = """
event = "transactions"
card_numbers = ["cc_num"]

[fields.id]
hash = ["cc_num", "when", "amt"]

[fields.customer]
hash = ["cc_num"]
prefix = "card-"

[fields.time]
path = "when"
form = "%Y-%m-%d %H:%M:%S"
zone = "America/New_York"

[fields.amount]
path = "amt"
unit = "major"

[fields.currency]
path = "cur"
default = "USD"

[fields.merchant]
path = ["shop.name", "shop"]
"""


def parse(toml: str, **record: Any) -> Any:
    mapped = compiled(read(toml, "m.toml"), TARGET, "m.toml")
    return mapped.parse(msgspec.json.encode(record), 0, future_skew_ms=0)


def row(**changes: Any) -> dict[str, Any]:
    return {"cc_num": "4111111111111111", "when": "2026-07-01 12:00:00", "amt": "12.50", **changes}


def test_a_row_of_texts_becomes_an_event() -> None:
    event = parse(WHOLE, **row(shop={"name": "Bakery"}))
    assert event["amount"] == 1250
    assert event["currency"] == "USD"
    assert event["merchant"] == "Bakery"
    assert event["time"] == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert event["customer"].startswith("card-h") and "4111" not in event["customer"]
    assert b"4111" not in event["seen"]


def test_ids_and_entities_are_the_same_for_ever() -> None:
    """These texts are keys in Kafka and Cassandra: another hash would begin every state anew."""
    event = parse(WHOLE, **row())
    assert event["customer"] == "card-h9dfd0081bcecea6c66b6"
    assert event["id"] == "had3713bcde362a3a4abc"
    mapped = compiled(read(WHOLE, "m.toml"), TARGET, "m.toml")
    assert mapped.entity(msgspec.json.encode(row())) == event["customer"]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.5", "EUR", 1250), (12.5, "EUR", 1250), (12, "EUR", 1200), ("12", "JPY", 12),
        ("1.234", "KWD", 1234), ("0.30", "USD", 30), (0.1, "USD", 10), ("5.2", "MRU", 520),
        (1e15, "EUR", 10**17), ("12.0", "JPY", 12),
    ],
)  # fmt: skip
def test_major_units_by_the_currency_s_digits(amount: Any, currency: str, minor: int) -> None:
    assert parse(WHOLE, **row(amt=amount, cur=currency))["amount"] == minor


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("12.345", "EUR", "out_of_range"), ("12.5", "JPY", "out_of_range"),
        ("-3", "EUR", "out_of_range"), ("1,250.00", "EUR", "wrong_type"),
        ("1_000", "EUR", "wrong_type"), ("NaN", "EUR", "wrong_type"),
        ("Infinity", "EUR", "wrong_type"), (True, "EUR", "wrong_type"),
        ("1e3", "EUR", "wrong_type"), ("12", "eur", "unknown_currency"),
        (".50", "EUR", "wrong_type"), ("٣.٥٠", "EUR", "wrong_type"),
        ("9" * 5000, "EUR", "wrong_type"),
    ],
)  # fmt: skip
def test_an_amount_is_never_rounded_or_guessed(amount: Any, currency: str, code: str) -> None:
    got = parse(WHOLE, **row(amt=amount, cur=currency))
    assert isinstance(got, Rejection) and got.code == code
    assert got.field == ("currency" if code == "unknown_currency" else "amt")


def test_amounts_as_other_countries_write_them() -> None:
    german = WHOLE.replace('unit = "major"', 'unit = "major"\ndecimal_sign = ","\nthousands = "."')
    assert parse(german, **row(amt="1.234,50"))["amount"] == 123450
    absolute = WHOLE.replace('unit = "major"', 'unit = "minor"\nnegative = "absolute"')
    assert parse(absolute, **row(amt="-1250"))["amount"] == 1250


FORMS = [
    ("rfc3339", "2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00"),
    ("epoch_s", 1782900000, "2026-07-01T10:00:00"),
    ("epoch_s", "1782900000.1239", "2026-07-01T10:00:00.123"),
    ("epoch_ms", 1782900000123, "2026-07-01T10:00:00.123"),
    ("epoch_us", "1782900000123999", "2026-07-01T10:00:00.123"),
    ("epoch_ns", 1782900000123999999, "2026-07-01T10:00:00.123"),
    ("%d/%m/%Y %H:%M %z", "01/07/2026 12:00 +0200", "2026-07-01T10:00:00"),
]


def timed(form: str, *more: str) -> str:
    begin, _, end = WHOLE.partition("form = ")
    return "\n".join([f'{begin}form = "{form}"', *more, end.partition("\n\n")[2]])


@pytest.mark.parametrize(("form", "value", "utc"), FORMS)
def test_times(form: str, value: Any, utc: str) -> None:
    event = parse(timed(form), **row(when=value))
    assert event["time"] == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_steps_since_a_time() -> None:
    steps = timed("step", 'since = "2020-01-01T00:00:00Z"', "step_s = 3600")
    assert parse(steps, **row(when="25"))["time"] == datetime(2020, 1, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("rfc3339", "2026-07-01T12:00:00"), ("rfc3339", "yesterday"), ("epoch_s", "1.7e9"),
        ("epoch_s", 1782900000123456789),
        ("epoch_s", "9" * 5000), ("%d/%m/%Y %z", "2026-07-01 +0000"),
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(form: str, value: Any) -> None:
    got = parse(timed(form), **row(when=value))
    assert got.code in ("bad_time", "wrong_type", "out_of_range") and got.field == "when"


TWICE, NEVER = "2026-11-01 01:30:00", "2026-03-08 02:30:00"  # New York's clocks change


def test_a_local_time_that_happens_twice_or_never_is_refused_unless_the_mapping_chooses() -> None:
    for when, key in ((TWICE, "twice"), (NEVER, "never")):
        got = parse(WHOLE, **row(when=when))
        assert got.code == "bad_time" and f"{key} = " in got.reason
    chosen = 'zone = "America/New_York"\n{}'
    early, late = (
        parse(WHOLE.replace(chosen[:26], chosen.format(f'twice = "{which}"')), **row(when=TWICE))
        for which in ("earlier", "later")
    )
    assert (early["time"].hour, late["time"].hour) == (5, 6)
    shifted = WHOLE.replace(chosen[:26], chosen.format('never = "shift"'))
    assert parse(shifted, **row(when=NEVER))["time"] == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


@given(st.integers(946_684_800, 2_114_380_800))
def test_local_times_are_those_of_the_zone(seconds: int) -> None:
    """Against the definition: the UTC time whose local time it is, the only one if there is one."""
    zone = ZoneInfo("America/New_York")
    when = datetime.fromtimestamp(seconds, UTC)  # its digits are taken for local ones
    near = [when + timedelta(hours=hours) for hours in (4, 5)]
    right = [utc for utc in near if utc.astimezone(zone).replace(tzinfo=UTC) == when]
    got = parse(WHOLE, **row(when=when.strftime("%Y-%m-%d %H:%M:%S")))
    if len(right) == 1:
        assert got["time"] == right[0]
    else:
        assert isinstance(got, Rejection) and got.code == "bad_time"


def test_envelopes() -> None:
    debezium = 'envelope = "debezium"\n' + WHOLE
    assert parse(debezium, payload={"op": "c", "after": row()})["amount"] == 1250
    assert parse(debezium, op="u", after=row())["amount"] == 1250
    gone = parse(debezium, op="d", after=None)
    assert gone.code == "missing_field" and "debezium" in gone.reason
    events = 'envelope = "cloudevents"\n' + WHOLE
    assert parse(events, specversion="1.0", type="x", data=row())["amount"] == 1250


def test_rows_of_other_kinds_are_refused_by_name() -> None:
    only = WHOLE.replace(
        "\n[fields.id]", '\n[only]\npath = "kind"\nvalues = ["PAYMENT"]\n[fields.id]'
    )
    assert parse(only, **row(kind="PAYMENT"))["amount"] == 1250
    got = parse(only, **row(kind="CASH_IN"))
    assert got.code == "unknown_type" and got.field == "kind"


def test_what_is_missing_or_there_twice_is_refused() -> None:
    mapped = compiled(read(WHOLE, "m.toml"), TARGET, "m.toml")
    twice = mapped.parse(b'{"cc_num":"1","when":"2026-07-01 12:00:00","amt":"1","amt":"2"}', 0,
                         future_skew_ms=0)  # fmt: skip
    assert twice.code == "duplicate_key"
    for gone in ("cc_num", "when", "amt"):
        got = parse(WHOLE, **{name: value for name, value in row().items() if name != gone})
        assert (got.code, got.field) == ("missing_field", gone)
    assert parse(WHOLE, **row(amt="")).code == "missing_field"
    assert mapped.parse(b"[1]", 0, future_skew_ms=0).code == "wrong_type"
    assert mapped.parse(b"{", 0, future_skew_ms=0).code == "not_json"


@given(st.binary(max_size=60))
def test_no_bytes_raise(value: bytes) -> None:
    mapped = compiled(read(WHOLE, "m.toml"), TARGET, "m.toml")
    assert isinstance(mapped.parse(value, 0, future_skew_ms=0), Rejection)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('unit = "major"\n', "", "line 17: `fields.amount` needs unit"),
        ('zone = "America/New_York"\n', "", "line 12: `fields.time` needs zone"),
        ('zone = "America/New_York"', 'zone = "Mars/Olympus"', "zone 'Mars/Olympus'"),
        ("[fields.merchant]", "[fields.shop]", "line 25: `fields.shop` is no field"),
        ('default = "USD"', "constant = 7", "line 21: `fields.currency` needs exactly one"),
        ('path = "amt"', 'paht = "amt"', "line 17: `fields.amount` object contains"),
        ('hash = ["cc_num"]', 'path = "cc_num"', "card number in clear"),
        ('unit = "major"', 'unit = "euro"', "line 19: `fields.amount.unit`"),
        ('path = "amt"', "path = amt", "is not TOML"),
        ('event = "transactions"', 'event = "payments"', "line 2: `event` invalid enum"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(MappingError) as refused:
        text = WHOLE.replace(old, new, 1)
        compiled(read(text, "m.toml"), TARGET, "m.toml", text)
    assert said in str(refused.value) and "m.toml" in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        "2026-W27-3T12:00:00Z", "20260701T120000Z", "2026-07-01T12:00Z", "2026-07-01T12Z",
        "2026-07-01T12:00:00,5Z", "2026-07-01T12:00:00+02", "2026-07-01T12:00:00+0200",
        "2026-07-01T12:00:00+02:00:30", "2026-07-01x12:00:00Z", "2026-07-01T24:00:00Z",
        "2026-02-30T12:00:00Z", "2026-07-01T12:00:60Z", "2026-07-01T12:00:00+24:00",
    ],
)  # fmt: skip
def test_no_more_than_rfc_3339_is_taken_for_it(value: str) -> None:
    got = parse(timed("rfc3339"), **row(when=value))
    assert isinstance(got, Rejection) and got.code == "bad_time" and got.field == "when"


@pytest.mark.parametrize("value", ["2026-07-01t12:00:00z", "2026-07-01 12:00:00.000000999-00:00"])
def test_all_that_rfc_3339_allows_is_taken(value: str) -> None:
    event = parse(timed("rfc3339"), **row(when=value))
    assert event["time"] == datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("%Y-%m-%d %H:%M:%S", "2026-07-01 12:00+01"), ("%Y-%m-%d %H:%M:%S", "2026-07-01T12:00:00"),
        ("%Y-%m-%d", "2026-W27-3"), ("%Y-%m-%d %H:%M", "2026-07-01T12:00"),
    ],
)  # fmt: skip
def test_a_pattern_takes_what_it_says_and_no_other_form_of_iso_8601(form: str, value: str) -> None:
    got = parse(WHOLE.replace("%Y-%m-%d %H:%M:%S", form), **row(when=value))
    assert isinstance(got, Rejection) and got.code == "bad_time"


LINES = (
    'format = "csv"\n' + WHOLE.replace("shop.name", "_none")
    + '\n[csv]\ndelimiter = ";"\nnames = ["cc_num", "when", "amt", "shop"]\n'
)  # fmt: skip


def line(toml: str, value: bytes) -> Any:
    return compiled(read(toml, "m.toml"), TARGET, "m.toml").parse(value, 0, future_skew_ms=0)


def test_a_record_may_be_a_line_of_csv() -> None:
    event = line(LINES, b'4111111111111111;2026-07-01 12:00:00;12.50;"Ba;""kery"""\r\n')
    assert event["merchant"] == 'Ba;"kery"' and event["amount"] == 1250
    assert b"4111" not in event["seen"]
    assert line(LINES, b"4111;2026-07-01 12:00:00;12.50;")["currency"] == "USD"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "empty"), (b" \r\n", "empty"), (b"a;b;c", "wrong_type"), (b"\xff;b;c;d", "not_utf8"),
        (b"a;b;c;d\ne;f;g;h", "wrong_type"), (b'a;b;c;"d', "wrong_type"), (b"{}", "wrong_type"),
        (b";2026-07-01 12:00:00;12.50;x", "missing_field"),
    ],
)  # fmt: skip
def test_what_is_no_such_line_is_refused(value: bytes, code: str) -> None:
    got = line(LINES, value)
    assert isinstance(got, Rejection) and got.code == code


@given(st.binary(max_size=60))
def test_no_bytes_raise_as_a_line(value: bytes) -> None:
    assert isinstance(line(LINES, value), Rejection)


def test_lines_need_their_columns_and_delimiter() -> None:
    with pytest.raises(MappingError, match="needs names and delimiter"):
        read(LINES.replace('delimiter = ";"\n', ""), "m.toml")
    with pytest.raises(MappingError, match="envelope debezium"):
        read('envelope = "debezium"\n' + LINES, "m.toml")


@given(
    st.recursive(
        st.text(max_size=5) | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=12,
    )
)
def test_a_record_may_hold_anything_beside_and_no_key_twice(more: Any) -> None:
    record = row(more=more)
    assert parse(WHOLE, **record)["amount"] == 1250
    twice = msgspec.json.encode(record)[:-1] + b',"more":1}'
    got = line(WHOLE, twice)
    assert isinstance(got, Rejection) and got.code == "duplicate_key"


@pytest.mark.parametrize(
    ("negative", "amount", "kind", "found"),
    [
        ("refund", "-12.50", None, (1250, "refund")), ("refund", "12.50", None, (1250, None)),
        ("refund", "-1.00", "reversal", (100, "reversal")),
        ("refund", "-1.00", "purchase", (100, "refund")),
        ("spent", "-12.50", None, (1250, None)), ("spent", "12.50", None, (1250, "refund")),
        ("spent", 3, "reversal", (300, "reversal")), ("absolute", "-12.50", None, (1250, None)),
    ],
)  # fmt: skip
def test_a_sign_means_what_the_mapping_says(
    negative: str, amount: Any, kind: str | None, found: tuple[int, str | None]
) -> None:
    toml = WHOLE.replace('unit = "major"', f'unit = "major"\nnegative = "{negative}"')
    target = TARGET._replace(optional=("merchant", "kind"))
    toml += '\n[fields.kind]\npath = "kind"\n'
    mapped = compiled(read(toml, "m.toml"), target, "m.toml")
    record = row(amt=amount) | ({"kind": kind} if kind else {})
    event = mapped.parse(msgspec.json.encode(record), 0, future_skew_ms=0)
    assert (event["amount"], event.get("kind")) == found


@pytest.mark.parametrize("envelope", ["none", "cloudevents"])
def test_a_row_may_say_that_it_is_history(envelope: str) -> None:
    toml = WHOLE.replace("card_numbers", f'envelope = "{envelope}"\ncard_numbers')
    for mark in ({}, {"_learn_only": "true"}):
        record = row() if envelope == "none" else {"data": row()}
        assert parse(toml, **record, **mark).get("learn_only", False) == bool(mark)


@pytest.mark.parametrize("form", ["epoch_s", "epoch_ms"])
@pytest.mark.parametrize("value", [True, [], {}, None, "", "abc"])
def test_what_is_no_number_is_no_time_and_raises_nothing(form: str, value: Any) -> None:
    got = parse(timed(form).replace('hash = ["cc_num", "when", "amt"]', 'constant = "x"', 1),
                **row(when=value))  # fmt: skip
    assert isinstance(got, Rejection) and got.field == "when"


PLAIN = WHOLE.replace('card_numbers = ["cc_num"]', "").replace('"shop.name", "shop"', '"shop"')
PLAIN = PLAIN.replace('["shop"]', '"shop"').replace('path = "cur"\ndefault', "constant")
CELLS = st.sampled_from(
    ["", "12.50", "12.5", "-1", "1_0", " 7", "+1", "0012.00", "1782900000", "178290000_", "a", "é"]
)


@pytest.mark.parametrize("form", ["epoch_s", "epoch_ms", "rfc3339"])
@given(row=st.dictionaries(st.sampled_from(["cc_num", "when", "amt", "shop", "x"]), CELLS))
def test_the_common_case_written_out_is_the_same(form: str, row: dict[str, str]) -> None:
    """Its standard is the longer way, which a nested object beside takes."""
    begin, _, end = PLAIN.partition("form = ")
    toml = f'{begin}form = "{form}"\n\n{end.partition(chr(10) * 2)[2]}'
    mapped = compiled(read(toml, "m.toml"), TARGET, "m.toml")
    quick = mapped.parse(msgspec.json.encode(row), 0, future_skew_ms=0)
    slow = mapped.parse(msgspec.json.encode(row | {"beside": {}}), 0, future_skew_ms=0)
    if isinstance(slow, Rejection):
        assert isinstance(quick, Rejection)
        assert (quick.code, quick.field) == (slow.code, slow.field)
    else:
        assert {**quick, "seen": b""} == {**slow, "seen": b""}


def test_a_default_is_taken_where_the_common_case_has_nothing() -> None:
    toml = PLAIN.replace('path = "shop"', 'path = "shop"\ndefault = "unknown"')
    for shop in ({}, {"shop": ""}):
        record = row() | shop
        assert parse(toml, **record)["merchant"] == "unknown"


def test_names_of_fields_are_never_code() -> None:
    evil = "a'] + exit() or record['"
    toml = PLAIN.replace('path = "shop"', f'path = "{evil}"')
    assert parse(toml, **row(), **{evil: "Bakery"})["merchant"] == "Bakery"
