"""The windows of one key, taken record by record; the contract is the package's docstring."""

from bisect import insort
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from stormwatch.state.windows.aggregate import Aggregate
from stormwatch.state.windows.shapes import Session, Shape

A = TypeVar("A")
R = TypeVar("R")

_NEVER = -(1 << 62)


class WindowState(msgspec.Struct, Generic[A], array_like=True):
    """What a key keeps. Make it with `Windows.new_state`, declare it as e.g. `WindowState[int]`."""

    newest: int = _NEVER  # the watermark, ms
    open: list[tuple[int, int, A]] = msgspec.field(default_factory=list)  # end, start, accumulator


class WindowResult(NamedTuple, Generic[R]):
    """A window [start, end), ms, and its aggregate."""

    start: int
    end: int
    value: R


class Taken(NamedTuple, Generic[R]):
    """What one record did."""

    closed: list[WindowResult[R]]  # final, in order of end and start
    current: list[WindowResult[R]]  # open windows over the record's time, in that order too
    late: bool


class Windows(Generic[A, R]):
    """Windows of one shape over one aggregate. Holds nothing: the state is the caller's.

    Raises ValueError for lengths that make no windows, a negative lateness, and sessions over an
    aggregate without `merge`.
    """

    def __init__(
        self,
        shape: Shape,
        aggregate: Aggregate[A, R],
        *,
        lateness_ms: int = 0,
        itself: bool = True,
    ) -> None:
        shape.check()
        if lateness_ms < 0:
            raise ValueError(f"lateness_ms is {lateness_ms}; it cannot be negative")
        if isinstance(shape, Session) and aggregate.merge is None:
            raise ValueError("sessions merge: the aggregate needs `merge`")
        self._shape = shape
        self._aggregate = aggregate
        self._lateness = lateness_ms
        self._itself = itself

    def new_state(self) -> WindowState[A]:
        """Of a key never seen."""
        return WindowState()

    def take(self, state: WindowState[A], time: int, value: Any) -> Taken[R]:
        """One record, `time` in ms. Changes `state`."""
        closing = state.newest - self._lateness
        spans = [span for span in self._shape.spans(time) if self._is_open(state, span, closing)]
        before = [] if self._itself else self._over(state, time)
        if value is not None:
            for start, end in spans:
                self._add(state, start, end, value)
        current = self._over(state, time) if self._itself else before
        state.newest = max(state.newest, time)
        return Taken(self._close(state), current, not spans)

    def _is_open(self, state: WindowState[A], span: tuple[int, int], closing: int) -> bool:
        if span[1] > closing:
            return True
        # A record's own session would be closed; one that is open and reaches over it takes it in.
        return isinstance(self._shape, Session) and any(_meet(span, held) for held in state.open)

    def _add(self, state: WindowState[A], start: int, end: int, value: Any) -> None:
        add, merge = self._aggregate.add, self._aggregate.merge
        if merge is not None and isinstance(self._shape, Session):
            accumulator = add(self._aggregate.initialize(), value)
            for held in [held for held in state.open if _meet((start, end), held)]:
                state.open.remove(held)
                end, start = max(end, held[0]), min(start, held[1])
                accumulator = merge(held[2], accumulator)
            insort(state.open, (end, start, accumulator), key=_place)
            return
        for at, (held_end, held_start, accumulator) in enumerate(state.open):
            if (held_end, held_start) == (end, start):
                state.open[at] = (end, start, add(accumulator, value))
                return
        fresh = add(self._aggregate.initialize(), value)
        insort(state.open, (end, start, fresh), key=_place)

    def _over(self, state: WindowState[A], time: int) -> list[WindowResult[R]]:
        return [self._told(held) for held in state.open if held[1] <= time < held[0]]

    def _close(self, state: WindowState[A]) -> list[WindowResult[R]]:
        closing = state.newest - self._lateness
        ripe = sum(1 for held in state.open if held[0] <= closing)
        closed = [self._told(held) for held in state.open[:ripe]]
        del state.open[:ripe]
        return closed

    def _told(self, held: tuple[int, int, A]) -> WindowResult[R]:
        return WindowResult(held[1], held[0], self._aggregate.result(held[2]))


def _place(held: tuple[int, int, Any]) -> tuple[int, int]:
    return held[:2]


def _meet(span: tuple[int, int], held: tuple[int, int, Any]) -> bool:
    """Whether two half-open sessions share a moment."""
    return span[0] < held[0] and held[1] < span[1]
