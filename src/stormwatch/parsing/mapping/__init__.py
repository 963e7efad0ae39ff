"""Mappings: how a record of somebody else's format becomes an event of ours. See docs/your-data.md.

`read` checks the TOML of a mapping, `compiled` makes the function that a parse bolt calls, `chosen`
does both for what the settings name.
"""

from stormwatch.parsing.mapping.apply import FAULT, OTHERS, Mapped, Target, compiled
from stormwatch.parsing.mapping.choice import (
    PRESET,
    SETTINGS,
    chosen,
    is_rekeyed,
    label_topic,
    made,
    marks,
    presets,
    text_of,
    topics,
)
from stormwatch.parsing.mapping.decoding import LEARN_ONLY
from stormwatch.parsing.mapping.document import SPACE, Csv, Mapping, MappingError, read

__all__ = [
    "FAULT",
    "LEARN_ONLY",
    "OTHERS",
    "PRESET",
    "SETTINGS",
    "SPACE",
    "Csv",
    "Mapped",
    "Mapping",
    "MappingError",
    "Target",
    "chosen",
    "compiled",
    "is_rekeyed",
    "label_topic",
    "made",
    "marks",
    "presets",
    "read",
    "text_of",
    "topics",
]  # fmt: skip
