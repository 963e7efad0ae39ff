"""Which mapping the settings name, if any."""

from importlib.resources import files
from pathlib import Path

from stormwatch.parsing.mapping.apply import Mapped, Target, compiled
from stormwatch.parsing.mapping.document import MappingError, read
from stormwatch.settings import Settings

PRESET = "preset:"


def presets() -> list[str]:
    """Names of the mappings of public formats that are shipped."""
    folder = files("stormwatch.parsing.mapping") / "presets"
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name[0] != "_")


def text_of(value: str) -> str:
    """The TOML that the value of a setting `mapping.<events>` means; "" for none.

    It is the name of a file, `preset:NAME`, or the TOML itself: so it travels to workers, which do
    not have the file. Raises MappingError.
    """
    if "\n" in value or not value:
        return value
    if value.startswith(PRESET):
        name = value.removeprefix(PRESET)
        if name not in presets():
            raise MappingError(f"There is no preset {name!r}. There are: {', '.join(presets())}.")
        return (files("stormwatch.parsing.mapping") / "presets" / f"{name}.toml").read_text()
    try:
        return Path(value).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping {value} cannot be read: {error}.") from error


def made(value: str, target: Target) -> Mapped:
    """A mapping by its file, preset or text, ready for use. Raises MappingError."""
    where = "the mapping" if "\n" in value else value
    return compiled(read(text_of(value), where), target, where)


def chosen(settings: Settings, target: Target) -> Mapped | None:
    """The mapping of the target's events; None where none is set. Raises MappingError."""
    value: str = getattr(settings, f"mapping_{target.event}")
    return made(value, target) if value else None
