"""The table [runtime] at the end of a rules file: lists and snoozes that commands change. Pure.

It is written whole below a line of its own, so that what a person wrote above stays as it is.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from stormwatch.errors import SettingsError
from stormwatch.parsing.toml_document import Document
from stormwatch.rules.document import File, Runtime, Snooze

MARK = "# Below: changed by ./stormwatch rules list, ./stormwatch rules snooze."
KEPT = timedelta(days=30)
"""A snooze that ended so long ago is left out: no event of that time is still decided."""


def file_of(text: str, where: str) -> File:
    """Raises SettingsError."""
    document = Document(text, where, SettingsError)
    file: File = document.converted(document.tables(), File)
    return file


def with_runtime(text: str, runtime: Runtime) -> str:
    """The file with this in the place of what was below."""
    above = _above(text)
    return f"{above}\n\n{MARK}\n{_written(runtime)}" if _written(runtime) else f"{above}\n"


def _above(text: str) -> str:
    """What a person wrote, also where that was put below what commands wrote."""
    above, _, below = text.partition(MARK)
    parts = re.split(r"(?m)^(?=[ \t]*\[)", below)
    own = [part for part in parts[1:] if not re.match(r"[ \t]*\[+[ \t]*runtime\b", part)]
    return "\n\n".join(part.strip("\n") for part in (above, *own))


def carried(text: str, before: str) -> str:
    """A file that a person wrote, with what commands changed of the one that is in force.

    Unchanged where it has a table [runtime] of its own: it was made of that one.
    """
    if MARK in text or file_of(text, "the rules").runtime != Runtime():
        return text
    return with_runtime(text, file_of(before, "the rules in force").runtime)


def listed(text: str, name: str) -> list[str]:
    """Of the list of that name. Raises SettingsError where there is none."""
    file = file_of(text, "the rules in force")
    lists = file.lists | file.runtime.lists
    if name not in lists:
        known = ", ".join(sorted(lists)) or "none"
        raise SettingsError(
            f"There is no list {name!r}; there are: {known}. A list begins in the rules file: "
            f'[lists] with {name} = ["c-17"].'
        )
    return lists[name]


def changed_list(text: str, name: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> str:
    """The file with a list that has these more, and those no more."""
    gone = set(remove)
    found = dict.fromkeys((*listed(text, name), *add))
    values = [value for value in found if value not in gone]
    runtime = file_of(text, "the rules in force").runtime
    return with_runtime(text, Runtime({**runtime.lists, name: values}, runtime.snooze))


def snoozed(text: str, rule: str, entity: str, until: datetime | None, now: datetime) -> str:
    """The file with a rule snoozed for an entity; `until` None ends that."""
    runtime = file_of(text, "the rules in force").runtime
    kept = [
        each for each in runtime.snooze
        if (each.rule, each.entity) != (rule, entity) and each.until > now - KEPT
    ]  # fmt: skip
    if until is not None:
        kept.append(Snooze(rule, entity, until))
    return with_runtime(text, Runtime(runtime.lists, kept))


def _written(runtime: Runtime) -> str:
    lines = []
    if runtime.lists:
        lines.append("\n[runtime.lists]")
        for name, values in sorted(runtime.lists.items()):
            lines.append(f"{name} = [{', '.join(map(_quoted, values))}]")
    for each in runtime.snooze:
        until = each.until.astimezone(UTC).isoformat().replace("+00:00", "Z")
        lines += [
            "\n[[runtime.snooze]]", f"rule = {_quoted(each.rule)}",
            f"entity = {_quoted(each.entity)}", f"until = {until}",
        ]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)


def _quoted(value: str) -> str:
    """A JSON string is a TOML basic string but for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
