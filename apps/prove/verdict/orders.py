"""One key behind a re-key hop: is there an order of the partitions that gives what is stored? Pure.

A key's events of one partition come in offset order; between partitions there is none. So what is
stored is right if, from the empty state on, the partitions' next events can be taken in some order
such that the pure core decides each of them exactly as it is stored, and ends in the stored state.
The search is depth first, without end states met before, and bounded in tries.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from stormwatch.records import Outcomes

Positions = tuple[int, ...]


class Step(NamedTuple):
    """An event of one key at one offset."""

    partition: int
    epoch: int
    offset: int
    timestamp: int
    event: Any
    accounts: bool
    """Whether the offset's end state is this event's."""

    @property
    def place(self) -> tuple[int, int, int]:
        """Partition, epoch and offset."""
        return self.partition, self.epoch, self.offset


class Ways(NamedTuple):
    """What the search asks of the key that it is for."""

    decide: Callable[[Step, bytes], Outcomes]  # of one event, from a state's blob
    misfit: Callable[[Step, Outcomes], str]  # how that differs from what is stored; "" not at all
    same_state: Callable[[bytes], bool]  # whether the stored state is this one
    known: Callable[[bytes], object]  # of a state what later decisions depend on, hashable


class Way(NamedTuple):
    """The order found, or how far it went."""

    order: list[tuple[Step, Outcomes]]
    whole: bool  # every event is in it
    state: bool  # and the stored state comes out
    wrong: list[Step]  # taken whatever is stored of them
    stuck: list[tuple[Step, str]]  # where it does not go on: each partition's next, and why not
    ahead: list[Step]  # later events of a partition that would fit there
    given_up: bool  # for its tries


class _Frame(NamedTuple):
    positions: Positions
    blob: bytes
    choices: Iterator[tuple[int, Outcomes, bytes]]


TRIES = 20
"""An event may be tried so often, on average, before the search gives up."""
_AHEAD = 5
_WRONG = 3
"""So many events of a key are taken as wrong at most, to see whether all the others fit."""


def find(lanes: Sequence[Sequence[Step]], ways: Ways) -> Way:
    """An order of the partitions' events (`lanes`).

    Where there is none, it is looked whether there is one but for a few events: the `wrong` ones.
    """
    taken: list[Step] = []
    found = _Search(lanes, ways, taken).run()
    while not found.whole and not found.given_up and len(taken) < _WRONG:
        tried = [
            (_Search(lanes, ways, [*taken, step]).run(), step) for step, _ in found.stuck
        ]  # fmt: skip
        if not tried:
            break
        best, step = max(tried, key=lambda one: (one[0].state, one[0].whole, len(one[0].order)))
        if len(best.order) <= len(found.order) + 1 and not best.whole:
            break  # it was not this event
        taken.append(step)
        found = best._replace(ahead=[*found.ahead, *best.ahead])
    return found._replace(wrong=taken)


class _Search:
    def __init__(self, lanes: Sequence[Sequence[Step]], ways: Ways, wrong: Sequence[Step]) -> None:
        self._lanes, self._ways = lanes, ways
        self._wrong = {step.place for step in wrong}
        self._left = TRIES * (sum(map(len, lanes)) + 25)

    def run(self) -> Way:
        end = tuple(map(len, self._lanes))
        dead: set[tuple[Positions, object]] = set()
        path: list[tuple[Step, Outcomes]] = []
        stack = [self._frame((0,) * len(end), b"", 0)]
        deepest, deepest_at = list(path), stack[0]
        whole: list[tuple[Step, Outcomes]] | None = None
        while stack and self._left > 0:
            frame = stack[-1]
            if frame.positions == end:
                if self._ways.same_state(frame.blob):
                    return Way(path, True, True, [], [], [], False)
                whole = whole or list(path)
            choice = next(frame.choices, None)
            if choice is None:
                if len(path) > len(deepest):
                    deepest, deepest_at = list(path), frame
                dead.add((frame.positions, self._ways.known(frame.blob)))
                stack.pop()
                if path:
                    path.pop()
                continue
            lane, outcomes, blob = choice
            positions = tuple(at + (n == lane) for n, at in enumerate(frame.positions))
            if dead and (positions, self._ways.known(blob)) in dead:
                continue
            path.append((self._lanes[lane][frame.positions[lane]], outcomes))
            stack.append(self._frame(positions, blob, lane))
        if whole is not None:
            return Way(whole, True, False, [], [], [], False)
        if stack:
            return Way(list(path), False, False, [], [], [], True)
        return Way(deepest, False, False, [], *self._stuck(deepest_at), False)

    def _frame(self, positions: Positions, blob: bytes, last: int) -> _Frame:
        return _Frame(positions, blob, self._choices(positions, blob, last))

    def _choices(
        self, positions: Positions, blob: bytes, last: int
    ) -> Iterator[tuple[int, Outcomes, bytes]]:
        """Partitions whose next event fits, the last one first; then what is wrong anyway."""
        wrong = []
        for lane in sorted(range(len(positions)), key=lambda lane: lane != last):
            if positions[lane] == len(self._lanes[lane]):
                continue
            step = self._lanes[lane][positions[lane]]
            outcomes, after = self._decide(step, blob)
            if step.place in self._wrong:
                wrong.append((lane, outcomes, after))
            elif not self._ways.misfit(step, outcomes):
                yield lane, outcomes, after
        yield from wrong

    def _decide(self, step: Step, blob: bytes) -> tuple[Outcomes, bytes]:
        self._left -= 1
        outcomes = self._ways.decide(step, blob)
        return outcomes, outcomes.states[0].blob if outcomes.states else blob

    def _stuck(self, frame: _Frame) -> tuple[list[tuple[Step, str]], list[Step]]:
        heads, ahead = [], []
        for lane, at in enumerate(frame.positions):
            for nth, step in enumerate(self._lanes[lane][at : at + 1 + _AHEAD]):
                outcomes, _ = self._decide(step, frame.blob)
                why = self._ways.misfit(step, outcomes)
                if nth == 0:
                    heads.append((step, why))
                elif not why and outcomes.decisions:
                    ahead.append(step)
        return heads, ahead
