"""Lines of a demo as a terminal shows them: wrapped below themselves, outcomes in colour."""

import re
import textwrap
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

_INDENT = 18
"""Where the narrator's reasons begin."""
_FEW = 6
_MOMENT = re.compile(r" *\d+:\d\d ")
_STYLES = {
    r"\b(DECLINE|SERVICE)\b": "bold red",
    r"\b(REVIEW|WATCH)\b": "bold yellow",
    r"\bSENSOR_FAULT\b": "bold magenta",
    r"\[(planted|in truth)[^\]]*\]": "green",
    r"\[not planted[^\]]*\]": "magenta",
    r"`\./stormwatch [^`]*`": "bold cyan",
    r"^ *\d+:\d\d\b": "dim",
    r"\b(unaccounted|conflicting|in flight) [1-9][\d,]*": "bold red",
}


def wrapped(colours: bool, console: Console | None = None) -> Callable[[str], None]:
    """What prints a line: no word is cut, what goes on stands below where it began."""
    screen = console or Console(no_color=not colours, highlight=False)

    def say(line: str) -> None:
        lead = len(line) - len(line.lstrip())
        reasons = lead == _INDENT
        indent = _INDENT if _MOMENT.match(line) else lead or _FEW
        whole = textwrap.fill(
            line.strip(),
            screen.width,
            initial_indent=line[:lead],
            subsequent_indent=" " * min(indent, screen.width // 3),
        )
        text = Text(whole, style="dim" if reasons else "")
        for pattern, style in _STYLES.items():
            text.highlight_regex(pattern, style)
        screen.print(text, soft_wrap=True)

    return say
