"""Which equipment types a process knows: the shipped ones, and those that the settings name."""

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from stormwatch import named_texts
from stormwatch.domains.maintenance.equipment.document import Equipment, EquipmentError, read
from stormwatch.settings import Settings

_FOLDER_OF_MODEL = re.compile(r"""^(model\s*=\s*)(["'])(.+)\2""", re.M)
_FOLDER = files("stormwatch.domains.maintenance.equipment") / "types"


class Types(NamedTuple):
    """The types by name. `default` is that of a reading which names none."""

    default: Equipment
    by_name: dict[str, Equipment]

    def of(self, name: str) -> Equipment:
        """The type of a reading's `equipment`. Raises KeyError for one that is not known."""
        return self.by_name[name] if name else self.default


@cache
def shipped_names() -> tuple[str, ...]:
    """Names of the types that are shipped."""
    return tuple(sorted(one.name.removesuffix(".toml") for one in _FOLDER.iterdir()
                        if one.name.endswith(".toml")))  # fmt: skip


def _shipped_text(name: str) -> str:
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


@cache
def shipped(name: str) -> Equipment:
    """A shipped type. Raises KeyError for a name that none has."""
    if name not in shipped_names():
        raise KeyError(name)
    return read(_shipped_text(name), f"{name}.toml")


def texts_of(value: str) -> str:
    """The value of the setting maintenance.equipment as it travels to workers.

    These do not have the files: the text of each stands in its place. Raises EquipmentError.
    """
    return named_texts.joined(_text(part).text for part in named_texts.parts(value))


def chosen(settings: Settings) -> Types:
    """The types of the setting maintenance.equipment, and all that are shipped.

    Raises EquipmentError.
    """
    return _made(tuple(map(_text, named_texts.parts(settings.maintenance_equipment))))


class _Part(NamedTuple):
    """A type of the setting: its text, or the name of a shipped one; and where that is from."""

    text: str
    where: str


@cache
def _made(parts: tuple[_Part, ...]) -> Types:
    types = {name: shipped(name) for name in shipped_names()}
    default: Equipment | None = None
    for text, where in parts:
        if text in types:
            one = types[text]
        else:
            one = read(text, where)
            if one.name in shipped_names():
                raise EquipmentError(f"{where}: `name` is {one.name!r}, that of a shipped type.")
            if one.model == "turbofan":
                raise EquipmentError(
                    f'{where}: `model` is "turbofan", which was made for the shipped type of that '
                    'name alone; set model = "any", or "failure" with a model of your own.'
                )
            if one.failure is not None and not one.failure.model:
                raise EquipmentError(
                    f"{where}: `failure` names no model; set model = the folder that ./stormwatch "
                    "train maintenance --equipment, or model add, writes."
                )
            if types.get(one.name, one) != one:
                raise EquipmentError(f"{where}: `name` is {one.name!r}, that of another file, too.")
            types[one.name] = one
        default = default or one
    if default is None:
        raise EquipmentError(
            f"maintenance.equipment is empty; name a type ({', '.join(shipped_names())}) or a file."
        )
    return Types(default, types)


def default_types() -> Types:
    """Those of the settings as they are shipped."""
    return chosen(Settings())


def _text(part: str) -> _Part:
    """Raises EquipmentError."""
    if named_texts.is_text(part):
        return _Part(part, "the equipment type")
    if part in shipped_names():
        return _Part(part, part)
    try:
        return _Part(_rooted(Path(part).read_text(encoding="utf-8"), Path(part)), part)
    except (OSError, UnicodeDecodeError) as error:
        raise EquipmentError(
            f"maintenance.equipment names {part!r}, which is neither a shipped type "
            f"({', '.join(shipped_names())}) nor a file that can be read: {error}."
        ) from error


def _rooted(text: str, path: Path) -> str:
    """With the folder of its model as it is from here: in the file it is told from beside it."""

    def told(found: re.Match[str]) -> str:
        return f"{found[1]}{json.dumps(str((path.parent / found[3]).resolve()))}"

    before, failure, after = text.partition("\n[failure]")
    return before + failure + _FOLDER_OF_MODEL.sub(told, after, count=1)
