"""The law: any record at all can be set aside. Nothing that a record holds kills the row it gets.

Rows are packed by the product's own `cassandra_rows`, as the store packs them.
"""

from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from apps.data.moments import moment
from bolts.parse import ParseBolt, ParseReadings, ParseTransactions
from stormwatch import codec
from stormwatch.adapters.cassandra import rows as wire
from stormwatch.codec import Parsed
from stormwatch.dead_letters import rows as asides
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse as parse_transaction
from stormwatch.domains.maintenance.parse import parse as parse_reading
from stormwatch.ingest import notices
from stormwatch.metrics import Metrics
from stormwatch.parsing.batch import parse_batch
from stormwatch.records import Fragment, Outcomes, Reason, Record, SetAside
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Verdict, check_storable
from stormwatch.state.processor import BODY_MAX, Contract, Policy
from stormwatch.state.repartition import fan_out
from stormwatch.testing import batch, drive
from tests.models.toy import Ping, Toy

NS = 1_796_000_000_000_000_000
FRAGMENT = Fragment("t", 0, 1, 0, 0, 1, 0)
GOOD = [each.value for each, _ in zip(Transactions(3, run="any"), range(3), strict=False)]
READING = next(iter(readings(3))).value

times = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-1, 0, NS, -NS, NS // 1000, 2**63 - 1, -(2**63), 253_402_300_800_000]),
)
values = st.one_of(
    st.none(), st.binary(max_size=300), st.sampled_from(GOOD), st.text().map(str.encode)
)
records = st.builds(
    Record, st.just(0), times, st.one_of(st.none(), st.binary(max_size=300)), values
)


def pack(rows: list[SetAside]) -> None:
    """As the reject bolt and the store do, up to what is sent."""
    rows = [asides.redacted(row, 65_536) for row in rows]
    codec.encode(rows)
    days = wire.aside_rows(b"d", 1, "t", 0, 1, rows)
    assert sum(map(len, days.values())) == len(rows)
    for row in rows:
        assert msgspec.json.decode(asides.message(FRAGMENT, row))["offset"] == row.offset


def pack_outcomes(made: Outcomes) -> None:
    list(wire.decision_rows(b"d", 1, 86_400_000, made.decisions))
    wire.alert_rows(b"d", 1, "t", 0, made.decisions)
    list(wire.state_rows(b"d", made.states))
    pack(made.aside)
    assert 0 <= made.ledger.age < 2**63
    assert codec.decoder(Outcomes)(codec.encode(made)).aside == made.aside
    Metrics().batch({}, 0, made.timestamps, 0)


@given(records, st.sampled_from([parse_transaction, parse_reading]))
def test_whatever_bytes_key_and_time_a_record_has_it_has_its_place(record: Record, of: Any) -> None:
    made = parse_batch(
        FRAGMENT, [record], partial(of, future_skew_ms=1000), component="parse",
        record_max_bytes=200, now=0, check=check_storable,
    )  # fmt: skip
    assert len(made.parsed.events) + len(made.rejected.rows if made.rejected else ()) == 1
    if made.rejected:
        assert 0 <= made.rejected.ledger.age < 2**63
        pack(made.rejected.rows)
    quarantined = notices.quarantined(FRAGMENT, record, 2, "spout")
    pack(quarantined.rows)


@pytest.mark.parametrize("size", [1, 64, 65, 1001, 70_000])
@pytest.mark.parametrize("field", ["id", "customer", "unit"])
@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+23:59", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"]
)
def test_what_a_bounded_format_lets_through_can_be_stored(size: int, field: str, time: str) -> None:
    """So its events need no second look."""
    bolt, good = (ParseReadings, READING) if field == "unit" else (ParseTransactions, GOOD[0])
    assert bolt.bounded and not ParseBolt.bounded
    long = ("f/r/" + "1" * size)[:size]
    value = msgspec.json.encode({**msgspec.json.decode(good), field: long, "time": time})
    made = parse_batch(
        FRAGMENT, [Record(0, -1, None, value)], partial(bolt.parse_one, future_skew_ms=1000),
        component="parse", record_max_bytes=100_000, now=0,
    )  # fmt: skip
    for _, _, event in made.parsed.events:
        check_storable(event)
        assert size <= 64


