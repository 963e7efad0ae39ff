"""Spout, bolts, caches and store as one state machine, with everything going wrong that can."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.machine.cassandra import Fate
from tests.machine.process import Process
from tests.machine.world import ENOUGH, World
from tests.toy import Ping

KEYS = 2
"""Of each partition: a key lives in one partition, or its order is nobody's promise."""

one_of_many = st.integers(0, 63)
calls = st.sampled_from([1, 1, 2, 3, ENOUGH])
troubles = st.one_of(
    st.just(()), st.lists(st.sampled_from(Fate), min_size=1, max_size=3).map(tuple)
)
values = st.sampled_from([1, 1, 2, 50, 66, 77, 200])
records = st.tuples(st.integers(0, KEYS - 1), st.integers(0, 9), st.integers(0, 40), values)
REPEAT, CHANGE, BREAK = 0, 1, 2  # drawn as an id: once more, with another value, no event at all


def one(some: Iterable[Process], which: int) -> Process:
    """Any of them."""
    these = list(some)
    return these[which % len(these)]


class Machine(RuleBasedStateMachine):
    """Rules are what may happen; what must hold is asserted by `World`."""

    @initialize(
        partitions=st.integers(1, 3), spread=st.booleans(), cache=st.sampled_from([1 << 20, 500])
    )
    def start(self, partitions: int, spread: bool, cache: int) -> None:
        self.world = World(partitions, spread, cache)
        self.last: dict[str, Ping] = {}
        self.made = 0

    @precondition(lambda self: self.world.broker.is_up)
    @rule(where=one_of_many, some=st.lists(records, min_size=1, max_size=8))
    def produce(self, where: int, some: list[tuple[int, int, int, int]]) -> None:
        partition = where % self.world.partitions
        for key, ident, second, value in some:
            name = f"{partition}-{key}"
            self.made += 1
            ping = Ping(str(self.made), name, 1000 * second, value)
            last = self.last.get(name)
            if ident == REPEAT and last:
                ping = last
            elif ident == CHANGE and last:
                ping = msgspec.structs.replace(last, value=last.value + 1)
            self.last[name] = ping
            wire = b"{" if ident == BREAK else msgspec.json.encode(ping)
            self.world.produce(partition, name.encode(), wire)

    @precondition(lambda self: self.world.broker.is_up)
    @rule(where=one_of_many, offsets=st.integers(1, 3))
    def leave_gap(self, where: int, offsets: int) -> None:
        self.world.leave_gap(where % self.world.partitions, offsets)

    @rule(rounds=st.integers(1, 6))
    def flow(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.flow()

    @rule(seconds=st.sampled_from([0.02, 1.1, 11.0]))
    def spout(self, seconds: float) -> None:
        self.world.spout(seconds)

    @precondition(lambda self: self.world.wire)
    @rule(which=one_of_many, calls=calls, trouble=troubles)
    def deliver(self, which: int, calls: int, trouble: tuple[Fate, ...]) -> None:
        world = self.world
        process = world.process_of(world.wire[which % len(world.wire)])
        world.deliver(which % len(world.wire))
        world.work(process, calls, trouble)

    @precondition(lambda self: self.world.processes)
    @rule(which=one_of_many, calls=calls, trouble=troubles)
    def work(self, which: int, calls: int, trouble: tuple[Fate, ...]) -> None:
        self.world.work(one(self.world.processes.values(), which), calls, trouble)

    @precondition(lambda self: self.world.zombies)
    @rule(which=one_of_many, calls=calls, trouble=troubles)
    def zombie(self, which: int, calls: int, trouble: tuple[Fate, ...]) -> None:
        self.world.work(one(self.world.zombies, which), calls, trouble)

    @precondition(lambda self: self.world.store.under_way)
    @rule(which=one_of_many)
    def delayed_write_lands(self, which: int) -> None:
        self.world.store.land(which % len(self.world.store.under_way))

    @precondition(lambda self: self.world.answers)
    @rule(which=one_of_many)
    def answer_is_heard(self, which: int) -> None:
        self.world.hear(which % len(self.world.answers))

    @precondition(lambda self: self.world.answers)
    @rule(which=one_of_many)
    def answer_is_lost(self, which: int) -> None:
        self.world.answers.pop(which % len(self.world.answers))

    @precondition(lambda self: self.world.wire)
    @rule(which=one_of_many)
    def tuple_is_lost(self, which: int) -> None:
        self.world.wire.pop(which % len(self.world.wire))

    @precondition(lambda self: self.world.trees)
    @rule(which=one_of_many)
    def time_out(self, which: int) -> None:
        self.world.time_out(which % len(self.world.trees))

    @precondition(lambda self: self.world.trees)
    @rule()
    def storm_is_silent(self) -> None:
        self.world.spout(181.0)

    @precondition(lambda self: self.world.processes)
    @rule(which=one_of_many, zombie=st.booleans())
    def crash_bolt(self, which: int, zombie: bool) -> None:
        self.world.crash_bolt(one(self.world.processes.values(), which), zombie)

    @precondition(lambda self: self.world.trees or self.world.answers)
    @rule()
    def crash_spout(self) -> None:
        self.world.crash_spout()

    @precondition(lambda self: self.world.trees or self.world.answers)
    @rule(orderly=st.booleans())
    def restart(self, orderly: bool) -> None:
        self.world.restart(orderly)

    @precondition(lambda self: self.world.processes)
    @rule(which=one_of_many, key=st.integers(0, KEYS - 1), where=one_of_many)
    def evict(self, which: int, key: int, where: int) -> None:
        process = one(self.world.processes.values(), which)
        process.cache.drop(f"{where % self.world.partitions}-{key}")

    @precondition(lambda self: self.world.partitions < 5 and self.world.broker.is_up)
    @rule()
    def add_partition(self) -> None:
        self.world.add_partition()

    @rule()
    def kafka_goes_or_comes(self) -> None:
        (self.world.broker.down if self.world.broker.is_up else self.world.broker.up)()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_whatever_happens_the_tables_are_the_oracles() -> None:
    run(250, 50)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whatever_happens_at_length() -> None:
    run(6_000, 80)
