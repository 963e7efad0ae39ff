"""What is printed reaches the screen as text, whoever wrote it and whatever the terminal can show.

Records come from outside: a control sequence in a payload, a key or an id would otherwise be obeyed
by the terminal of who looks at it.
"""

import io
import sys


def shown(text: str | bytes, keep: str = "") -> str:
    """`text` with the escape of each character that is not seen, but for those to `keep`."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def lines_shown(text: str | bytes) -> str:
    """As `shown`, of a text of several lines, such as a traceback."""
    return shown(text, keep="\n\t")


def print_in_any_encoding() -> None:
    """What the terminal's encoding cannot write is written as its escape, from now on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
