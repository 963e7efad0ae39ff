"""Which mappings the settings name, if any: one a topic."""

import json
from base64 import b64encode
from dataclasses import fields
from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from stormwatch import named_texts
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping.apply import Mapped, Target, compiled
from stormwatch.parsing.mapping.document import Mapping, MappingError, read
from stormwatch.parsing.mapping.framing import Schemas, no_registry
from stormwatch.settings import KINESIS, Settings

PRESET = "preset:"
SETTINGS = tuple(f.name for f in fields(Settings) if f.name.startswith("mapping_"))
_LABELS = {"transactions": "topic_labels"}
"""Of which events there are labels: the setting of their topic."""


class _Named(NamedTuple):
    """A mapping as the settings name it."""

    mapping: Mapping
    where: str  # for messages
    text: str
    mark: str


def presets() -> list[str]:
    """Names of the mappings of public formats that are shipped."""
    folder = files("stormwatch.parsing.mapping") / "presets"
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name[0] != "_")


def text_of(value: str) -> str:
    """The TOML that the value of a setting `mapping.<events>` means; "" for none.

    It is the name of a file or `preset:NAME`, or several of them with commas between, or the TOML
    itself: so it travels to workers, which do not have the files. Raises MappingError.
    """
    return named_texts.joined(_text(part) for part in named_texts.parts(value))


def made(value: str, target: Target) -> Mapped:
    """One mapping by its file, preset or text, ready for use. Raises MappingError."""
    return _ready(_named(text_of(value), _where(value)), target)


def chosen(settings: Settings, target: Target, schemas: Schemas = no_registry) -> dict[str, Mapped]:
    """Topic -> the mapping of its records; of other topics there is none. `schemas` asks the
    registry. Raises MappingError, PackageMissing."""
    named = _by_topic(settings, target.event)
    return {topic: _ready(one, target, schemas) for topic, one in named.items()}


def label_topic(settings: Settings, events: str) -> str:
    """The topic of labels of these events, "" where there is none."""
    found: str = getattr(settings, _LABELS[events]) if events in _LABELS else ""
    return found


def topics(settings: Settings, events: str) -> tuple[str, ...]:
    """The topics of these events: the setting's, those of mappings, then that of their labels.

    Raises SettingsError.
    """
    own: str = getattr(settings, f"topic_{events}")
    labels = label_topic(settings, events)
    found = tuple(
        dict.fromkeys((own, *_by_topic(settings, events), *((labels,) if labels else ())))
    )
    if len(found) == 2 and found[1] == labels and not settings.topology_chain:
        raise SettingsError(
            f"Labels of {events} come from a topic of their own, {labels}, so an entity comes from "
            "two: then score and store must be one process. Set topology.chain = true, or "
            f'{_LABELS[events].replace("_", ".", 1)} = "" to read no labels.'
        )
    if len(found) > 1 and not settings.topology_chain:
        raise SettingsError(
            f"{events} come from {len(found)} topics ({', '.join(found)}), and an entity may come "
            "from several: then score and store must be one process. Set topology.chain = true."
        )
    return found


def marks(settings: Settings) -> dict[str, str]:
    """Topic -> what decisions name its mapping by, of all kinds of events. Raises MappingError."""
    found: dict[str, str] = {}
    for name in SETTINGS:
        events = name.removeprefix("mapping_")
        found |= {topic: one.mark for topic, one in _by_topic(settings, events).items()}
    return found


def is_rekeyed(settings: Settings, events: str) -> bool:
    """Whether some topic of these events is not keyed by their entity: then all are repartitioned,
    for an entity may come from each of them. So too where partitions end and others go on with
    their keys, as shards of Kinesis do. Raises SettingsError."""
    if settings.source == KINESIS:
        if not settings.topology_chain:
            raise SettingsError(
                "source is kinesis: then score and store must be one process. "
                "Set topology.chain = true."
            )
        return True
    rekeyed = any(one.mapping.rekey for one in _by_topic(settings, events).values())
    if rekeyed and not settings.topology_chain:
        raise SettingsError(
            "A mapping says rekey = true: then score and store must be one process. "
            "Set topology.chain = true."
        )
    return rekeyed


def _by_topic(settings: Settings, events: str) -> dict[str, _Named]:
    value: str = getattr(settings, f"mapping_{events}", "")
    found: dict[str, _Named] = {}
    for part in named_texts.parts(value):
        one = _named(_text(part), _where(part))
        topic = one.mapping.topic or getattr(settings, f"topic_{events}")
        if topic in found:
            raise MappingError(
                f"{found[topic].where} and {one.where} both map the topic {topic}: a topic has one "
                'mapping. Give one of them topic = "…", or take one out of the setting '
                f"mapping.{events}."
            )
        found[topic] = one
    return found


@lru_cache(maxsize=64)
def _named(text: str, where: str) -> _Named:
    mapping = read(text, where)
    digest = blake2b(text.encode(), digest_size=4).hexdigest()
    return _Named(mapping, where, text, f"{mapping.version}#{digest}")


def _ready(one: _Named, target: Target, schemas: Schemas = no_registry) -> Mapped:
    return compiled(one.mapping, target, one.where, one.text, schemas)._replace(mark=one.mark)


def _where(part: str) -> str:
    return "the mapping" if named_texts.is_text(part) else part


def _text(name: str) -> str:
    if named_texts.is_text(name):
        return name
    if name.startswith(PRESET):
        preset = name.removeprefix(PRESET)
        if preset not in presets():
            raise MappingError(f"There is no preset {preset!r}. There are: {', '.join(presets())}.")
        return (files("stormwatch.parsing.mapping") / "presets" / f"{preset}.toml").read_text()
    try:
        text = Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping {name} cannot be read: {error}.") from error
    return _with_schema(text, name)


def _with_schema(text: str, name: str) -> str:
    """The mapping with what its schema's file says, which stands beside it. Raises MappingError."""
    mapping = read(text, name)
    file = mapping.schema.file
    if file is None or file in mapping.schema_texts:
        return text
    try:
        found = (Path(name).parent / file).read_bytes()
        said = found.decode() if mapping.format == "avro" else b64encode(found).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = f"The schema {file} of the mapping {name} cannot be read: {error}."
        raise MappingError(why) from error
    quoted = json.dumps(said, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{text}\n[schema_texts]\n{json.dumps(file, ensure_ascii=False)} = {quoted}\n"
