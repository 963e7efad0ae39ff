"""Spout, bolts, caches and store as one state machine, with everything going wrong that can."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

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

from tests.models.machine.cassandra import Trouble, WriteResult
from tests.models.machine.process import Process
from tests.models.machine.world import ENOUGH, World
from tests.models.toy import Ping

KEYS = 2
"""Of each partition: a key lives in one partition, or its order is nobody's promise."""


class Death(Enum):
    """How a bolt's process ends."""

    DEAD = "dead"
    UNDEAD = "undead"  # a zombie: it works on, and nobody listens

    __repr__ = Enum.__str__


class End(Enum):
    """How a run ends; the next one begins with the same Kafka and Cassandra."""

    SPOUT = "the spout dies"
    ALL = "everything dies"
    ORDER = "everything is stopped"

    __repr__ = Enum.__str__


class Answer(Enum):
    """What becomes of an ack or fail on its way to the spout."""

    HEARD = "heard"
    LOST = "lost"
    LATER = "later"

    __repr__ = Enum.__str__


one_of_many = st.integers(0, 63)
calls = st.sampled_from([1, 2, 3, ENOUGH, ENOUGH, ENOUGH])
fates = st.lists(st.sampled_from(WriteResult), min_size=1, max_size=3).map(tuple)
troubles = st.one_of(st.none(), st.none(), st.builds(Trouble, st.integers(0, 2), fates))
deaths = st.sampled_from([None, None, None, None, Death.DEAD, Death.UNDEAD])
values = st.sampled_from([1, 1, 2, 50, 66, 77, 200])
records = st.tuples(st.integers(0, KEYS - 1), st.integers(0, 9), st.integers(0, 40), values)
logs = st.lists(records, max_size=6)
Drawn = tuple[int, int, int, int]  # key, id, second, value
Step = tuple[int, int, Trouble | None, Death | None]  # which, calls, …
REPEAT, CHANGE, BREAK = 0, 1, 2  # drawn as an id: once more, with another value, no event at all


def one(some: Iterable[Process], which: int) -> Process:
    """Any of them."""
    these = list(some)
    return these[which % len(these)]


def _turn(name: str) -> Any:
    """A rule: records come, the spout has a turn, bolts do steps at what is there, it hears."""

    def turn(
        self: "Machine", where: int, some: list[Drawn], seconds: float, steps: list[Step],
        answers: list[Answer],
    ) -> None:  # fmt: skip
        world = self.world
        if world.broker.is_up:
            self.produce(where % world.partitions, some)
        self.away -= 1
        if self.away == 0:
            world.broker.up()
        world.spout(seconds)
        for which, calls, trouble, death in steps:
            busy = [process for process in world.processes.values() if process.at]
            if world.wire:
                nth = which % len(world.wire)
                if world.wire[nth].empty and which % 4:  # most trouble is for records
                    world.deliver(nth, ENOUGH)
                    continue
                process = world.deliver(nth, calls, trouble, together=which % 2 == 0)
            elif busy:
                process = busy[which % len(busy)]
                world.work(process, calls, trouble)
            else:
                break
            if death is not None:
                world.crash_bolt(process, death is Death.UNDEAD)
        for answer in list(world.answers):
            fate = answers.pop() if answers else Answer.HEARD
            if fate is Answer.HEARD:
                world.hear(world.answers.index(answer))
            elif fate is Answer.LOST:
                world.answers.remove(answer)

    turn.__name__ = name
    return rule(
        where=one_of_many,
        some=logs,
        seconds=st.sampled_from([0.02, 1.1, 11.0, 11.0]),
        steps=st.lists(
            st.tuples(one_of_many, calls, troubles, deaths), min_size=2, max_size=6
        ),
        answers=st.lists(st.sampled_from(Answer), max_size=3),
    )(turn)  # fmt: skip


class Machine(RuleBasedStateMachine):
    """Rules are what may happen; what must hold is asserted by `World`."""

    @initialize(
        partitions=st.integers(1, 3), spread=st.booleans(), cache=st.sampled_from([1 << 20, 500]),
        some=logs, rounds=st.integers(0, 4),
    )  # fmt: skip
    def start(
        self, partitions: int, spread: bool, cache: int, some: list[Drawn], rounds: int
    ) -> None:
        self.world = World(partitions, spread, cache)
        self.last: dict[str, Ping] = {}
        self.made = self.away = 0
        for _ in range(rounds):
            self.world.flow()
        self.produce(0, some)

    def produce(self, partition: int, some: list[Drawn]) -> None:
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

    # Rules are drawn alike, and some are left out of an example: most of what happens is turns.
    turn, turn_2, turn_3, turn_4 = map(_turn, ("turn", "turn_2", "turn_3", "turn_4"))

    @precondition(lambda self: self.world.processes)
    @rule(which=one_of_many, calls=calls, trouble=troubles)
    def work(self, which: int, calls: int, trouble: Trouble | None) -> None:
        self.world.work(one(self.world.processes.values(), which), calls, trouble)

    @precondition(lambda self: self.world.zombies)
    @rule(which=one_of_many, calls=calls, trouble=troubles)
    def zombie(self, which: int, calls: int, trouble: Trouble | None) -> None:
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

    @precondition(lambda self: self.world.trees or self.world.answers)
    @rule(end=st.sampled_from(End))
    def stop(self, end: End) -> None:
        if end is End.SPOUT:
            self.world.crash_spout()
        else:
            self.world.restart(orderly=end is End.ORDER)

    @precondition(lambda self: self.world.processes)
    @rule(which=one_of_many, key=st.integers(0, KEYS - 1), where=one_of_many)
    def evict(self, which: int, key: int, where: int) -> None:
        process = one(self.world.processes.values(), which)
        process.cache.drop(f"{where % self.world.partitions}-{key}")

    @precondition(lambda self: self.world.partitions < 4 and self.world.broker.is_up)
    @rule()
    def add_partition(self) -> None:
        self.world.add_partition()

    @precondition(lambda self: self.world.broker.is_up and self.world.trees)
    @rule(turns=st.integers(1, 3))
    def kafka_is_away(self, turns: int) -> None:
        self.world.broker.down()
        self.away = turns

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.finish()


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_whatever_happens_the_tables_are_the_oracles() -> None:
    run(200, 50)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("turn", range(12))
def test_whatever_happens_at_length(turn: int) -> None:
    """In turns: hypothesis keeps all that it tried in memory, 4 GB of 6,000 examples at once."""
    run(500, 80)
