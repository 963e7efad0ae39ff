"""Batches of records to events and rows aside; the quick look against a slow one; times."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.dead_letters.rows import message, redacted
from stormwatch.domains.fraud import parse as fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.iso import COUNTRIES, CURRENCIES
from stormwatch.domains.maintenance import parse as maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.sensors import SENSORS
from stormwatch.errors import ModelError
from stormwatch.ledger import bitmap
from stormwatch.parsing.batch import CODES, parse_batch
from stormwatch.parsing.fields import from_ms, to_ms
from stormwatch.parsing.rejections import EXCERPT_BYTES, excerpt
from stormwatch.records import Fragment, Record, Rejection, SetAside
from tests import corpus

SKEW = 300_000
DOMAINS = {"transactions": fraud, "readings": maintenance}
GOOD = {topic: corpus.cases(topic)[0].value for topic in DOMAINS}


def parse_one(value: bytes, timestamp: int):
    """b"e..." is an event, b"r..." a rejection, b"x..." a bug."""
    if value.startswith(b"x"):
        raise ZeroDivisionError(f"over {value!r} \ud800")
    return value if value.startswith(b"e") else Rejection("not_json", "no")


def parsed(records, first=0, last=None, limit=20, now=100):
    last = max(r.offset for r in records) if last is None else last
    fragment = Fragment("t", 1, 0, first, last, 1, 0)
    return parse_batch(
        fragment, records, parse_one, component="parse", record_max_bytes=limit, now=now
    )


VALUES = st.one_of(
    st.none(), st.sampled_from([b"e", b"r", b"x", b"e" * 21, b"x" * 21]), st.binary(max_size=30)
)


@given(st.integers(0, 1 << 40), st.dictionaries(st.integers(0, 60), VALUES, min_size=1))
def test_every_offset_ends_in_exactly_one_place(first, values):
    records = [Record(first + i, 50 + i, None, v) for i, v in sorted(values.items())]
    batch, rejected = parsed(records, first, first + 60)
    rows = [] if rejected is None else rejected.rows
    events = [offset for offset, _, _ in batch.events]
    assert sorted(events + batch.elsewhere + batch.absent) == list(range(first, first + 61))
    assert batch.elsewhere == [row.offset for row in rows]
    assert events == sorted(events)
    if rejected is None:
        return
    assert rejected.ledger.part == "reject"
    assert rejected.ledger.age == max(0, 100 - min(row.timestamp for row in rows))
    for state, bits in rejected.ledger.bitmaps.items():
        assert bitmap.offsets(bits, first) == [r.offset for r in rows if r.state == state] != []
    assert sum(bitmap.count(b) for b in rejected.ledger.bitmaps.values()) == len(rows)


@given(st.lists(VALUES, min_size=2, max_size=20), st.data())
def test_a_cut_anywhere_gives_the_same(values, data):
    records = [Record(i, 50, None, v) for i, v in enumerate(values)]
    at = data.draw(st.integers(1, len(records) - 1))
    whole = parsed(records)
    left = parsed(records[:at], 0, at - 1)
    right = parsed(records[at:], at)
    assert whole.parsed.events == left.parsed.events + right.parsed.events
    rows = [row for part in (left, right) if part.rejected for row in part.rejected.rows]
    assert (whole.rejected.rows if whole.rejected else []) == rows


def test_a_parser_that_raises_costs_only_that_record():
    batch, rejected = parsed(
        [
            Record(0, 9, None, b"e"),
            Record(1, 9, b"k", b"x 4111111111111111"),
            Record(2, 9, None, b"e"),
        ]
    )
    assert [offset for offset, _, _ in batch.events] == [0, 2]
    (row,) = rejected.rows
    assert (row.state, row.code, row.key) == ("dead_lettered", "raised", b"k")
    assert "ZeroDivisionError: over b'x ************1111' \\ud800" in row.reason
    assert row.raw == b"x ************1111"
    assert rejected.ledger.bitmaps == {"dead_lettered": b"\x02"}


def test_what_makes_all_work_pointless_is_not_a_record_s_fault():
    def hopeless(value, timestamp):
        raise ModelError("corrupt")

    with pytest.raises(ModelError):
        parse_batch(
            Fragment("t", 0, 0, 0, 0, 1, 0), [Record(0, 0, None, b"")], hopeless,
            component="parse", record_max_bytes=9, now=0,
        )  # fmt: skip


def test_what_is_kept_is_masked_before_it_is_cut():
    card = b"4111111111111111"
    row = SetAside(0, 0, "rejected", "c", "r", "parse", card, b"a " + card + b" tail")
    short = redacted(row, 10)
    assert (short.key, short.raw) == (b"**********", b"a ********")
    assert redacted(short, 10) is short


def test_a_dead_letter_is_json_of_its_own():
    row = SetAside(5, 9, "rejected", "not_json", "ä", "parse", b"k", None)
    letter = json.loads(message(Fragment("t", 1, 0, 5, 5, 1, 0), row))
    assert letter["key"] == "aw=="
    assert letter["raw"] is None
    assert letter["offset"] == 5


# --- the quick look (counting quotes) against a slow one


def pairs_of(topic):
    return list(json.loads(GOOD[topic]).items())


class Pairs(list):
    """An object as pairs: a key may be there twice."""


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(st.tuples(st.sampled_from('ab"'), inner), max_size=3).map(Pairs),
    ),
    max_leaves=6,
)


def dumps(value, ascii_only):
    if isinstance(value, Pairs):
        inner = (f"{json.dumps(k)} : {dumps(v, ascii_only)}" for k, v in value)
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(dumps(v, ascii_only) for v in value) + "]"
    if isinstance(value, dict):
        return dumps(Pairs(value.items()), ascii_only)
    return json.dumps(value, ensure_ascii=ascii_only)


def twice(value):
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        keys = [k for k, _ in value]
        return len(set(keys)) < len(keys) or any(twice(v) for _, v in value)
    return isinstance(value, list) and any(twice(v) for v in value)


@given(st.sampled_from(sorted(DOMAINS)), st.data(), st.booleans())
def test_a_key_that_is_there_twice_is_never_missed(topic, data, ascii_only):
    pairs = pairs_of(topic)
    if topic == "transactions":
        name = data.draw(st.text(max_size=5, alphabet='a"ü\\{[:,'))
        pairs += data.draw(st.lists(st.sampled_from(
            [("merchant", name), ("country", "DE"), ("type", "transaction"), ("merchant", None),
             ("country", None)]), max_size=2))  # fmt: skip
    else:
        pairs += data.draw(st.lists(st.just(("type", "reading")), max_size=1))
    pairs += data.draw(st.lists(st.sampled_from(pairs_of(topic)), max_size=1))
    pairs += data.draw(st.lists(st.tuples(st.sampled_from(["x", "y"]), JUNK), max_size=2))
    record = Pairs(data.draw(st.permutations(pairs)))
    value = dumps(record, ascii_only).encode()
    found = DOMAINS[topic].parse(value, corpus.TIME, future_skew_ms=SKEW)
    assert (isinstance(found, Rejection) and found.code == "duplicate_key") == twice(record), found


# --- events to record values and back

IDS = st.text(min_size=1, max_size=64).filter(lambda s: s.isprintable() and s == s.strip())
TIMES = st.integers(946_684_800_000, corpus.TIME + SKEW)


@given(
    st.builds(
        Transaction,
        IDS,
        IDS,
        IDS,
        TIMES,
        st.integers(1, 10**9),
        st.sampled_from(sorted(CURRENCIES)),
        st.sampled_from(["", "Café 🍰", "\u202eevil", '"\\', "a" * 200]),
        st.sampled_from(["", *sorted(COUNTRIES)]),
    )
)
def test_transactions_survive_their_wire_format(event):
    got = fraud.parse(fraud.to_wire(event), corpus.TIME, future_skew_ms=SKEW)
    if isinstance(got, Rejection):  # an id that looks like a card number
        assert got.code == "card_number"
    else:
        assert got == event


NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)


@given(
    st.builds(
        Reading,
        IDS,
        st.tuples(NAMES, NAMES, NAMES).map("/".join),
        TIMES,
        st.integers(1, 10**9),
        st.lists(st.floats(-1e6, 1e6), max_size=8).map(tuple),
        st.dictionaries(st.sampled_from(sorted(SENSORS)), st.floats(0, 100), min_size=1),
    )
)
def test_readings_survive_their_wire_format(event):
    assert maintenance.parse(maintenance.to_wire(event), corpus.TIME, future_skew_ms=SKEW) == event


@given(
    st.datetimes(timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))))
)
def test_times_are_exact_to_the_millisecond(time):
    ms = to_ms(time)
    assert from_ms(ms) <= time < from_ms(ms) + timedelta(milliseconds=1)


def test_a_known_time():
    assert to_ms(datetime(2026, 11, 21, 9, 15, 30, 999_999, UTC)) == corpus.TIME + 999


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-21T09:15:30.9999995Z", corpus.TIME + 999),
        ("2026-11-21T09:15:30.999999999Z", corpus.TIME + 999),
        ("2026-11-21T10:15:30.0009999+01:00", corpus.TIME),
        ("2026-11-21T09:15:30.999Z", corpus.TIME + 999),
        ("2026-11-21T09:15:30.1239995Z", corpus.TIME + 123),
        ("2026-11-20T23:59:59.9999995Z", corpus.TIME - 33_330_001),
    ],
)
@pytest.mark.parametrize("topic", DOMAINS)
def test_what_is_finer_than_a_millisecond_is_cut(topic, text, ms):
    """Never rounded: that could be another day. (Ids that hold 999 change nothing.)"""
    value = json.dumps({**json.loads(GOOD[topic]), "time": text, "id": "a-999"}).encode()
    assert DOMAINS[topic].parse(value, corpus.TIME, future_skew_ms=SKEW).time == ms


# --- what a person reads


@given(st.one_of(st.text(max_size=400), st.binary(max_size=400)))
def test_an_excerpt_is_short_and_printable(shown):
    text = excerpt(shown)
    assert text.isprintable()
    assert len(text.encode()) <= EXCERPT_BYTES


@pytest.mark.parametrize(
    ("topic", "old", "new", "field", "says"),
    [
        ("transactions", b"1250", b'"12.50"', "amount", 'expected `int`, got `str`: "12.50"'),
        ("transactions", b"1250", b"0", "amount", "expected `int` >= 1: 0"),
        ("transactions", b'"amount":1250,', b"", "amount", "`amount` is missing: {"),
        ("transactions", b"EUR", b"eur", "currency", "in capitals: eur"),
        ("transactions", b"30Z", b"30", "time", "with a timezone component"),
        ("transactions", b"2026-11-21T09", b"2026-11-21T10", "time", "3600.000 s ahead of Kafka's"),
        ("readings", b"518.67", b'"ERR"', "sensors.T2", 'got `str`: "ERR"'),
        ("readings", b"518.67", b"-1", "sensors.T2", "possible are 0 to 5000 °R: -1.0"),
        ("readings", b"0.2", b"null", "settings[1]", "got `null`: null"),
        ("readings", b"T2", b"T\\u202e", "sensors.T\\u202e", "schema/readings.md"),
        ("readings", b'"id"', b'"time":1,"id"', "time", "is there twice"),
    ],
)
def test_a_rejection_names_the_field_and_quotes_it(topic, old, new, field, says):
    value = GOOD[topic].replace(old, new)
    found = DOMAINS[topic].parse(value, corpus.TIME, future_skew_ms=SKEW)
    assert found.field == field
    assert says in found.reason
    assert found.code in CODES


def test_no_rejection_repeats_a_card_number():
    card = b"4111111111111111"
    for value in (GOOD["transactions"].replace(b"1250", card), b"[" + card + b"]", card,
                  GOOD["transactions"].replace(b"pos-1", card)):  # fmt: skip
        found = fraud.parse(value, corpus.TIME, future_skew_ms=SKEW)
        assert isinstance(found, Rejection)
        assert card.decode() not in found.reason
        assert "************1111" in found.reason


@pytest.mark.parametrize(("kafka", "told"), [(-1, "has none"), (7**20, f"says {7**20} ms")])
def test_a_rejection_by_the_readers_clock_says_so(kafka, told):
    """Case 10: event and Kafka time ahead by 200 days, or no Kafka time."""
    record = Record(0, kafka, b"k", GOOD["transactions"], read=1_700_000_000_000)
    made = parse_batch(
        Fragment("t", 0, 0, 0, 0, 1, 0), [record],
        lambda raw, timestamp: fraud.parse(raw, timestamp, future_skew_ms=SKEW),
        component="parse", record_max_bytes=65_536, now=0,
    )  # fmt: skip
    (row,) = made.rejected.rows
    assert (row.code, row.timestamp) == ("too_far_in_future", 1_700_000_000_000)
    assert f"(that is when it was read: Kafka {told}, which is not believed)" in row.reason
