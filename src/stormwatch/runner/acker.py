"""Storm's acker: a tree of tuples is done when all its edge ids, each met twice, XOR to zero.

https://storm.apache.org/releases/2.8.3/Guaranteeing-message-processing.html
"""

from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass
class Tree:
    """A spout tuple and all that was emitted because of it."""

    root: int
    task: int  # of the spout
    id: Any  # the spout's own
    value: int
    born: int  # rotation
    begun: float = 0.0


class Acker:
    """Trees alive. A tree that is failed, done or timed out is forgotten; later news is ignored."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._trees: dict[int, Tree] = {}
        self._rotation = 0

    def new_id(self) -> int:
        """A random id of 64 bits, never 0."""
        return self._random.getrandbits(64) or self.new_id()

    def begin(self, root: int, value: int, task: int, id: Any, now: float) -> Tree | None:  # noqa: A002
        """A spout emitted with an id; `value` is the XOR of its edges. The tree if it is empty."""
        self._trees[root] = Tree(root, task, id, value, self._rotation, now)
        return None if value else self.ack(root, 0)

    def ack(self, root: int, value: int) -> Tree | None:
        """The tree if this completes it."""
        tree = self._trees.get(root)
        if tree is None:
            return None
        tree.value ^= value
        return None if tree.value else self._trees.pop(root)

    def fail(self, root: int) -> Tree | None:
        """The tree if it was alive."""
        return self._trees.pop(root, None)

    def rotate(self) -> list[Tree]:
        """What was alive for two rotations has timed out: as in Storm, after 1 to 2 time-outs."""
        self._rotation += 1
        old = [tree for tree in self._trees.values() if tree.born <= self._rotation - 2]
        return [self._trees.pop(tree.root) for tree in old]

    def expire(self) -> list[Tree]:
        """All that is alive times out now: a fault."""
        trees, self._trees = list(self._trees.values()), {}
        return trees

    def forget(self, task: int) -> None:
        """The spout task died, and with it what it waited for."""
        self._trees = {r: tree for r, tree in self._trees.items() if tree.task != task}

    def pending(self, task: int | None = None) -> int:
        """Trees alive, of one spout task or of all."""
        if task is None:
            return len(self._trees)
        return sum(tree.task == task for tree in self._trees.values())
