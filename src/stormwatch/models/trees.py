"""Boosted trees as plain arrays, scored by numpy: no engine to install, nothing to unpickle.

Scoring follows QuickScorer (Lucchese et al., "QuickScorer: a fast algorithm to rank documents with
additive ensembles of regression trees", SIGIR 2015). Leaves are numbered from left to right. A test
that fails (value > threshold) rules out the leaves of its left subtree; the leaf reached is the
leftmost that no failed test rules out. For each feature a table gives, by the rank of the value
among that feature's thresholds, the leaves still possible in each tree as one bit mask a tree: a
row is scored by one table row a feature, ANDed, with no walk from node to node.

Leaf values are kept as multiples of 2**-36, so that their sum is exact in any order: a score cannot
depend on the size of the batch or on how numpy splits a sum.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from stormwatch.models.card import Card

if TYPE_CHECKING:
    from stormwatch.models.contributions import Parts
    from stormwatch.models.tree_contributions import TreeParts

MAX_LEAVES = 64
"""Of one tree: a bit each."""

ZERO = float(np.float32(1e-35))
"""As LightGBM has it, which puts thresholds there to split zeros from other values."""
_QUANTUM = 2.0**-36
_BOUND = 2.0**16
"""Of the sum of the trees' greatest values; below it sums of multiples of _QUANTUM are exact."""


class Tree(msgspec.Struct, frozen=True, array_like=True):
    """One tree. Node 0 is the root; a child >= 0 is a node, a child < 0 is the leaf `-1 - child`.

    A row goes left where its value is <= the threshold.
    """

    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    value: list[float]  # of the leaves
    cover: list[float] = []
    """Of the leaves, how many training rows came there, or their weight; [] of a tree that was kept
    before there was this field. Scores do not depend on it, contributions do."""


class Trees(msgspec.Struct, frozen=True, array_like=True):
    """An ensemble: `link(bias + sum of the leaves reached)`."""

    link: Literal["identity", "logistic"]
    bias: float
    features: int  # how many values a row has
    trees: list[Tree]


class TreesModel:
    """Scores an ensemble. About 2 µs a row in batches of 500; nothing is shared or locked.

    Raises ValueError for an ensemble that is not sound.
    """

    def __init__(self, card: Card, trees: Trees) -> None:
        self.card = card
        self._whole = trees
        self._parts: TreeParts | None = None
        self._features = trees.features
        self._logistic = trees.link == "logistic"
        self._bias = _exact(trees.bias)
        size = max((len(tree.value) for tree in trees.trees), default=1)
        if size > MAX_LEAVES:
            raise ValueError(f"a tree has {size} leaves; at most {MAX_LEAVES} can be scored")
        self._mask = np.dtype(f"u{next(b for b in (1, 2, 4, 8) if size <= 8 * b)}")
        self._first = np.arange(len(trees.trees), dtype=np.int64) * size
        self._values = np.zeros(len(trees.trees) * size)
        tests: list[tuple[int, float, int, int]] = []  # feature, threshold, tree, leaves ruled out
        bound = abs(self._bias)
        for number, tree in enumerate(trees.trees):
            ruled, order = _tests(tree, trees.features)
            tests += [
                (f, t, number, out)
                for f, t, out in zip(tree.feature, tree.threshold, ruled, strict=True)
            ]
            leaves = [_exact(tree.value[leaf]) for leaf in order]
            self._values[number * size : number * size + len(leaves)] = leaves
            bound += max(map(abs, leaves))
        if not bound < _BOUND:
            raise ValueError(f"leaf values add up to {bound:g}; must be finite, below {_BOUND:g}")
        self._every = np.iinfo(self._mask).max
        self._one = self._mask.type(1)
        self._tables = _tables(tests, len(trees.trees), self._mask)

    def predict(self, rows: Sequence[tuple[float, ...]] | NDArray[np.float64]) -> list[float]:
        """One score a row, in order; each depends on its own row alone.

        NaN, and what is nearer to 0 than ZERO, counts as 0. Raises ValueError where a row has
        another number of values.
        """
        if not len(rows):
            return []
        columns = np.asarray(rows, dtype=np.float64).T
        if len(columns) != self._features:
            raise ValueError(f"rows have {len(columns)} values; the model takes {self._features}")
        columns = np.where(np.abs(columns) > ZERO, columns, 0.0)
        alive = np.full((columns.shape[1], len(self._first)), self._every, dtype=self._mask)
        for feature, thresholds, table in self._tables:
            rank = thresholds.searchsorted(columns[feature])
            np.bitwise_and(alive, table.take(rank, axis=0), out=alive)
        below = np.bitwise_and(np.subtract(alive, self._one), np.invert(alive))
        leaf = np.bitwise_count(below) + self._first
        sums: list[float] = (self._values.take(leaf).sum(axis=1) + self._bias).tolist()
        return [_logistic(x) for x in sums] if self._logistic else sums

    def explain(self, row: Sequence[float]) -> "Parts":
        """What each feature adds to a row's score; see `tree_contributions`, made at the first."""
        if self._parts is None:
            from stormwatch.models.tree_contributions import TreeParts

            self._parts = TreeParts(self._whole)
        return self._parts.of(row)


