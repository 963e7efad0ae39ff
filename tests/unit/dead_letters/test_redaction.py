"""Configured fields and card numbers do not survive in what is kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.dead_letters import redaction
from stormwatch.dead_letters.rows import redacted
from stormwatch.domains.fraud.parse import parse
from stormwatch.parsing.batch import parse_batch
from stormwatch.records import Fragment, Record, SetAside
from stormwatch.settings import Settings
from stormwatch.state.processor import Policy

SECRET = "s3cret-77"
FIELDS = frozenset({"merchant", "note"})

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["merchant", "id", "note", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(documents)
def test_masking_twice_is_masking_once_and_keeps_what_has_no_such_field(document: object) -> None:
    value = json.dumps(document).encode()
    once = redaction.mask(value, FIELDS)
    assert redaction.mask(once, FIELDS) == once
    if b'"merchant"' not in value and b'"note"' not in value:
        assert once == value


@pytest.mark.parametrize(
    "value",
    [
        f'{{"id":"t","merchant":"{SECRET}"}}',
        f'{{"a":[{{"merchant": {{"deep":"{SECRET}"}}}}]}}',
        f'{{"merchant":"{SECRET}","merchant":"***"}}',
        f'{{"merchant":"{SECRET}',  # cut off
        f'{{"merchant":"a\\"{SECRET}", oops',
        f'{{"merchant":{{"x":["{SECRET}"',
        f'{{"note":["{SECRET}"], nothing more',
        f'{{"merch\\u0061nt":"{SECRET}"}}',  # a name may be escaped, too
        f'{{"merch\\u0061nt":"{SECRET}","merchant":"***"}}',
        f'{{"\\u006e\\u006F\\u0074e":"{SECRET}", oops',
    ],
)
def test_no_value_of_a_masked_field_is_left(value: str) -> None:
    masked = redaction.mask(value.encode(), FIELDS)
    assert SECRET.encode() not in masked and b"***" in masked
    assert redaction.mask(masked, FIELDS) == masked


def test_card_numbers_are_masked_with_any_setting() -> None:
    value = b'{"x":"4111 1111 1111 1111"}'
    assert redaction.mask(value, frozenset()) == b'{"x":"**** **** **** 1111"}'
    assert redaction.mask(value, FIELDS) == b'{"x":"**** **** **** 1111"}'


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({"id": "t", "merchant": [SECRET]}),  # the field itself is wrong
        f'{{"merchant": "{SECRET}" oops',  # the record is
        json.dumps({"id": 5, "merchant": SECRET}),
    ],
)
def test_a_rejection_quotes_no_masked_field(value: str) -> None:
    batch = parse_batch(
        Fragment("t", 0, 0, 0, 0, 1, 0),
        [Record(0, 1_300_000_000_000, b"k", value.encode())],
        lambda value, timestamp: parse(value, timestamp, future_skew_ms=0),
        component="parse", record_max_bytes=1000, now=0, masked=FIELDS,
    )  # fmt: skip
    assert batch.rejected is not None
    (row,) = batch.rejected.rows
    assert row.raw is not None and SECRET.encode() not in row.raw
    assert SECRET not in row.reason and row.reason


def test_the_policy_of_the_contract_and_what_is_kept_follow_the_setting() -> None:
    settings = Settings(mask_fields="merchant, note")
    assert Policy.of(settings).masked == FIELDS == redaction.names(settings.mask_fields)
    row = SetAside(0, 0, "late", "late", f'of {{"note":"{SECRET}"}}', "score", b"k", b"{}")
    assert SECRET not in redacted(row, 100, FIELDS).reason
    assert redacted(row, 100) is row


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_card_number_that_the_limit_cuts_is_not_kept_in_part(cut: int) -> None:
    """The spout hands on one byte more than the limit of a record that is too large."""
    card = b"4111111111111111"
    raw = b'{"note":"' + b"x" * 50 + b'","pan":"' + card
    limit = len(raw) - len(card) + cut
    for value in (raw, raw[: limit + 1]):
        row = SetAside(0, 0, "rejected", "too_large", "", "parse", None, value)
        left = redacted(row, limit).raw
        assert left is not None and len(left) == limit
        assert sum(byte in b"0123456789" for byte in left) <= 6
        assert redacted(redacted(row, limit), limit).raw == left


def test_a_card_number_in_an_exception_s_words_is_masked() -> None:
    row = SetAside(0, 0, "dead_lettered", "ValueError", "no 4111111111111111", "decide", None, b"")
    assert redacted(row, 100).reason == "no ************1111"


def test_a_card_number_that_is_escaped_is_refused_and_shown_nowhere() -> None:
    """It was taken, became the entity, and was shown by `journey`."""
    digits = "".join(f"\\u{ord(d):04x}" for d in "4111111111111111")
    record = {
        "id": "t-1", "customer": "@", "terminal": "p-1", "time": "2026-11-29T10:00:00Z",
        "amount": 5, "currency": "EUR",
    }  # fmt: skip
    value = json.dumps(record).replace("@", digits).encode()
    assert json.loads(value)["customer"] == "4111111111111111"
    batch = parse_batch(
        Fragment("t", 0, 0, 0, 0, 1, 0),
        [Record(0, 4_000_000_000_000, digits.encode(), value)],
        lambda value, timestamp: parse(value, timestamp, future_skew_ms=0),
        component="parse", record_max_bytes=1000, now=0,
    )  # fmt: skip
    assert batch.rejected is not None
    (row,) = batch.rejected.rows
    assert (row.code, row.state) == ("card_number", "rejected")
    assert row.raw is not None and row.key is not None
    assert json.loads(row.raw)["customer"] == "************1111" == json.loads(b'"%s"' % row.key)
    assert "4111" not in row.reason and "u0034" not in row.reason
    assert "`customer`" in row.reason
