"""Which tasks a tuple goes to."""

from collections.abc import Sequence
from random import Random
from typing import Any

from stormwatch.runner.javahash import list_hash
from stormwatch.runner.plan import Grouping, Plan


class EmitRefused(Exception):
    """Storm ends the worker of a component that emits this; the text is Storm's."""


class _Deal:
    """A shuffle: every task once, in random order, then again, as Storm's ShuffleGrouping."""

    def __init__(self, tasks: Sequence[int], random: Random) -> None:
        self._tasks, self._random = tasks, random
        self._hand: list[int] = []

    def __call__(self) -> int:
        if not self._hand:
            self._hand = self._random.sample(self._tasks, len(self._tasks))
        return self._hand.pop()


class Router:
    """Groupings of one topology. Chance comes from `random` alone."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self._plan, self._random = plan, random
        self._edges: dict[tuple[str, str], list[tuple[Grouping, tuple[int, ...]]]] = {}
        for part in plan.parts.values():
            for source, grouping in part.inputs.items():
                self._edges.setdefault(source, []).append((grouping, part.tasks))
        self._deals: dict[tuple[int, str, int], _Deal] = {}
        self._part_of = {task: part for part in plan.parts.values() for task in part.tasks}

    def targets(self, task: int, stream: str, values: list[Any], direct: int = 0) -> list[int]:
        """The tasks, in order of their readers. Raises EmitRefused."""
        if direct:
            raise EmitRefused(
                "Storm 2.8.3 cannot read a direct emit of a Python component (ClassCastException: "
                "Integer cannot be cast to Long). Use fields grouping on a field that chooses"
            )
        part = self._part_of[task]
        output = part.outputs.get(stream)
        if output is None:
            raise EmitRefused(f"Unknown stream ID: {stream}")
        edges = self._edges.get((part.name, stream), [])
        if edges and len(values) != len(output.fields):  # what nobody reads, Storm does not count
            raise EmitRefused(
                f"Tuple created with wrong number of fields. Expected {len(output.fields)} fields "
                f"but got {len(values)} fields"
            )
        out: list[int] = []
        for number, (grouping, tasks) in enumerate(edges):
            match grouping.kind:
                case "direct":
                    raise EmitRefused("Cannot do regular emit to direct stream")
                case "all":
                    out += tasks
                case "global":
                    out.append(tasks[0])
                case "fields":
                    keys = [values[output.fields.index(name)] for name in grouping.fields]
                    out.append(tasks[list_hash(keys) % len(tasks)])
                case "none":
                    out.append(self._random.choice(tasks))
                case _:  # shuffle, and local-or-shuffle: here all tasks are local
                    key = (task, stream, number)
                    deal = self._deals.get(key) or _Deal(tasks, self._random)
                    self._deals[key] = deal
                    out.append(deal())
        return out