@given(times, times)
def test_alerts_and_conflicts_too_whatever_kafka_dates_them(first: int, second: int) -> None:
    contract = Contract(Fraud.load(), Policy(1000, 1000, 9), "decide")
    event = parse_transaction(GOOD[0], 1 << 62, future_skew_ms=0)
    other = msgspec.structs.replace(event, amount=event.amount + 1)
    parsed = Parsed([(0, first, event), (1, second, other)], [], [])
    made = contract.apply(
        Fragment("t", 0, 1, 0, 1, 1, 0), parsed, {event.entity: Entry(0, b"")}, 1_700_000_000_000
    )
    assert [row.code for row in made.aside] == ["conflict"]
    pack_outcomes(made)


@given(times)
def test_any_time_can_be_shown(ms: int) -> None:
    assert moment(ms)


class Odd(Toy):
    """Everything that a domain's own code can do wrong with one record, by its value."""

    def to_wire(self, event: Ping) -> bytes:
        if event.value >= 66:
            raise OverflowError("nor can it be written")
        return super().to_wire(event)

    def decide(self, events: Any, features: Any, carries: Any) -> list[Verdict]:
        odd = {
            100: Verdict("lo\ud800"), 101: Verdict("low", 0.0, (Reason("x", "half \udcff"),)),
            102: Verdict("low", 0.0, (Reason("x", "y" * BODY_MAX),)),
        }  # fmt: skip
        return [
            odd.get(e.value) or v
            for e, v in zip(events, super().decide(events, features, carries), strict=True)
        ]


@pytest.mark.parametrize("value", [66, 77, 100, 101, 102])
def test_what_a_domain_does_wrong_costs_that_record_alone(value: int) -> None:
    contract = Contract(Odd(), Policy(1000, 1000, 9), "decide")
    pings = [Ping("a", "ann", 1000, 1), Ping("b", "ann", 1000, value), Ping("c", "ann", 1000, 1)]
    parsed = Parsed([(n, 0, ping) for n, ping in enumerate(pings)], [], [])
    made = contract.apply(Fragment("t", 0, 1, 0, 2, 1, 0), parsed, {"ann": Entry(0, b"")}, 0)
    assert [row.id for row in made.decisions] == ["a", "c"]
    assert [(row.offset, row.state) for row in made.aside] == [(1, "dead_lettered")]
    assert (made.aside[0].raw or b"").startswith((b"Ping(", b"{"))
    pack_outcomes(made)


ODD_EVENTS = {
    "half a character": Ping("\ud800", "ann", 1000, 1),
    "a number beyond any": Ping("a", "ann", 1000, 1 << 70),
    "a time beyond any": Ping("a", "ann", 1 << 62, 1),
    "a key beyond any": Ping("a", "ann" * 40_000, 1000, 1),
}


class ParseOdd(ParseTransactions):
    """Parses `N` to the event of that number."""

    @staticmethod
    def parse_one(value: bytes, timestamp: int, *, future_skew_ms: int) -> Ping:
        return [Ping("good", "ann", 1000, 1), *ODD_EVENTS.values()][int(value)]


@pytest.mark.parametrize("nth", range(1, 5), ids=ODD_EVENTS)
def test_an_event_that_cannot_be_sent_or_stored_is_set_aside_by_the_parser(nth: int) -> None:
    sent = [Record(0, 5, b"k", b"0"), Record(1, 5, b"k", b"%d" % nth), Record(2, 5, b"k", b"0")]
    said = drive(ParseOdd, batch(Fragment("t", 0, 1, 0, 2, 1, 0), sent))
    assert said.acks == ["1"], said.log
    aside, events = (each["tuple"][-1] for each in said.of("emit"))
    (row,) = codec.decoder(codec.Asides)(aside).rows
    assert (row.offset, row.code, row.raw) == (1, "raised", b"%d" % nth)
    assert [at for at, _, _ in codec.decoder(Parsed[Ping])(events).events] == [0, 2]


@pytest.mark.parametrize("nth", range(2, 4), ids=list(ODD_EVENTS)[2:])
def test_and_one_that_a_split_makes_by_the_hop(nth: int) -> None:
    odd = list(ODD_EVENTS.values())[nth]
    parsed = Parsed([(0, NS, Ping("a", "ann", 1000, 1))], [], [])
    made = fan_out(
        FRAGMENT, parsed, lambda event: [odd], buckets=2, accounted=False,
        to_wire=Odd().to_wire, component="split", now=0,
    )  # fmt: skip
    assert not made.shares and made.aside is not None
    assert [row.code for row in made.aside.rows] == ["ValueError"]
    pack(made.aside.rows)


def test_a_traceback_is_kept_to_its_end_only() -> None:
    try:
        raise ValueError("x" * 100_000 + "\ud800 the end")
    except ValueError:
        told = asides.trace()
    assert len(told) <= 8_000 and told.rstrip().endswith("the end")
