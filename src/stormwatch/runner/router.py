"""Which tasks a tuple goes to."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from stormwatch.runner.javahash import list_hash
from stormwatch.runner.plan import Grouping, Output, Plan


class EmitRefused(Exception):
    """Storm ends the worker of a component that emits this; the text is Storm's."""


_Choose = Callable[[list[Any]], Sequence[int]]


class _Route(NamedTuple):
    """Where a stream of one task goes: `fields` values to a tuple, a choice for each reader."""

    fields: int
    choices: list[_Choose]


class Router:
    """Groupings of one topology. Chance comes from `random` alone."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self._plan, self._random = plan, random
        self._edges: dict[tuple[str, str], list[tuple[Grouping, tuple[int, ...]]]] = {}
        for part in plan.parts.values():
            for source, grouping in part.inputs.items():
                self._edges.setdefault(source, []).append((grouping, part.tasks))
        self._routes: dict[tuple[int, str], _Route] = {}

    def targets(self, task: int, stream: str, values: list[Any], direct: int = 0) -> list[int]:
        """The tasks, in order of their readers. Raises EmitRefused."""
        if direct:
            raise EmitRefused(
                "Storm 2.8.3 cannot read a direct emit of a Python component (ClassCastException: "
                "Integer cannot be cast to Long). Use fields grouping on a field that chooses"
            )
        route = self._routes.get((task, stream)) or self._route(task, stream)
        if route.choices and len(values) != route.fields:  # what nobody reads is not counted
            raise EmitRefused(
                f"Tuple created with wrong number of fields. Expected {route.fields} fields "
                f"but got {len(values)} fields"
            )
        out: list[int] = []
        for choose in route.choices:
            out += choose(values)
        return out

    def _route(self, task: int, stream: str) -> _Route:
        part = self._plan.owner(task)
        output = part.outputs.get(stream)
        if output is None:
            raise EmitRefused(f"Unknown stream ID: {stream}")
        choices = [
            self._choice(grouping, tasks, output)
            for grouping, tasks in self._edges.get((part.name, stream), [])
        ]
        route = self._routes[task, stream] = _Route(len(output.fields), choices)
        return route

    def _choice(self, grouping: Grouping, tasks: tuple[int, ...], output: Output) -> _Choose:
        match grouping.kind:
            case "direct":
                return _refuse
            case "all":
                return lambda values: tasks
            case "fields":
                at = [output.fields.index(name) for name in grouping.fields]
                return lambda values: (tasks[list_hash([values[i] for i in at]) % len(tasks)],)
            case "none":
                return lambda values: (self._random.choice(tasks),)
            case "global":
                return lambda values: tasks[:1]
            case _:  # shuffle, and local-or-shuffle: here all tasks are local
                return self._shuffle(tasks)

    def _shuffle(self, tasks: tuple[int, ...]) -> _Choose:
        """Every task once, in random order, then again, as Storm's ShuffleGrouping."""
        if len(tasks) == 1:
            return lambda values: tasks
        hand: list[int] = []

        def deal(values: list[Any]) -> Sequence[int]:
            if not hand:
                hand.extend(self._random.sample(tasks, len(tasks)))
            return (hand.pop(),)

        return deal


def _refuse(values: list[Any]) -> Sequence[int]:
    raise EmitRefused("Cannot do regular emit to direct stream")
