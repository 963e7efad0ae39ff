"""Progress told in steps: each once, and again only every five seconds while it lasts.

On a terminal what goes on is one line that renews itself, with a bar where its end is known.
"""

import re
import sys
from collections.abc import Callable
from time import monotonic
from typing import TextIO

REPEAT_S = 5.0
_OF = re.compile(r"(?P<done>\d+) of (?P<all>\d+)\b")
_LASTS = re.compile(r", \d+ s$")
_BAR = 20
_PLAIN = str.maketrans("█░", "#.")


class Steps:
    """A `Progress` that passes on to `say` what is new.

    With `renew`, what only counts on goes there instead, all steps in one line; "" ends it.
    """

    def __init__(
        self,
        say: Callable[[str, str], None],
        clock: Callable[[], float] = monotonic,
        renew: Callable[[str], None] | None = None,
    ) -> None:
        self._say = say
        self._clock = clock
        self._renew = renew
        self._said: dict[str, tuple[str, float]] = {}
        self._open: dict[str, str] = {}

    def __call__(self, step: str, detail: str) -> None:
        counts = _OF.match(detail) or _LASTS.search(detail)
        if self._renew and counts:
            self._open[step] = f"{step}: {bar(detail)}"
            self._renew("  ".join(self._open.values()))
            return
        if self._renew and self._open:
            self._open.pop(step, None)
            self._renew("")
        # "waiting for its port, 3 s" and "waiting for its port, 4 s" are the same step.
        kind = _OF.sub("", _LASTS.sub("", detail)) if counts else detail
        now = self._clock()
        said, at = self._said.get(step, ("", 0.0))
        if kind != said or now - at >= REPEAT_S:
            self._said[step] = (kind, now)
            self._say(step, detail)


def bar(detail: str) -> str:
    """The detail, with a bar before "3 of 12 …"."""
    found = _OF.match(detail)
    if not found or int(found["all"]) == 0:
        return detail
    full = min(_BAR, _BAR * int(found["done"]) // int(found["all"]))
    return f"{'█' * full}{'░' * (_BAR - full)} {detail}"


def renewing(stream: TextIO, width: Callable[[], int]) -> Callable[[str], None]:
    """What writes a line of a terminal over and over."""

    try:
        blocks = bool("█░".encode(stream.encoding or "ascii"))
    except UnicodeEncodeError:
        blocks = False

    def renew(text: str) -> None:
        shown = text[: max(width() - 1, 0)]
        stream.write(f"\r\033[K{shown if blocks else shown.translate(_PLAIN)}")
        stream.flush()

    return renew


def on_terminal(stream: TextIO = sys.stderr) -> Callable[[str], None] | None:
    """What renews a line of this stream; None where it is no terminal."""
    import shutil

    if not stream.isatty():
        return None
    return renewing(stream, lambda: shutil.get_terminal_size().columns)
