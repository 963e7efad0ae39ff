"""A topology as a Mermaid flowchart, from its class: what Storm and the workers will be given."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamparse import Spout

from apps.build.lint import load
from stormwatch.parsing.mapping import label_topic
from stormwatch.settings import Settings
from stormwatch.settings import load as load_settings

HEAD = """# Topologies

Each is drawn from its class in `topologies/`, with the settings' defaults; `./stormwatch draw --out
docs/topologies.md` wrote this page, and a test compares them. Boxes are components with their
number of tasks; arrows carry the grouping, behind the stream's name where that is not the default;
barrels are Kafka topics and Cassandra tables, as far as the classes tell.
"""
_TOPIC = "topic_"
_GROUPINGS = {
    "shuffle": "shuffle", "all": "all", "none": "none", "direct": "direct",
    "local_or_shuffle": "local or shuffle", "custom_object": "custom",
    "custom_serialized": "custom",
}  # fmt: skip


def page(root: Path, names: Iterable[str]) -> str:
    """A Markdown page with a picture of each topology. Raises StormwatchError."""
    parts = [HEAD]
    for name in names:
        topology = load(root / "topologies" / f"{name}.py")
        parts.append(f"## {name}\n\n{_sentence(topology)}\n\n```mermaid\n{mermaid(topology)}```\n")
    return "\n".join(parts)


def picture(root: Path, name: str) -> str:
    """The Mermaid text of topologies/NAME.py. Raises StormwatchError."""
    return mermaid(load(root / "topologies" / f"{name}.py"))


def mermaid(topology: Any) -> str:
    """The Mermaid text of a Topology class."""
    settings = load_settings(environ={}, conf=topology.config or {})
    lines = ["flowchart LR"]
    for spec in topology.specs:
        shape = '(["{}"])' if issubclass(spec.component_cls, Spout) else '["{}"]'
        label = f"<b>{spec.name}</b> × {tasks_of(spec.par)}<br/>{spec.component_cls.__name__}"
        lines.append(f"{_id(spec.name)}{shape.format(label)}")
    for spec in topology.specs:
        lines += _reads(spec, settings)
        for source, grouping in sorted(spec.inputs.items(), key=_place):
            stream = "" if source.streamId == "default" else f"{source.streamId}: "
            arrow = f'-- "{stream}{grouping_name(grouping)}" -->'
            lines.append(f"{_id(source.componentId)} {arrow} {_id(spec.name)}")
    for spec in topology.specs:
        lines += _writes(spec, settings)
    return "\n    ".join(dict.fromkeys(lines)) + "\n"


def written(component: type) -> list[str]:
    """Tables, and settings of topics, that a component's class says it writes."""
    told = [component, *getattr(component, "steps", ())]
    return list(dict.fromkeys(name for one in told for name in getattr(one, "writes", ())))


def _reads(spec: Any, settings: Settings) -> list[str]:
    setting = getattr(spec.component_cls, "topic_setting", None)
    if setting is None:
        return []
    topics = [setting]
    if label_topic(settings, setting.removeprefix("topic_")):
        topics.append("topic_labels")
    return [
        line
        for each in topics
        for line in (_kafka(each, settings), f"kafka_{each} --> {_id(spec.name)}")
    ]


def _writes(spec: Any, settings: Settings) -> list[str]:
    names = written(spec.component_cls)
    tables = [name for name in names if not name.startswith(_TOPIC)]
    lines = []
    if tables:
        lines.append('cassandra[("Cassandra")]')
        lines.append(f'{_id(spec.name)} -- "{"<br/>".join(tables)}" --> cassandra')
    for name in names:
        if name.startswith(_TOPIC):
            lines += [_kafka(name, settings), f"{_id(spec.name)} --> kafka_{name}"]
    return lines


def _kafka(setting: str, settings: Settings) -> str:
    return f'kafka_{setting}[("Kafka<br/>{getattr(settings, setting)}")]'


def grouping_name(grouping: Any) -> str:
    """A grouping in a word, with its fields."""
    if grouping.fields is not None:
        return f"fields({', '.join(grouping.fields)})" if grouping.fields else "global"
    return next(word for name, word in _GROUPINGS.items() if getattr(grouping, name) is not None)


def tasks_of(par: Any) -> str:
    """How many tasks: streamparse allows a number for each environment."""
    return " or ".join(f"{n} ({e})" for e, n in par.items()) if isinstance(par, dict) else str(par)


def _place(one_input: tuple[Any, Any]) -> tuple[str, str]:
    return one_input[0].componentId, one_input[0].streamId


def _id(component: str) -> str:
    """A component's id in the picture: some names (end, class, ...) are Mermaid's own words."""
    return f"c_{component}"


def _sentence(topology: Any) -> str:
    return str(topology.__doc__ or topology.__name__).strip().split("\n\n")[0]
