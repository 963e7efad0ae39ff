"""A TOML file that a person wrote: read into a struct, or refused with file, line and key."""

import re
import tomllib
from typing import Any, NamedTuple

import msgspec

from stormwatch.errors import SettingsError


class Document(NamedTuple):
    """The text of one file. `where` names it in messages; `error` is what its faults raise."""

    text: str
    where: str
    error: type[SettingsError]

    def tables(self) -> dict[str, Any]:
        """The whole document. Raises `error` where it is not TOML."""
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise self.error(f"{self.where} is not TOML: {error}.") from error

    def converted(self, raw: Any, kind: Any, at: str = "") -> Any:
        """`raw`, which stands under the dotted key `at`, as a `kind`. Raises `error`."""
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            at = (at + path.rstrip("`")).lstrip(".")
            raise self.wrong(at, f"{message[:1].lower()}{message[1:]}") from error

    def wrong(self, at: str, why: str) -> SettingsError:
        """To be raised: what is wrong with the value of a dotted key, "" for the whole."""
        line = line_of(self.text, at)
        place = f"{self.where}, line {line}" if line else self.where
        return self.error(f"{place}: `{at}` {why}." if at else f"{place}: {why}.")


def line_of(text: str, at: str) -> int:
    """The line of a dotted key, of its table or of what holds it; 0 where none is found."""
    steps = [step for step in re.split(r"[.\[\]]+", at) if step and step != "..."]
    while steps:
        whole, last = ".".join(steps), re.escape(steps[-1])
        table = re.compile(rf"^[ \t]*\[+[ \t]*{re.escape(whole)}\s*\]+", re.MULTILINE)
        if found := table.search(text):
            return text.count("\n", 0, found.start()) + 1
        parent = re.compile(
            rf"^[ \t]*\[+[ \t]*{re.escape('.'.join(steps[:-1]))}\s*\]+", re.MULTILINE
        )
        begin = found.end() if (found := parent.search(text)) and len(steps) > 1 else 0
        key = re.compile(rf'^[ \t]*"?(?:{re.escape(whole)}|{last})"?\s*=', re.MULTILINE)
        if found := key.search(text, begin):
            return text.count("\n", 0, found.start()) + 1
        steps.pop()
    return 0
