"""An order of the partitions is found whatever failed; for what is wrong, none: as properties.

The topology in miniature of `test_rekey_laws`: batches cut anywhere, writes that fail, land in part
or late, processes that die, tries that come after their successors.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.prove.verdict import rekeyed, shared
from apps.prove.verdict.judge import FAIL, PASS, Verdict
from apps.prove.verdict.oracle import Batch
from apps.prove.verdict.orders import Step, Ways, find
from apps.prove.verdict.tables import Stored, stored_in_memory
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import Fragment, LedgerRow, Outcomes, Record, StateRow
from stormwatch.settings import Settings
from tests.toy import Toy
from tests.unit.state.test_processor_laws import POLICY, TOPIC
from tests.unit.state.test_repartition_laws import Post, faults, good, logs_of, play, split, turns

SETTINGS = Settings(
    layout_stripes=8, lateness_s=POLICY.lateness_ms // 1000,
    dedup_horizon_s=POLICY.horizon_ms // 1000, dedup_max_ids=POLICY.max_ids,
)  # fmt: skip


odd = logs_of(
    st.integers(0, 60).map(lambda s: s * 1000), st.sampled_from([1, 1, 50, 99]),
    st.integers(0, 9).map(str),
)  # fmt: skip
"""Twice, changed, late, or not to be split; nothing on which some keys raise and others do not."""
calm = turns.map(lambda drawn: [(partition, size, False) for partition, size, _ in drawn])
"""Without the same tuple twice, which Storm does not deliver."""


class Hop:
    split = staticmethod(split)
    to_wire = staticmethod(msgspec.json.encode)
    accounted = False


def parse(value: bytes, timestamp: int, future_skew_ms: int) -> Post:
    return msgspec.json.decode(value, type=Post)


def read(logs: list[list[Post]]) -> rekeyed.Log:
    batches = [
        Batch(
            Fragment(TOPIC, partition, 33, 0, len(log) - 1, 1, 0),
            [Record(o, 1000 + o, b"k", msgspec.json.encode(post)) for o, post in enumerate(log)],
        )
        for partition, log in enumerate(logs)
    ]
    return rekeyed.read(SETTINGS, batches, Toy(), parse, Hop)


def judged(logs: list[list[Post]], have: Stored) -> Verdict:
    return shared.judge(SETTINGS, Toy(), TOPIC, read(logs), have, 1)


@settings(max_examples=40, deadline=None)
@given(st.one_of(good, odd), calm, faults)
def test_there_is_an_order_whatever_failed(logs, turns, faults):
    have = stored_in_memory(play(logs, turns, faults).store, "toy", TOPIC)
    verdict = judged(logs, have)
    assert verdict.status == PASS, (verdict.findings, verdict.why)


@settings(max_examples=40, deadline=None)
@given(good, calm, faults, st.integers(0, 2**32))
def test_one_wrong_thing_is_seen(logs, turns, faults, seed):
    have = stored_in_memory(play(logs, turns, faults).store, "toy", TOPIC)
    random, tables = Random(seed), have.tables
    if not tables.decisions:
        return
    key = random.choice(sorted(tables.decisions))
    outcome, score, body, *rest = tables.decisions[key]
    match random.randrange(5):
        case 0:
            del tables.decisions[key]
        case 1:
            tables.decisions[*key[:4], key[4] + 1, key[5]] = tables.decisions[key]
        case 2:
            plain = msgspec.json.decode(body)
            count, total, value = plain["features"]
            wrong = msgspec.json.encode(plain | {"features": [count + 1, total, value]})
            tables.decisions[key] = (outcome, score, wrong, *rest)
        case 3:
            del tables.states[random.choice(sorted(tables.states))]
        case 4:
            del tables.ends[random.choice(sorted(tables.ends))]
    assert judged(logs, have).status == FAIL


@dataclass
class Sum:
    """A key whose decisions say how much it had learned: orders can be read off them."""

    stored: dict[int, int]  # offset -> what was learned before, as stored

    def decide(self, step: Step, blob: bytes) -> Outcomes:
        before = int(blob or b"0")
        states = [StateRow(0, "k", str(before + step.event).encode(), 0)]
        of = Fragment("t", step.partition, 0, step.offset, step.offset, 1, 0)
        ledger = LedgerRow(of, "score/0", {"scored": bitmap_of([step.offset], step.offset)}, 0)
        made: Any = [before]
        return Outcomes(of, "toy", 0, made, states, [], ledger, [], [])

    def misfit(self, step: Step, made: Outcomes) -> str:
        before: Any = made.decisions[0]
        stored = self.stored[step.partition * 100 + step.offset]
        return "" if stored == before else f"{stored}, not {before}"

    def find(self, lanes: list[list[Step]]) -> Any:
        return find(lanes, Ways(self.decide, self.misfit, lambda blob: True, lambda blob: blob))


def lane(partition: int, *values: int) -> list[Step]:
    return [Step(partition, 0, at, 0, value, True) for at, value in enumerate(values)]


def test_the_order_is_the_one_that_the_tables_tell() -> None:
    lanes = [lane(0, 5, 1), lane(1, 5, 2)]
    made = Sum({100: 0, 0: 5, 101: 10, 1: 12}).find(lanes)
    assert made.whole and [step.partition for step, _ in made.order] == [1, 0, 1, 0]
    assert not made.wrong and not made.stuck


def test_what_fits_nowhere_is_named_alone() -> None:
    lanes = [lane(0, 1, 1, 1), lane(1, 10, 10)]
    made = Sum({0: 0, 1: 1, 2: 77, 100: 2, 101: 13}).find(lanes)
    assert made.whole and [(s.partition, s.offset) for s in made.wrong] == [(0, 2)]


def test_too_many_ways_are_given_up() -> None:
    """Forty events that change nothing, then one that never fits: 2^20 orders of them."""
    lanes = [lane(0, *[0] * 60, 1), lane(1, *[0] * 60, 1)]
    stored = {p * 100 + o: 0 for p in (0, 1) for o in range(60)} | {60: 7, 160: 7}
    ways = Sum(stored)
    nth = iter(range(1 << 30))
    known = lambda blob: next(nth)  # noqa: E731  nothing is recognised
    made = find(lanes, Ways(ways.decide, ways.misfit, lambda blob: True, known))
    assert made.given_up and not made.whole
    assert len(made.order) <= 120
