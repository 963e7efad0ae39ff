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
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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
AS_ZERO, LEFT, RIGHT = 0, 1, 2
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
    missing: list[list[int]] = []
    """Where NaN goes at each node of each tree: one of AS_ZERO, LEFT, RIGHT. None: AS_ZERO."""
    zero: float = ZERO
    """What is no farther from 0 counts as 0."""


class TreesModel:
    """Scores an ensemble. About 2 µs a row in batches of 500; nothing is shared or locked.

    Raises ValueError for an ensemble that is not sound.
    """

    def __init__(self, card: Card, trees: Trees) -> None:
        self.card = card
        self._whole = trees
        self._parts: TreeParts | None = None
        self._core: Any = None
        self._compiled: Any = None
        self._features = trees.features
        self._logistic = trees.link == "logistic"
        self._bias = _exact(trees.bias)
        size = max((len(tree.value) for tree in trees.trees), default=1)
        if size > MAX_LEAVES:
            raise ValueError(f"a tree has {size} leaves; at most {MAX_LEAVES} can be scored")
        self._mask = np.dtype(f"u{next(b for b in (1, 2, 4, 8) if size <= 8 * b)}")
        self._first = np.arange(len(trees.trees), dtype=np.int64) * size
        self._values = np.zeros(len(trees.trees) * size)
        tests: list[_Test] = []
        bound = abs(self._bias)
        if trees.missing and list(map(len, trees.missing)) != [len(t.feature) for t in trees.trees]:
            raise ValueError("what is said of missing values does not fit the trees")
        self._zero = trees.zero
        self._tells_missing = any(map(any, trees.missing))
        for number, tree in enumerate(trees.trees):
            ruled, order = _tests(tree, trees.features)
            missing = trees.missing[number] if trees.missing else [AS_ZERO] * len(ruled)
            tests += [
                _Test(f, t, number, out, m == RIGHT or (m == AS_ZERO and t < 0.0))
                for f, t, out, m in zip(tree.feature, tree.threshold, ruled, missing, strict=True)
            ]
            leaves = [_exact(tree.value[leaf]) for leaf in order]
            self._values[number * size : number * size + len(leaves)] = leaves
            bound += max(map(abs, leaves))
        if not bound < _BOUND:
            raise ValueError(f"leaf values add up to {bound:g}; must be finite, below {_BOUND:g}")
        self._every = np.iinfo(self._mask).max
        self._one = self._mask.type(1)
        tables = _tables(tests, len(trees.trees), self._mask)
        none = np.full((1, len(trees.trees)), self._every, dtype=self._mask)
        self._table = np.concatenate([none, *(table for _, _, table in tables)])
        ends = [
            1,
            *(1 + np.cumsum([len(table) for _, _, table in tables], dtype=np.int64)).tolist(),
        ]
        places = list(zip(tables, ends, strict=False))
        self._tables = [
            (feature, thresholds, self._table[at : at + len(table)])
            for (feature, thresholds, table), at in places
        ]
        self._places = [
            (feature, at, thresholds.tolist()) for (feature, thresholds, _), at in places
        ]

    def hasten(self, core: Any) -> Any:
        """Score by the compiled core (`stormwatch.compiled`), to the same bits; its own trees."""
        self._core = core
        self._compiled = core.Trees(
            self._places, self._table.ravel().tolist(), self._values.tolist(), len(self._first),
            self._bias, self._zero, self._tells_missing, self._logistic,
        )  # fmt: skip
        return self._compiled

    def predict(self, rows: Sequence[tuple[float, ...]] | NDArray[np.float64]) -> list[float]:
        """One score a row, in order; each depends on its own row alone.

        What is nearer to 0 than the trees tell apart counts as 0, and so does NaN where they do not
        say where it goes. Raises ValueError where a row has another number of values.
        """
        count = len(rows)
        if not count:
            return []
        if len(rows[0]) != self._features:
            raise ValueError(f"rows have {len(rows[0])} values; the model takes {self._features}")
        if self._compiled is not None:
            scores: list[float] = self._compiled.predict(rows)
            return scores
        alive = self._by_row(rows[0]) if count == 1 else self._by_column(rows)
        below = np.bitwise_and(np.subtract(alive, self._one), np.invert(alive))
        leaf = np.bitwise_count(below) + self._first
        sums: list[float] = (self._values.take(leaf).sum(axis=1) + self._bias).tolist()
        return [_logistic(x) for x in sums] if self._logistic else sums

    def _by_column(self, rows: Sequence[tuple[float, ...]] | NDArray[np.float64]) -> NDArray[Any]:
        """The leaves still possible of each row in each tree."""
        columns = np.asarray(rows, dtype=np.float64).T
        lacking = np.isnan(columns) if self._tells_missing else None
        columns = np.where(np.abs(columns) > self._zero, columns, 0.0)
        alive = np.full((columns.shape[1], len(self._first)), self._every, dtype=self._mask)
        for feature, thresholds, table in self._tables:
            rank = thresholds.searchsorted(columns[feature])
            if lacking is not None:
                rank[lacking[feature]] = len(thresholds) + 1
            np.bitwise_and(alive, table.take(rank, axis=0), out=alive)
        return alive

    def _by_row(self, row: Sequence[float] | NDArray[np.float64]) -> NDArray[Any]:
        """The same of one row: the tables' rows all at once, not a few calls for each."""
        values = row.tolist() if isinstance(row, np.ndarray) else row
        zero, lines = self._zero, []
        for feature, at, thresholds in self._places:
            value = values[feature]
            if value > zero or value < -zero:
                lines.append(at + bisect_left(thresholds, value))
            elif self._tells_missing and value != value:  # noqa: PLR0124
                lines.append(at + len(thresholds) + 1)
            else:
                lines.append(at + bisect_left(thresholds, 0.0))
        found: NDArray[Any] = np.bitwise_and.reduce(self._table.take(lines, axis=0), axis=0)
        return found[None]

    def explain(self, row: Sequence[float] | NDArray[np.float64]) -> "Parts":
        """What each feature adds to a row's score; see `tree_contributions`, made at the first."""
        if self._parts is None:
            from stormwatch.models.tree_contributions import TreeParts

            self._parts = TreeParts(self._whole)
            if self._core is not None:
                self._parts.hasten(self._core)
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


