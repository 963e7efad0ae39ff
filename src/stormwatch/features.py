"""A feature, declared once: the bolt, training, replay and evaluation read the same declaration.

A domain has one tuple of these, in the order of the rows that `advance` gives and a model takes.
docs/features.md is written from them (`./stormwatch schema features`).
"""

from collections.abc import Iterable
from typing import NamedTuple


class Feature(NamedTuple):
    """One number of an event, given what came before it."""

    name: str
    meaning: str
    """One sentence without its full stop."""
    unit: str = ""
    """"" for a plain number."""
    window: str = ""
    """What it looks back on, such as "30 d" or "10 readings"; "" for the event alone."""
    default: float = 0.0
    """Its value where nothing is known."""
    knows_simulator: bool = False
    """Whether it was designed knowing how a public data set was simulated: said wherever a figure
    that rests on it is shown."""


def names(features: Iterable[Feature]) -> tuple[str, ...]:
    """Their names in order. Raises ValueError for a name that is there twice."""
    found = tuple(feature.name for feature in features)
    if len(set(found)) < len(found):
        twice = sorted({name for name in found if found.count(name) > 1})
        raise ValueError(f"features of one name: {', '.join(twice)}")
    return found


def table(features: Iterable[Feature]) -> str:
    """A table in Markdown, a row each."""
    lines = ["| feature | meaning | unit | window | without a past |", "|---|---|---|---|---|"]
    for one in features:
        note = " (designed knowing a simulator)" if one.knows_simulator else ""
        lines.append(
            f"| `{one.name}` | {one.meaning}{note} | {one.unit} | {one.window} | {one.default:g} |"
        )
    return "\n".join(lines) + "\n"
