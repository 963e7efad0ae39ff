"""Aggregates as triples of pure functions, and the usual ones over integers."""

from collections.abc import Callable
from operator import add as plus
from typing import Any, Generic, NamedTuple, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Aggregate(NamedTuple, Generic[A, R]):
    """`initialize` makes an empty accumulator, `add` one with a value more, `result` reads it.

    Accumulators are what msgpack keeps bit for bit (ints, strings, bytes, lists and tuples of
    them; floats too, but sums of floats depend on order). `add` may change the accumulator it is
    given and return it. `merge` joins two; only sessions need it.
    """

    initialize: Callable[[], A]
    add: Callable[[A, Any], A]
    result: Callable[[A], R]
    merge: Callable[[A, A], A] | None = None


def _same(accumulator: Any) -> Any:
    return accumulator


def _mean(pair: list[int]) -> int:
    return pair[1] // pair[0]


COUNT: Aggregate[int, int] = Aggregate(int, lambda count, _: count + 1, _same, plus)
SUM: Aggregate[int, int] = Aggregate(int, plus, _same, plus)
MEAN: Aggregate[list[int], int] = Aggregate(
    lambda: [0, 0],
    lambda pair, value: [pair[0] + 1, pair[1] + value],
    _mean,
    lambda one, other: [one[0] + other[0], one[1] + other[1]],
)
"""Of integers, rounded down."""


def _extreme(best: Callable[..., Any]) -> Aggregate[list[Any], Any]:
    """The accumulator is a list of none or one value."""
    return Aggregate(
        list,
        lambda held, value: [best(*held, value)] if held else [value],
        lambda held: held[0],
        lambda one, other: [best(*one, *other)],
    )


MIN, MAX = _extreme(min), _extreme(max)
