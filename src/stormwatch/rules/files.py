"""A file of rules, or of what goes with them, as text, and as workers get it. Without what reads
conditions."""

from pathlib import Path

from stormwatch import named_texts
from stormwatch.errors import SettingsError


def text(path: Path, what: str = "rules") -> str:
    """Of a file. Raises SettingsError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} contains no {what}: {error}. Fix it, or name another."
        ) from error


def text_of(value: str) -> str:
    """The value of a setting that names such a file as it travels to workers, who do not have it.

    Unchanged where the file cannot be read: that is said by who uses the rules, and by the lint
    before a start.
    """
    if not value or named_texts.is_text(value):
        return value
    try:
        return f"{text(Path(value))}\n"
    except SettingsError:
        return value
