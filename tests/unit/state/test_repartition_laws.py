"""The laws behind a re-key hop: several partitions feed one key, in any order, with faults.

A fragment fans out to buckets; each bucket's share is delivered, failed, killed, left for later
(a straggler of an older try) as drawn. Each key learns each of its events once, and the ledger has
one word on each offset.
"""

import json
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed, Share, decoder, to_fragment, to_values
from stormwatch.errors import FatalError, InfrastructureError, Overtaken, StoreUnavailable
from stormwatch.ledger.reconcile import reconcile
from stormwatch.records import Fragment, LedgerRow
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.repartition import fan_out
from stormwatch.state.step import Outcome
from stormwatch.state.write_timestamps import outcome_stamp
from tests.models.steps import POLICY, TOPIC, Crash, Fault, FaultyPorts, Process, table
from tests.models.toy import Ping, Sums, Toy

BUCKETS, TASKS = 3, 2
ROOMY = POLICY._replace(max_ids=64)
"""No id is given up: which would depends on the order of the partitions."""


class Post(msgspec.Struct, frozen=True, array_like=True):
    id: str
    names: tuple[str, ...]
    time: int
    value: int

    @property
    def entity(self) -> str:
        return "author"


def split(post: Post) -> list[Ping]:
    if post.value == 99:
        raise ValueError("99 cannot be split")
    return [Ping(post.id, name, post.time, post.value) for name in post.names]


@dataclass
class Doubtful(FaultyPorts):
    """A state write may not be confirmed now, or its process die of it, and land later."""

    late: list[tuple[str, list]] = field(default_factory=list)

    def write_states(self, domain, rows):
        if self.fault and self.fault.point == "limbo" and self.fault.strike("limbo"):
            self.late.append((domain, rows))
            raise self.fault.error(StoreUnavailable)
        super().write_states(domain, rows)


def deliver(process: Process, fragment: Fragment, share: Parsed) -> None:
    """One share at the bolt that scores and stores, over the wire form."""
    values = to_values(fragment, share, share.share.bucket)
    assert values[0] == share.share.bucket
    parsed = decoder(Parsed[Ping])(values[-1])
    outcome = Outcome.FAILED
    try:
        outcomes = process.score.work(to_fragment(values), parsed)
        process.store.work_all([(fragment, outcomes)])
        outcome = Outcome.DONE
    finally:
        process.score.finish(fragment, outcome)


def play(logs, draw_turns, faults, cache_bytes=1 << 20):
    """All partitions' logs to their ends. `draw_turns`: (partition, batch size, leave a share).

    A write under way may land after its process died and the next one read the key.
    """
    outside = Doubtful(MemoryStore())
    processes = [Process(outside, False, cache_bytes, ROOMY) for _ in range(TASKS)]
    position, tried = [0] * len(logs), [(-1, 0)] * len(logs)  # as stormwatch.ingest.partition
    stragglers, faults, turns = [], iter(faults), iter(draw_turns)
    while any(at < len(log) for at, log in zip(position, logs, strict=True)):
        partition, size, leave = next(turns, (0, 5, False))
        partition = next(
            p % len(logs)
            for p in range(partition, partition + len(logs))
            if position[p % len(logs)] < len(logs[p % len(logs)])
        )
        first, log = position[partition], logs[partition]
        batch = list(enumerate(log))[first : first + size]
        attempt = tried[partition][1] if first <= tried[partition][0] else 0
        fragment = Fragment(TOPIC, partition, 33, first, batch[-1][0], 1, attempt)
        out = fan_out(
            fragment, Parsed([(o, 1000 + o, e) for o, e in batch], [], []), split,
            buckets=BUCKETS, accounted=False, to_wire=msgspec.json.encode,
            component="rekey", now=0,
        )  # fmt: skip
        if out.aside is not None:
            stamp = outcome_stamp(fragment)
            outside.store.write_aside("toy", out.aside.rows, out.aside.ledger, stamp)
        done = True
        for nth, share in enumerate(out.shares):
            task = share.share.bucket % TASKS
            outside.fault = next(faults, None)
            try:
                deliver(processes[task], fragment, share)
            except InfrastructureError:
                done = False
            except Crash:
                processes[task], done = Process(outside, False, cache_bytes, ROOMY), False
            if leave and not done:  # the next is still on its way when the spout tries again
                stragglers += [(fragment, late) for late in out.shares[nth + 1 : nth + 2]]
                break
        if outside.late and leave:
            outside.store.write_states(*outside.late.pop(0))
        if done:
            position[partition] = batch[-1][0] + 1
            if stragglers:
                outside.fault = None
                old, share = stragglers.pop()
                with suppress(Overtaken):
                    deliver(processes[share.share.bucket % TASKS], old, share)
        else:
            tried[partition] = (max(batch[-1][0], tried[partition][0]), attempt + 1)
    while outside.late:
        outside.store.write_states(*outside.late.pop())
    return outside


