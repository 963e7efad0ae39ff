"""The checker is tested first: a loss, a double, a wrong byte and a wrong order are each seen."""

from collections.abc import Iterator
from copy import deepcopy

import msgspec
import pytest

from apps.prove.verdict.epochs import aligned
from apps.prove.verdict.judge import FAIL, INVALID, PASS, Judgement, judge
from apps.prove.verdict.oracle import Batch, cut
from apps.prove.verdict.preconditions import late_faults
from apps.prove.verdict.tables import Stored, Tables, Written
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import Record
from tests.models.decided import COUNT, DOMAIN, KTIME, RECORDS, SEED, SPAN, events, only, tables


@pytest.fixture(scope="module")
def want() -> Tables:
    return tables()


@pytest.fixture
def have(want: Tables) -> Tables:
    return deepcopy(want)


def of(want: Tables, have: Tables, *doubts: str) -> Judgement:
    return judge(want, have, SEED, doubts, events, DOMAIN)


def test_another_cut_changes_nothing_and_the_seed_is_told(want: Tables) -> None:
    verdict = of(want, tables(seed=2, most=5))
    assert (verdict.status, verdict.seed) == (PASS, SEED)
    assert not any(verdict.counts.values())
    assert (verdict.records, verdict.decisions) == (COUNT + 5, len(want.decisions))
    assert len(want.decisions) > 400 and want.dead_letters and want.alerts
    states = {state for ends in want.ends.values() for state in ends}
    assert states == {"scored", "rejected", "duplicate", "conflict", "absent"}


@pytest.mark.parametrize("table", ["decisions", "states", "alerts", "dead_letters", "ends"])
def test_one_planted_loss_is_missing(want: Tables, have: Tables, table: str) -> None:
    lost = sorted(getattr(have, table))[3]
    del getattr(have, table)[lost]
    verdict = of(want, have)
    only(verdict, missing=1)
    (finding,) = verdict.findings
    assert (finding.table, finding.key) == (table, repr(lost))


def test_one_planted_duplicate_is_doubled(want: Tables, have: Tables) -> None:
    domain, stripe, period, entity, time, name = key = sorted(have.decisions)[5]
    have.decisions[domain, stripe, period, entity, time + 1, name] = have.decisions[key]
    only(of(want, have), doubled=1)


def test_one_offset_with_two_ends_is_doubled(want: Tables, have: Tables) -> None:
    key = sorted(have.ends)[8]
    have.ends[key] |= {"late"}
    only(of(want, have), doubled=1)
    letter = sorted(have.dead_letters)[0]
    have.dead_letters[*letter[:3], "late", *letter[4:]] = have.dead_letters[letter]
    only(of(want, have), doubled=2)


def test_a_decision_of_nothing_is_extra(want: Tables, have: Tables) -> None:
    have.decisions["fraud", 0, 0, "nobody", 0, "x"] = next(iter(have.decisions.values()))
    only(of(want, have), extra=1)


def test_one_wrong_byte_is_different_and_told_by_field(want: Tables, have: Tables) -> None:
    key = sorted(have.decisions)[9]
    outcome, score, body, ktime, alert = have.decisions[key]
    wrong = msgspec.json.decode(body) | {"score": 0.123457}
    have.decisions[key] = (outcome, score, msgspec.json.encode(wrong), ktime, alert)
    verdict = of(want, have)
    only(verdict, different=1)
    assert verdict.findings[0].told.startswith("score: 0.123457, not ")
    place = sorted(have.states)[0]
    have.states[place] = have.states[place][:-1] + bytes([have.states[place][-1] ^ 1])
    only(of(want, have), different=2)
    have.decisions[key] = (outcome, score, body[:-1] + b"!", ktime, alert)
    only(of(want, have), different=2)


