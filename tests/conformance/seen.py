"""What components wrote down, in a form in which two runs that agree are equal."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

ANY_TASK = {"shuffled", "near", "anyone"}
"""Readers of groupings for which Storm does not say which task a tuple reaches."""
RANDOM_TARGETS = {"deal"}
"""Writers to them."""
PACED = {"paced", "trunk", "throttled"}
"""Spouts with topology.max.spout.pending 1."""
_OF_SPARSE = {"pystorm.log.level", "use_virtualenv"}
"""Entries of configuration that are not Storm's, but `sparse`'s."""
_REPEATED = {"tick"}
"""Notes that come as often as there is time."""

DEATHS = "deaths"
"""Not a component: which died, and why."""

Notes = dict[str, dict[int, list[list[Any]]]]


def notes(folder: Path) -> Notes:
    """Component -> task -> its notes, in order."""
    out: Notes = {}
    for path in sorted(folder.glob("*.jsonl")):
        component, task, _ = path.name.split(".")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        out.setdefault(component, {})[int(task)] = lines
    return out


def comparable(seen: Notes) -> dict[str, Any]:
    """Component -> what must be the same under the runner and under Storm."""
    return {
        component: _component(component, tasks)
        for component, tasks in seen.items()
        if component != DEATHS
    }


def _component(component: str, tasks: dict[int, list[list[Any]]]) -> Any:
    each = {task: _task(component, lines) for task, lines in tasks.items()}
    if component not in ANY_TASK:
        return each
    together: Counter[str] = Counter()
    for counts in each.values():
        together += counts
    return together


def _task(component: str, lines: list[list[Any]]) -> Counter[str]:
    said: Counter[str] = Counter()
    for kind, *rest in lines:
        if kind == "pending":
            continue
        if kind == "configuration":
            said[json.dumps([kind, [key for key in rest[0] if key not in _OF_SPARSE]])] += 1
        elif kind == "sent":
            *what, ids = rest
            many = sorted(ids) if isinstance(ids, list) else ids
            said[json.dumps([kind, *what, len(ids) if component in RANDOM_TARGETS else many])] += 1
        else:
            said[json.dumps([kind, *rest])] += 1
    return Counter({k: 1 if json.loads(k)[0] in _REPEATED else n for k, n in said.items()})


def arrivals(seen: Notes, component: str) -> dict[int, int]:
    """Task -> tuples that it got."""
    return {
        task: sum(line[0] == "got" for line in lines) for task, lines in seen[component].items()
    }


def pending(seen: Notes, spout: str) -> int:
    """The most that it had under way."""
    return max(
        int(line[1]) for lines in seen[spout].values() for line in lines if line[0] == "pending"
    )


def of(seen: Notes, component: str, kind: str) -> list[list[Any]]:
    """All notes of one kind."""
    return [line[1:] for lines in seen[component].values() for line in lines if line[0] == kind]


_DIED = re.compile(r"ShellBolt died\. Command: .*?name:(\w+).*?\n(\S+: .*)")


def deaths(log: str) -> Notes:
    """Bolts that Storm's log says it refused, with the exceptions' words; not those whose end was
    that of the run."""
    died = [["died", name, why] for name, why in _DIED.findall(log) if "NoOutput" not in why]
    return {DEATHS: {0: died}}