def proof(outside, logs):
    """Every partition's ledger."""
    return [
        reconcile(p, outside.store.ledger(TOPIC, p, 33, 0, 99), 0, len(log), len(log))
        for p, log in enumerate(logs)
    ]


def bodies(outside):
    codec = EnvelopeCodec(Sums)
    states = {key[-1]: row["state"] for key, row in table(outside, "states").items()}
    return {name: codec.decode(blob, name) for name, blob in states.items()}


NAMES = st.lists(st.sampled_from(["ann", "bob", "cy", "di"]), max_size=3, unique=True).map(tuple)


def logs_of(times, values, ids):
    post = st.builds(Post, id=ids, names=NAMES, time=times, value=values)
    return st.lists(st.lists(post, min_size=1, max_size=12), min_size=1, max_size=3)


def renamed(logs):
    """Ids of their own for all."""
    return [
        [msgspec.structs.replace(post, id=f"{p}/{o}") for o, post in enumerate(log)]
        for p, log in enumerate(logs)
    ]


good = logs_of(st.just(1000), st.sampled_from([1, 2, 50]), st.just("")).map(renamed)
bad = logs_of(
    st.integers(0, 60).map(lambda s: s * 1000), st.sampled_from([1, 1, 50, 66, 77, 99]),
    st.integers(0, 9).map(str),
)  # fmt: skip
turns = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6), st.booleans()), max_size=40)
fault = st.builds(
    Fault,
    point=st.sampled_from(["load", "decisions", "flush", "states"]),
    rows=st.integers(0, 4),
    crash=st.booleans(),
)
limbo = st.builds(Fault, point=st.just("limbo"), rows=st.just(0), crash=st.booleans())
faults = st.lists(st.one_of(st.none(), fault, limbo), max_size=40)


@settings(max_examples=200, deadline=None)
@given(good, turns, faults, st.sampled_from([1 << 20, 500]))
def test_each_key_learns_each_of_its_events_once_whatever_happens(logs, turns, faults, cache_bytes):
    outside = play(logs, turns, faults, cache_bytes)
    for ledger, log in zip(proof(outside, logs), logs, strict=True):
        keyless = sum(not post.names for post in log)
        assert ledger.states == {
            state: n for state, n in (("scored", len(log) - keyless), ("rejected", keyless)) if n
        }
        assert not ledger.unaccounted and not ledger.conflicting
    named = [(name, post.id) for log in logs for post in log for name in post.names]
    assert sorted((k[3], k[5]) for k in table(outside, "decisions")) == sorted(named)
    for name, envelope in bodies(outside).items():
        assert envelope.body.count == sum(one == name for one, _ in named)
        marks = {
            p: max(o for o, post in enumerate(log) if name in post.names)
            for p, log in enumerate(logs)
            if any(name in post.names for post in log)
        }
        assert {p: offset for p, _, offset in envelope.marks} == marks


@settings(max_examples=200, deadline=None)
@given(bad, turns, faults)
def test_every_offset_has_one_end_state_also_of_what_is_late_twice_or_broken(logs, turns, faults):
    for ledger in proof(play(logs, turns, faults), logs):
        assert ledger.unaccounted == ledger.conflicting == 0
        assert sum(ledger.states.values()) == ledger.end


@settings(max_examples=200, deadline=None)
@given(bad.map(lambda logs: logs[:1]), turns, faults)
def test_of_one_partition_the_tables_are_the_same_however_it_is_cut(logs, turns, faults):
    whole, cut = play(logs, [(0, 99, False)], ()), play(logs, turns, faults)
    assert table(cut, "decisions") == table(whole, "decisions")
    assert proof(cut, logs) == proof(whole, logs)
    learned = {name: (e.body, e.marks, e.ids) for name, e in bodies(whole).items()}
    assert {name: (e.body, e.marks, e.ids) for name, e in bodies(cut).items()} == learned


