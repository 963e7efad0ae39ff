"""Batches of several partitions that are committed together: the tables are as one by one."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bolts.base import Work, groups
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.errors import InfrastructureError
from stormwatch.records import Fragment
from stormwatch.state.step import Outcome
from tests.models.steps import (
    TOPIC,
    Crash,
    FaultyPorts,
    Process,
    events,
    faults,
    tables,
)

EPOCH = 33
PARTITIONS = 3
logs = st.lists(st.lists(events, max_size=12), min_size=PARTITIONS, max_size=PARTITIONS)
sizes = st.lists(st.integers(1, 5), max_size=40)


def take_together(process: Process, batches) -> None:
    """What a bolt does with a group."""
    fragments = [fragment for fragment, _ in batches]
    outcome = Outcome.FAILED
    try:
        payloads = [Parsed([(o, 1000 + o, e) for o, e in batch], [], []) for _, batch in batches]
        outcomes = process.score.work_all(list(zip(fragments, payloads, strict=True)))
        process.store.work_all(list(zip(fragments, outcomes, strict=True)))
        outcome = Outcome.DONE
    finally:
        for fragment in fragments:
            process.score.finish(fragment, outcome)


def play(logs, sizes, faults, together: bool):
    """Each round has a batch of every partition that has records left."""
    outside = FaultyPorts(MemoryStore())
    process, generation = Process(outside, False), 1
    at, attempts = [0] * PARTITIONS, [0] * PARTITIONS
    cuts, planted = iter(sizes), iter(faults)
    while any(at[p] < len(logs[p]) for p in range(PARTITIONS)):
        batches = []
        for p, log in enumerate(logs):
            batch = list(enumerate(log))[at[p] : at[p] + next(cuts, 3)]
            if batch:
                first, last = batch[0][0], batch[-1][0]
                fragment = Fragment(TOPIC, p, EPOCH, first, last, generation, attempts[p])
                batches.append((fragment, batch))
        outside.fault = next(planted, None)
        for group in [batches] if together else [[each] for each in batches]:
            try:
                take_together(process, group)
            except InfrastructureError:
                for fragment, _ in group:
                    attempts[fragment.partition] += 1
            except Crash:
                process, generation = Process(outside, False), generation + 1
                attempts = [0] * PARTITIONS
                break
            else:
                for fragment, _ in group:
                    at[fragment.partition] = fragment.last + 1
                    attempts[fragment.partition] = 0
    return outside


def ledger(outside):
    return {
        p: sorted(
            (row.fragment.first, row.fragment.last, sorted(row.bitmaps.items()))
            for row in outside.store.ledger(TOPIC, p, EPOCH, 0, 1 << 20)
        )
        for p in range(PARTITIONS)
    }


@given(logs, sizes)
def test_a_group_writes_what_its_batches_write_alone_in_their_order(logs, sizes) -> None:
    """Entities that stray over the partitions of one group included."""
    together, alone = play(logs, sizes, (), True), play(logs, sizes, (), False)
    assert tables(together) == tables(alone)
    assert ledger(together) == ledger(alone)
    assert sorted(together.published) == sorted(alone.published)


@settings(max_examples=200)
@given(logs, sizes, faults)
def test_a_fault_in_a_group_changes_nothing(logs, sizes, faults) -> None:
    """Each entity in its partition: then the order of partitions is no matter."""
    logs = [[replace(e, name=f"{p}{e.name}") for e in log] for p, log in enumerate(logs)]
    assert tables(play(logs, sizes, faults, True)) == tables(play(logs, (), (), False))


works = st.lists(
    st.builds(
        lambda p, attempt: Work(Fragment("t", p, 1, 0, 0, 1, attempt), None, None),
        st.integers(0, 3), st.sampled_from([0, 0, 0, 2]),
    ),
    max_size=12,
)  # fmt: skip


@given(works)
def test_no_partition_is_twice_in_a_group_and_the_order_stays(works) -> None:
    made = groups(works)
    assert [work for group in made for work in group] == works
    for group in made:
        places = [work.fragment.partition for work in group]
        assert len(set(places)) == len(places) > 0
        assert len(group) == 1 or not any(work.fragment.attempt for work in group)
    for before, after in pairwise(made):
        met = {work.fragment.partition for work in before}
        again = before[0].fragment.attempt or after[0].fragment.attempt
        assert again or after[0].fragment.partition in met
