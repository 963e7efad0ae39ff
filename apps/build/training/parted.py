"""Trees of any size as trees that can be scored: a large one becomes several that add up to it.

Scoring holds the leaves of a tree as bits of one word (`stormwatch.models.trees`). A tree with
more leaves is cut: a subtree that is small enough is taken out and 0 stands in its place; it
becomes a tree of its own, below the tests that lead to it, with 0 where another way is taken. Each
row reaches the same leaf as before in one of the parts, and 0 in all others. A 0 has the training
rows of all that it stands for.
"""

from typing import NamedTuple

from stormwatch.errors import ModelError
from stormwatch.models.trees import MAX_LEAVES, Tree


class Grown(NamedTuple):
    """A tree, and where NaN goes at each of its nodes."""

    tree: Tree
    missing: list[int]


def parted(grown: Grown) -> list[Grown]:
    """Trees of MAX_LEAVES leaves or fewer whose scores add up to this one's, for every row.

    Raises ModelError for a tree so deep that no part of it is small enough.
    """
    tree = grown.tree
    if len(tree.value) <= MAX_LEAVES:
        return [grown]
    parts = []
    gone: set[int] = set()  # nodes whose subtree is in a part already: 0 stands for it
    while True:
        sizes, paths = _sizes(tree, gone)
        if sizes[0] <= MAX_LEAVES:
            parts.append(_copy(grown, 0, [], gone))
            return parts
        found = [
            (size, node)
            for node, size in sizes.items()
            if 1 < size <= MAX_LEAVES - len(paths[node]) and node not in gone
        ]
        if not found:
            raise ModelError(
                f"The model cannot be exported: a tree is {max(map(len, paths.values()))} tests "
                f"deep; at most {MAX_LEAVES - 2} can be scored. Train with a smaller max_depth."
            )
        _, node = max(found)
        parts.append(_copy(grown, node, paths[node], gone))
        gone.add(node)


def _sizes(tree: Tree, gone: set[int]) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Of each node that is left the leaves below it, and the nodes above it from the root on."""
    sizes, paths, order = dict[int, int](), dict[int, list[int]]({0: []}), [0]
    for node in order:
        for child in (tree.left[node], tree.right[node]):
            if child >= 0 and node not in gone:
                paths[child] = [*paths[node], node]
                order.append(child)
    for node in reversed(order):
        sides = (tree.left[node], tree.right[node])
        sizes[node] = 1 if node in gone else sum(sizes[c] if c >= 0 else 1 for c in sides)
    return sizes, paths


def _copy(grown: Grown, node: int, path: list[int], gone: set[int]) -> Grown:
    """The tests of `path`, 0 off it, and at its end what is left of the subtree of `node`."""
    tree, made, missing = grown.tree, Tree([], [], [], [], [], []), list[int]()

    def leaf(value: float, of: int) -> int:
        made.value.append(value)
        if tree.cover:
            made.cover.append(_cover(tree, of))
        return -len(made.value)

    def test(of: int) -> int:
        made.feature.append(tree.feature[of])
        made.threshold.append(tree.threshold[of])
        made.left.append(0)
        made.right.append(0)
        missing.append(grown.missing[of])
        return len(made.feature) - 1

    hang: list[tuple[list[int], int]] = []  # where the next node of the path is hung
    for above, below in zip(path, [*path, node][1:], strict=True):
        here = test(above)
        for side, at in hang:
            side[at] = here
        is_left = tree.left[above] == below
        on, off = (made.left, made.right) if is_left else (made.right, made.left)
        off[here] = leaf(0.0, tree.right[above] if is_left else tree.left[above])
        hang = [(on, here)]
    here = test(node)
    for side, at in hang:
        side[at] = here
    waiting = [(here, node)]
    while waiting:
        here, of = waiting.pop()
        for side, child in ((made.left, tree.left[of]), (made.right, tree.right[of])):
            if child < 0:
                side[here] = leaf(tree.value[-1 - child], child)
            elif child in gone:
                side[here] = leaf(0.0, child)
            else:
                side[here] = test(child)
                waiting.append((side[here], child))
    return Grown(made, missing)


def _cover(tree: Tree, child: int) -> float:
    """Training rows at and below it."""
    total, waiting = 0.0, [child]
    while waiting:
        one = waiting.pop()
        if one < 0:
            total += tree.cover[-1 - one]
        else:
            waiting += [tree.left[one], tree.right[one]]
    return total