def test_two_records_of_a_key_learned_in_the_wrong_order_are_told(want: Tables) -> None:
    ends = {offset: states for (_, _, offset), states in want.ends.items()}
    mine = [r for r in RECORDS if ends[r.offset] == {"scored"}]
    entity, (first, second) = next(
        (key, some[4:6])
        for key in sorted({r.key for r in mine if r.key})
        if len(some := [r for r in mine if r.key == key]) > 6
    )
    swapped = {first.offset: second, second.offset: first}
    told = ((r.offset, swapped.get(r.offset, r)) for r in RECORDS)
    wrong = [Record(offset, KTIME, r.key, r.value) for offset, r in told]
    have = tables(wrong)
    # The zombie's decisions name the offsets that the records have in Kafka.
    names = {first.offset: second.offset, second.offset: first.offset}
    for key, cells in have.decisions.items():
        body = msgspec.json.decode(cells[2], type=dict)
        if body["offset"] in names:
            body["offset"] = names[body["offset"]]
            have.decisions[key] = (*cells[:2], msgspec.json.encode(body), *cells[3:])
    verdict = of(want, have)
    assert verdict.status == FAIL and verdict.counts["out_of_order"] >= 1
    told = [f for f in verdict.findings if f.kind == "out_of_order"]
    assert all(repr(entity.decode()) in finding.key for finding in told)


def test_doubts_make_it_invalid_whatever_was_found(want: Tables, have: Tables) -> None:
    del have.decisions[sorted(have.decisions)[0]]
    verdict = of(want, have, "nothing was tested")
    assert (verdict.status, verdict.why) == (INVALID, ["nothing was tested"])
    assert verdict.counts["missing"] == 1


def test_a_fault_after_the_last_decided_record_is_a_doubt() -> None:
    stored = Stored(
        Tables(), [Written("t", 0, 0, 0, 1, "score", 50), Written("t", 0, 0, 2, 2, "score", 9)], []
    )
    times = {(0, 0): 1_000, (0, 1): 900, (0, 2): 930}
    assert late_faults([949], stored, times) == []
    assert len(late_faults([949, 950, 10_000], stored, times)) == 2
    assert len(late_faults([1], Stored(Tables(), [], []), {})) == 1


def test_every_offset_is_in_one_batch_and_killers_stand_alone() -> None:
    killers = {RECORDS[10].offset, RECORDS[11].offset, RECORDS[-1].offset}
    batches: Iterator[Batch] = cut(SPAN, [RECORDS], lambda: 40, lambda r: r.offset in killers)
    position = 0
    for fragment, records, killer in batches:
        assert fragment.first == position and fragment.last >= fragment.first
        assert killer is any(r.offset in killers for r in records)
        assert not killer or len(records) == 1
        position = fragment.last + 1
    assert position == SPAN.end
    assert bitmap_of([0], 0) == b"\x01"


def test_quarantined_records_are_believed_and_counted(have: Tables, want: Tables) -> None:
    key = ("fraud", "t", 0, "dead_lettered", 3, 9)
    for some in (want, have):
        some.dead_letters[key] = (KTIME, "kills_process", "", b"k", b"v")
    assert of(want, have).quarantined == 1
    del want.dead_letters[key]


def test_a_batch_told_under_the_epoch_before_partitions_were_added_is_no_fault(
    want: Tables, have: Tables
) -> None:
    """Epoch 3 is epoch 2 with one partition more; 32 is another topic of that name."""
    late = sorted(key for key in have.dead_letters)[-1]
    moved = [at for at in have.ends if at[2] >= late[5]]
    assert moved
    for at in moved:
        have.ends[at[0], 2, at[2]] = have.ends.pop(at)
    have.dead_letters[*late[:4], 2, late[5]] = have.dead_letters.pop(late)
    aligned(have, [SPAN])
    assert of(want, have).status == PASS
    have.ends[0, 32, 1] = frozenset({"scored"})
    aligned(have, [SPAN])
    only(of(want, have), extra=1)
