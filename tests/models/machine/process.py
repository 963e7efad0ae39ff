"""A bolt's process that stops between any two of its calls to the outside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stormwatch.codec import Asides, Parsed, decoder
from stormwatch.dead_letters.rows import message as letter_of
from stormwatch.errors import InfrastructureError
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment, Outcomes
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from stormwatch.state.write_timestamps import outcome_stamp
from tests.models.machine.oracle import STRIPES
from tests.models.toy import Ping

if TYPE_CHECKING:
    from tests.models.machine.world import World

ALERTS, LETTERS = "alerts", "dead-letters"
DECIDE, STORE, REJECT = "decide", "store", "reject"

_parsed = decoder(Parsed[Ping])


@dataclass
class Message:
    """A tuple on its way to a component, of the tree of `tup_id`."""

    to: str
    fragment: Fragment
    payload: Any
    tup_id: str

    @property
    def empty(self) -> bool:
        """Whether it is of no record: a start notice, a first batch after an unclean stop."""
        return self.fragment.last < self.fragment.first


class Asleep(BaseException):
    """The process stopped between two calls."""


class Calls:
    """Store and sink for one piece of work, of which the process makes so many calls, then stops.

    To go on is to begin anew and to be answered from memory up to where it stopped.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._allowed = self._turn = 0
        self._given: list[Any] = []
        self._queue: list[tuple[str, bytes]] = []

    def run(self, work: Callable[[], object], more: int) -> bool:
        """`more` calls of the work; whether it is done."""
        self._allowed = len(self._given) + more
        self._turn = 0
        self._queue.clear()
        try:
            work()
        except Asleep:
            return False
        return True

    def load_states(self, *args: Any) -> Any:
        return self._world.store.load_states(*args)

    def next_term(self, *args: Any) -> Any:
        return self._world.store.next_term(*args)

    def write_outcomes(self, *args: Any) -> Any:
        return self._call(lambda: self._world.store.write_outcomes(*args))

    def write_states(self, *args: Any) -> Any:
        return self._call(lambda: self._world.store.write_states(*args))

    def write_aside(self, *args: Any) -> Any:
        return self._call(lambda: self._world.store.write_aside(*args))

    def find_decisions(self, *args: Any) -> Any:
        return self._call(lambda: self._world.store.find_decisions(*args))

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._queue.append((topic, value or b""))

    def flush(self, timeout: float) -> None:
        sent, self._queue = self._queue, []
        self._call(lambda: self._world.publish(sent))

    def close(self) -> None:
        """Nothing to leave."""

    def _call(self, call: Callable[[], Any]) -> Any:
        self._turn += 1
        if self._turn > len(self._given):
            if self._turn > self._allowed:
                raise Asleep
            self._given.append(call())
        return self._given[self._turn - 1]


class Process:
    """Score and store in one bolt, or spread over two, or reject. `heard`: no zombie."""

    def __init__(self, world: "World", cache_bytes: int) -> None:
        self._world = world
        self.cache = StateCache(cache_bytes)
        self.at: list[Message] = []
        self.waiting: list[Message] = []
        self.heard = True
        self._calls = Calls(world)
        self._outcomes: list[Outcomes] = []
        self._score = ScoreStep(
            lambda: world.oracle.contract, self.cache, lambda name: stripe_of(name, STRIPES),
            lambda: self._calls, lambda: 0,
        )  # fmt: skip
        self._store = StoreStep(
            lambda: self._calls, lambda: self._calls, Topics(ALERTS, LETTERS),
            1.0, lambda _: None,
        )  # fmt: skip

    def begin(self) -> None:
        """Take up what waits, in a group where that may be; what is to be scored is decided now."""
        self.at, self._calls = self._group(), Calls(self._world)
        if self.at[0].to == STORE:
            self._outcomes = [message.payload for message in self.at]
        elif self.at[0].to == DECIDE:
            with self._failing():
                self._outcomes = self._score.work_all(
                    [(message.fragment, _parsed(message.payload)) for message in self.at]
                )
                if self._world.spread:
                    self._finish(Outcome.HANDED_ON)
                    for message, outcomes in zip(self.at, self._outcomes, strict=True):
                        if self.heard:
                            self._world.emit(STORE, message, outcomes)
                    self._end(True)

    def go_on(self, calls: int) -> None:
        """So many calls to the outside; then asleep, or done with what is in work."""
        if not self.at:
            return
        with self._failing():
            if self._calls.run(self._work, calls):
                self._finish(Outcome.DONE)
                self._end(True)

    def _group(self) -> list[Message]:
        """As `bolts.base.groups`: what waits, one batch of a partition. Reject takes one by one."""
        group = [self.waiting.pop(0)]
        met = {group[0].fragment.partition}
        while self.waiting and group[0].to != REJECT:
            if self.waiting[0].fragment.partition in met:
                break
            group.append(self.waiting.pop(0))
            met.add(group[-1].fragment.partition)
        return group

    def _work(self) -> None:
        if self.at[0].to == REJECT:
            self._reject(self.at[0].fragment, self.at[0].payload)
        else:
            fragments = [message.fragment for message in self.at]
            self._store.work_all(list(zip(fragments, self._outcomes, strict=True)))

    def _reject(self, fragment: Fragment, aside: Asides) -> None:
        self._calls.write_aside("toy", aside.rows, aside.ledger, outcome_stamp(fragment))
        for row in aside.rows:
            self._calls.send(LETTERS, row.key, letter_of(fragment, row))
        self._calls.flush(1.0)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except InfrastructureError:
            self._finish(Outcome.FAILED)
            self._end(False)

    def _finish(self, outcome: Outcome) -> None:
        if self.at[0].to == DECIDE:
            for message in self.at:
                self._score.finish(message.fragment, outcome)

    def _end(self, acked: bool) -> None:
        ended, self.at = self.at, []
        for message in ended if self.heard else ():
            self._world.answer(message.tup_id, acked)