def share_of(posts, **options):
    fragment = Fragment(TOPIC, 4, 33, 0, 9, 1, 0)
    asked = {"buckets": 1, "accounted": False, "to_wire": msgspec.json.encode,
             "component": "rekey", "now": 0} | options  # fmt: skip
    rows = [(o, 1000, post) for o, post in enumerate(posts)]
    return fan_out(fragment, Parsed(rows, [8], [9]), split, **asked)


def test_the_hop_accounts_for_what_names_no_key_and_for_absent_offsets():
    out = share_of([Post("a", ("ann", "bob"), 1, 1), Post("b", (), 1, 1), Post("c", (), 1, 99)])
    assert out.shares[0].share == Share(0, [1])
    assert [(row.offset, row.state, row.code) for row in out.aside.rows] == [
        (1, "rejected", "no_key"), (2, "dead_lettered", "ValueError"),
    ]  # fmt: skip
    assert out.aside.ledger.part == "rekey"
    assert set(out.aside.ledger.bitmaps) == {"absent", "rejected", "dead_lettered"}


def test_what_an_earlier_bolt_accounted_for_gets_no_second_word():
    out = share_of([Post("a", ("ann", "bob"), 1, 1), Post("b", (), 1, 1)], accounted=True)
    assert out.shares[0].share == Share(0, [0, 1])
    assert out.aside is None


def test_a_key_sees_an_offset_once():
    out = share_of([Post("a", ("ann", "ann"), 1, 1)])
    assert not out.shares
    assert out.aside.rows[0].state == "dead_lettered" and "once" in out.aside.rows[0].reason


def test_two_keys_of_one_bucket_do_not_speak_twice_of_an_offset():
    process = Process(outside := FaultyPorts(MemoryStore()), False, policy=ROOMY)
    [share] = share_of([Post("a", ("ann", "bob"), 1, 1)]).shares
    fragment = Fragment(TOPIC, 0, 33, 0, 0, 1, 0)
    deliver(process, fragment, share)
    [row] = outside.store.ledger(TOPIC, 0, 33, 0, 9)
    assert (row.part, row.bitmaps) == ("score/0", {"scored": b"\x01"})
    assert len(table(outside, "decisions")) == 2


def test_a_write_that_lands_late_does_not_undo_another_partitions():
    outside = Doubtful(MemoryStore(), fault=Fault("limbo", 0, False))
    process = Process(outside, False, policy=ROOMY)
    [many] = share_of([Post(str(i), ("ann",), 1, 1) for i in range(6)]).shares
    [one] = share_of([Post("x", ("ann",), 1, 1)]).shares
    slow, quick = Fragment(TOPIC, 0, 33, 0, 5, 1, 0), Fragment(TOPIC, 1, 33, 0, 0, 1, 0)
    with pytest.raises(StoreUnavailable):
        deliver(process, slow, many)
    deliver(process, quick, one)
    outside.store.write_states(*outside.late.pop())
    restarted = Process(outside, False, policy=ROOMY)
    deliver(restarted, msgspec.structs.replace(slow, attempt=1), many)
    assert bodies(outside)["ann"].body.count == 7


@pytest.mark.parametrize("before", [0, 1])
def test_a_write_of_a_process_that_died_does_not_undo_the_next_ones(before):
    outside = Doubtful(MemoryStore())
    for post in share_of([Post("y", ("ann",), 1, 1)] * before).shares:
        deliver(Process(outside, False, policy=ROOMY), Fragment(TOPIC, 2, 33, 0, 0, 1, 0), post)
    outside.fault = Fault("limbo", 0, False)
    [many] = share_of([Post(str(i), ("ann",), 1, 1) for i in range(6)]).shares
    [one] = share_of([Post("x", ("ann",), 1, 1)]).shares
    slow, quick = Fragment(TOPIC, 0, 33, 0, 5, 1, 0), Fragment(TOPIC, 1, 33, 0, 0, 1, 0)
    with pytest.raises(StoreUnavailable):
        deliver(Process(outside, False, policy=ROOMY), slow, many)
    successor = Process(outside, False, policy=ROOMY)
    deliver(successor, quick, one)
    outside.store.write_states(*outside.late.pop())
    assert bodies(outside)["ann"].body.count == before + 1
    deliver(successor, msgspec.structs.replace(slow, attempt=1), many)
    assert bodies(outside)["ann"].body.count == before + 7


