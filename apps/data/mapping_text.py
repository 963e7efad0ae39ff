"""A proposed mapping as TOML, with the reasons as comments. Pure."""

import json
import re
from typing import Any

from apps.data.proposal import Proposal

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def written(proposal: Proposal, head: str, schema: str) -> str:
    """The document; `head` says in a line of comment where it comes from, `schema` (a path) helps
    editors to complete and check it."""
    parts = [f"#:schema {schema}", _commented(head)]
    parts += [f"{name} = {toml(value)}" for name, value in proposal.top.items()]
    for guess in proposal.guesses:
        parts += ["", _commented(guess.reason), f"[{guess.table}]"]
        parts += [f"{_key(name)} = {toml(value)}" for name, value in guess.keys.items()]
    if proposal.left:
        parts += ["", "# Nothing is made of these:"]
        parts += [_commented(f"{path}: {why}") for path, why in proposal.left]
    return "\n".join(parts) + "\n"


def toml(value: Any) -> str:
    """A value as TOML has it, on one line."""
    if isinstance(value, str):  # what JSON escapes is escaped alike, and one thing more
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)} = {toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml(name)


def _commented(text: str) -> str:
    return "# " + " ".join("".join(c if c.isprintable() else " " for c in text).split())
