"""Reads a topology file, and adds a bolt to it: one import, one attribute."""

import ast
from pathlib import Path
from typing import NamedTuple, get_args, get_origin

from apps.build.lint import load
from stormwatch.codec import Parsed
from stormwatch.errors import StormwatchError

_WIDTH = 101  # of a line with its end
_OURS = ("bolts", "spouts", "stormwatch")


class Source(NamedTuple):
    """Whom a new bolt reads, and what comes from there."""

    component: str
    event: str
    module: str


def source_of(path: Path) -> Source:
    """The component that emits parsed events. Raises StormwatchError where there is none."""
    topology = load(path)
    for spec in topology.specs:
        kind = getattr(spec.component_cls, "payload", None)
        if get_origin(kind) is not Parsed:
            continue
        (event,) = get_args(kind)
        for source in spec.inputs:
            if source.streamId == "default":
                return Source(source.componentId, event.__name__, event.__module__)
    raise StormwatchError(
        f"No component of {path.name} reads parsed events, so it is not clear what a new bolt "
        "should. Make the bolt without --topology, and write its line by hand; one with --state "
        "needs parsed events first: docs/add-a-domain.md."
    )


def with_component(text: str, name: str, module: str, cls: str, source: str) -> str:
    """The file's text with `name = cls.spec(…)` at the end of its class."""
    tree = ast.parse(text)
    lines = text.splitlines(True)
    (body,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert body.end_lineno is not None
    line = f'    {name} = {cls}.spec(inputs={{{source}: Grouping.fields("bucket")}})\n'
    if len(line) > _WIDTH:
        line = line.replace("spec(", "spec(\n        ").replace("})", "}\n    )")
    if not any(isinstance(n, ast.Name) and n.id == "Grouping" for n in ast.walk(tree)):
        line = f"    {name} = {cls}.spec(inputs=[{source}])\n"
    lines.insert(body.end_lineno, line)
    imports = [
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in _OURS
    ]
    later = [node.lineno - 1 for node in imports if str(node.module) > module]
    place = min(later) if later else max(node.end_lineno or 0 for node in imports)
    lines.insert(place, f"from {module} import {cls}\n")
    return "".join(lines)