def test_of_an_offset_only_the_key_that_raises_is_set_aside(monkeypatch):
    advance = Toy.advance

    def touchy(self, state, event):
        if event.name == "bob":
            raise ValueError("not bob")
        return advance(self, state, event)

    monkeypatch.setattr(Toy, "advance", touchy)
    process = Process(outside := FaultyPorts(MemoryStore()), False, policy=ROOMY)
    [share] = share_of([Post("a", ("ann", "bob"), 1, 1), Post("b", ("bob", "ann"), 1, 1)]).shares
    deliver(process, Fragment(TOPIC, 0, 33, 0, 1, 1, 0), share)
    [row] = outside.store.ledger(TOPIC, 0, 33, 0, 9)
    assert row.bitmaps == {"scored": b"\x01", "dead_lettered": b"\x02"}
    assert bodies(outside)["ann"].body.count == 2


def test_score_refuses_to_hand_on_a_share():
    process = Process(FaultyPorts(MemoryStore()), True)
    fragment = Fragment(TOPIC, 0, 33, 0, 0, 1, 0)
    process.score.work(fragment, share_of([Post("a", ("ann",), 1, 1)]).shares[0])
    with pytest.raises(FatalError, match="one bolt"):
        process.score.finish(fragment, Outcome.HANDED_ON)


def row(first, last, state, attempt, part="score/1", generation=1):
    bits = bytes([(1 << (last - first + 1)) - 1])
    return LedgerRow(
        Fragment(TOPIC, 0, 33, first, last, generation, attempt), part, {state: bits}, 0
    )


def test_the_ledger_goes_by_the_last_try_of_a_shared_offset_and_by_all_other_words():
    rows = [row(0, 3, "scored", 0), row(0, 1, "late", 1), row(1, 2, "scored", 0, generation=2)]
    rows.append(row(3, 3, "rejected", 0, part="reject"))
    found = reconcile(0, rows, 0, 4, 4)
    assert found.states == {"scored": 3, "rejected": 1, "late": 1}
    assert [(r.first, r.last) for r in found.conflicting_ranges] == [(3, 3)]


def test_a_try_that_comes_after_its_successor_is_not_worked_on():
    """It would commit what it decides, beside the decision that its successor has left."""
    process = Process(outside := FaultyPorts(MemoryStore()), False, policy=ROOMY)
    [share] = share_of([Post("a", ("ann",), 1, 1)]).shares
    [other] = share_of([Post("b", ("ann",), 1, 1)]).shares
    first = Fragment(TOPIC, 0, 33, 0, 0, 1, 0)
    outside.fault = Fault("states", 0, False)
    with pytest.raises(StoreUnavailable):
        deliver(process, msgspec.structs.replace(first, attempt=1), share)
    deliver(process, Fragment(TOPIC, 1, 33, 0, 0, 1, 0), other)
    with pytest.raises(Overtaken, match="were tried again before this try came"):
        deliver(process, first, share)
    deliver(process, msgspec.structs.replace(first, attempt=2), share)
    assert bodies(outside)["ann"].body.count == 2
    rows = {key[-1]: json.loads(row["body"]) for key, row in table(outside, "decisions").items()}
    assert [rows[name]["features"][0] for name in ("b", "a")] == [0.0, 1.0]


def test_what_a_replay_finds_decided_outlasts_a_later_stamped_write_under_way():
    outside = Doubtful(MemoryStore())
    process = Process(outside, False, policy=ROOMY)
    [share] = share_of([Post("x", ("ann",), 1, 1)]).shares
    tries = [Fragment(TOPIC, p, 33, 0, 0, 1, 0) for p in (0, 1)]
    for fragment in tries:
        outside.fault = Fault("limbo", 0, False)
        with pytest.raises(StoreUnavailable):
            deliver(process, fragment, share)
    for fragment in tries:  # the second was decided before the first had landed
        outside.store.write_states(*outside.late.pop(0))
        deliver(process, msgspec.structs.replace(fragment, attempt=1), share)
    assert bodies(outside)["ann"].marks == [(0, 33, 0), (1, 33, 0)]
