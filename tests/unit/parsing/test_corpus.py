"""The corpus of bad and odd records through both parsers: one verdict each, and laws over all."""

from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch import codec
from stormwatch.domains.fraud import parse as fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.maintenance import parse as maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.parsing.batch import CODES, parse_batch
from stormwatch.records import Fragment, Record, Rejection
from tests import corpus

SKEW = 300_000
DOMAINS = {"transactions": (fraud, Transaction), "readings": (maintenance, Reading)}
CASES = [case for topic in DOMAINS for case in corpus.cases(topic)]


def name(case: corpus.Case) -> str:
    return f"{case.topic}-{case.number}-{case.note}"[:80]


def judge(topic: str, value: bytes | None, timestamp: int = corpus.TIME):
    """One record as a batch of its own; checks what holds whatever the value is."""
    parse_one = partial(DOMAINS[topic][0].parse, future_skew_ms=SKEW)
    parsed, rejected = parse_batch(
        Fragment(topic, 0, 0, 7, 7, 1, 0),
        [Record(7, timestamp, b"key", value)],
        parse_one,
        component="parse",
        record_max_bytes=65_536,
        now=corpus.TIME,
    )
    assert len(parsed.events) + len(parsed.elsewhere) == 1
    assert not parsed.absent
    assert codec.encode(parsed)
    if rejected is None:
        return parsed.events[0][2]
    assert codec.encode(rejected)
    (row,) = rejected.rows
    assert row.code in CODES
    assert row.state == "rejected", row.reason
    assert row.reason.isprintable()
    assert len(row.reason.encode()) < 600
    return row


def check_laws(topic: str, value: bytes):
    """Never raises; an event survives its own wire format and the hop between components."""
    module, kind = DOMAINS[topic]
    found = module.parse(value, corpus.TIME, future_skew_ms=SKEW)
    if isinstance(found, Rejection):
        assert found.code in CODES
        assert len(found.field.encode()) <= 200
        assert found.reason
        return
    assert isinstance(found, kind)
    assert module.parse(module.to_wire(found), corpus.TIME, future_skew_ms=SKEW) == found
    packed = codec.decoder(codec.Parsed[kind])(codec.encode(codec.Parsed([(7, 8, found)], [], [])))
    assert packed.events == [(7, 8, found)]


@pytest.mark.parametrize("case", CASES, ids=name)
def test_verdict(case):
    found = judge(case.topic, case.value)
    if case.verdict.startswith("R "):
        assert found.code == case.verdict[2:], found
    else:
        assert isinstance(found, DOMAINS[case.topic][1]), found
        value = msgspec.json.decode(case.value)
        module = DOMAINS[case.topic][0]
        same = msgspec.json.decode(module.to_wire(found))
        changed = {k for k in same if k != "time" and same[k] != value[k]}
        changed |= {"time"} if ".123456" in value["time"] else set()
        assert bool(changed) == (case.verdict == "N"), changed


@pytest.mark.parametrize("case", CASES, ids=name)
def test_laws_hold_for_each_case(case):
    if case.value is not None and len(case.value) <= 65_536:
        check_laws(case.topic, case.value)


def test_the_corpus_meets_every_code_but_a_parser_that_raises():
    met = {case.verdict[2:] for case in CASES if case.verdict.startswith("R ")}
    of_mappings = {"not_framed", "unknown_schema", "not_of_schema"}  # test_mapping_binary.py
    assert met == CODES.keys() - {"raised"} - of_mappings


SEEDS = st.sampled_from([c.value for c in CASES if c.value and len(c.value) <= 4096])


@st.composite
def mutants(draw):
    value = draw(SEEDS)
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["flip", "cut", "splice", "insert"]))
        at = draw(st.integers(0, len(value)))
        if kind == "flip" and at < len(value):
            bit = 1 << draw(st.integers(0, 7))
            value = value[:at] + bytes([value[at] ^ bit]) + value[at + 1 :]
        elif kind == "cut":
            value = value[:at] + value[draw(st.integers(at, len(value))) :]
        elif kind == "splice":
            other = draw(SEEDS)
            value = value[:at] + other[draw(st.integers(0, len(other))) :]
        else:
            value = value[:at] + draw(st.binary(max_size=8)) + value[at:]
    return value


@given(st.sampled_from(sorted(DOMAINS)), mutants())
def test_laws_hold_for_mutants(topic, value):
    check_laws(topic, value)
    judge(topic, value)


@given(st.sampled_from(sorted(DOMAINS)), st.binary(max_size=200))
def test_laws_hold_for_any_bytes(topic, value):
    check_laws(topic, value)


@pytest.mark.parametrize("timestamp", [-1, 0, corpus.TIME, (1 << 63) - 1])
@pytest.mark.parametrize("case", [c for c in CASES if "time:" in c.note], ids=name)
def test_any_kafka_time_will_do(case, timestamp):
    judge(case.topic, case.value, timestamp)