def _logistic(x: float) -> float:
    e = math.exp(-abs(x))
    return 1.0 / (1.0 + e) if x >= 0 else e / (1.0 + e)


def _exact(value: float) -> float:
    return round(value / _QUANTUM) * _QUANTUM


def _tests(tree: Tree, features: int) -> tuple[list[int], list[int]]:
    """Of each node the leaves its failure rules out, as bits; and the leaves from left to right."""
    nodes = len(tree.feature)
    sound = (
        len(tree.threshold) == len(tree.left) == len(tree.right) == nodes == len(tree.value) - 1
        and all(0 <= f < features for f in tree.feature)
        and all(math.isfinite(t) for t in tree.threshold)
        and all(math.isfinite(v) for v in tree.value)
        and sorted(tree.left + tree.right) == [*range(-nodes - 1, 0), *range(1, nodes)][: 2 * nodes]
    )
    if not sound:
        raise ValueError("a tree's nodes and leaves do not fit together")
    ruled, order = [0] * nodes, list[int]()
    stack: list[tuple[int, int]] = [(0 if nodes else -1, -1)]  # child to visit, node to close
    while stack:
        child, closing = stack.pop()
        if closing >= 0:  # the left subtree is done: its leaves stand from ruled[closing] on
            ruled[closing] = (1 << len(order)) - (1 << ruled[closing])
        if child < 0:
            order.append(-1 - child)
        else:
            ruled[child] = len(order)
            stack.append((tree.right[child], child))
            stack.append((tree.left[child], -1))
    if len(order) != nodes + 1:
        raise ValueError("a tree has nodes that cannot be reached")
    return ruled, order


def _tables(
    tests: list[tuple[int, float, int, int]], trees: int, mask: "np.dtype[Any]"
) -> list[tuple[int, NDArray[np.float64], NDArray[Any]]]:
    """For each feature used: its thresholds, and by a value's rank the leaves still possible."""
    tables = []
    every = int(np.iinfo(mask).max)
    for feature in sorted({test[0] for test in tests}):
        own = [test for test in tests if test[0] == feature]
        thresholds = np.array(sorted({test[1] for test in own}))
        table = np.full((len(thresholds) + 1, trees), every, dtype=mask)
        for _, threshold, tree, out in own:
            rank = int(thresholds.searchsorted(threshold))
            table[rank + 1, tree] &= mask.type(every ^ out)
        np.bitwise_and.accumulate(table, axis=0, out=table)
        tables.append((feature, thresholds, table))
    return tables


def decode(artefact: bytes) -> Trees:
    """Trees from an artefact's bytes. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(artefact, type=Trees)


def encode(trees: Trees) -> bytes:
    """Trees as an artefact's bytes."""
    return msgspec.msgpack.encode(trees)