class _Test(NamedTuple):
    """Of one node."""

    feature: int
    threshold: float
    tree: int
    out: int  # the leaves that its failure rules out
    nan_fails: bool


def _tables(
    tests: list[_Test], trees: int, mask: "np.dtype[Any]"
) -> list[tuple[int, NDArray[np.float64], NDArray[Any]]]:
    """For each feature used: its thresholds, and by a value's rank the leaves still possible; last
    of all those of NaN."""
    tables = []
    every = int(np.iinfo(mask).max)
    by_feature: dict[int, list[_Test]] = {}
    for test in tests:
        by_feature.setdefault(test.feature, []).append(test)
    for feature, own in sorted(by_feature.items()):
        thresholds = np.array(sorted({test.threshold for test in own}))
        table = np.full((len(thresholds) + 2, trees), every, dtype=mask)
        ranks = thresholds.searchsorted([test.threshold for test in own]).tolist()
        for rank, test in zip(ranks, own, strict=True):
            table[rank + 1, test.tree] &= mask.type(every ^ test.out)
            if test.nan_fails:
                table[-1, test.tree] &= mask.type(every ^ test.out)
        np.bitwise_and.accumulate(table[:-1], axis=0, out=table[:-1])
        tables.append((feature, thresholds, table))
    return tables


def decode(artefact: bytes) -> Trees:
    """Trees from an artefact's bytes. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(artefact, type=Trees)


def encode(trees: Trees) -> bytes:
    """Trees as an artefact's bytes; what came to the format later only where it says something."""
    if trees.missing or trees.zero != ZERO:
        return msgspec.msgpack.encode(trees)
    return msgspec.msgpack.encode((trees.link, trees.bias, trees.features, trees.trees))
