"""Settings that name files, or words, or are the files' texts. Pure.

A person gives names with commas between. To workers, which do not have the files, such a setting
travels as their texts.
"""

import re
from collections.abc import Iterable
from pathlib import PurePath

_BETWEEN = "\x1e"
"""Between texts, and words among them; no TOML has this character."""
_WORD = re.compile(r"[\w:-]*", re.ASCII)


def is_text(part: str) -> bool:
    """Whether a part is the text itself, and not a name: it has more than one line."""
    return "\n" in part


def parts(value: str) -> list[str]:
    """The names and texts of a value, in order."""
    if is_text(value):
        return value.split(_BETWEEN)
    return [name.strip() for name in value.split(",") if name.strip()]


def joined(some: Iterable[str]) -> str:
    """A value of these parts."""
    found = list(some)
    return (_BETWEEN if any(map(is_text, found)) else ",").join(found)


def in_folder(value: str, root: PurePath) -> str:
    """The value with names of files as they are from `root`; words (letters, digits, `_ : -`) and
    texts stay."""
    return joined(
        part if is_text(part) or _WORD.fullmatch(part) else str(root / part)
        for part in parts(value)
    )
