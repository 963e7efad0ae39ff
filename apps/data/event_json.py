"""JSON that is not one object a line: arrays, objects over several lines, whatever follows."""

import codecs
import json
import re
from collections.abc import Iterator

from apps.data.event_formats import JsonLines
from apps.data.publish import Event
from apps.data.text_files import PIECE, Text
from stormwatch.adapters.kafka.buffered_source import MAX_RECORD_BYTES

_SPACE = re.compile(r"[ \t\r\n]*")
_find_end = json.JSONDecoder(object_pairs_hook=len, parse_int=len, parse_float=len).raw_decode
"""Only to find where a value ends: the bytes are sent as they are."""


class JsonValues:
    """The values of a file's arrays, and those that stand outside of any, as they are.

    One value at a time is in memory, however long the array is.
    """

    def __init__(self, events: str) -> None:
        self._event = JsonLines(events).event

    def __call__(self, text: Text) -> Iterator[Event]:
        """Raises FileError at what is no JSON: where the next value begins nobody can say."""
        buffer = _Buffer(text)
        in_array = False
        while char := buffer.next_char():
            if not in_array and char == "[":
                in_array = True
            elif in_array and char == "]":
                in_array = False
            elif not (in_array and char == ","):
                yield self._event(buffer.take_value())
                continue
            buffer.skip_char()
        if in_array:
            raise text.error("ends inside the array: the file is incomplete")


class _Buffer:
    """The text from the next value on."""

    def __init__(self, text: Text) -> None:
        self._file, self._pieces = text, text.pieces()
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._text, self._at, self._ended = "", 0, False
        text.line = 1

    def next_char(self) -> str:
        """What stands behind white space, "" at the end."""
        while True:
            self._skip_to(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._fill(PIECE)

    def skip_char(self) -> None:
        self._skip_to(self._at + 1)

    def take_value(self) -> bytes:
        """The value that begins here. Raises FileError."""
        while True:
            have = len(self._text) - self._at
            try:
                _, end = _find_end(self._text, self._at)
                if end < len(self._text) or self._ended:  # a number may go on
                    value = self._text[self._at : end].encode("utf-8", "surrogateescape")
                    self._skip_to(end)
                    return value
            except RecursionError as error:
                raise self._file.error("begins a value that is nested too deeply") from error
            except ValueError as error:
                if self._ended or have > MAX_RECORD_BYTES:
                    raise self._file.error(
                        "begins a value that is not JSON, or is longer than "
                        f"{MAX_RECORD_BYTES >> 20} MB: {str(error).partition(': line')[0]}"
                    ) from error
            self._fill(max(have, PIECE))

    def _skip_to(self, at: int) -> None:
        self._file.line += self._text.count("\n", self._at, at)
        self._at = at

    def _fill(self, characters: int) -> None:
        """Append so many and drop what was taken."""
        parts = [self._text[self._at :]]
        while characters > 0 and not self._ended:
            piece = next(self._pieces, b"")
            self._ended = not piece
            parts.append(self._decode(piece, self._ended))
            characters -= len(parts[-1])
        self._text, self._at = "".join(parts), 0
