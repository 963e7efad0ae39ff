"""Card numbers in clear: found cheaply, masked before anything is kept.

A card number is 13 to 19 digits, in one run or in the groups printed on cards (4-4-4-4, 4-6-5),
that stand alone, begin as an issuer's do (ISO/IEC 7812) and end in a right check digit (Luhn).
Standing alone and the issuer keep hexadecimal ids, times and decimals from being taken for one.

Looked at is what a reader of the record gets, not its bytes: JSON's escapes (`\\u0034` is a 4, also
where one JSON text stands in another), digits of any script, and any space or dash between groups.
"""

import re
from collections.abc import Callable

_DIGIT, _OTHER, _VEIL = 0x30, 0x20, 0x01
_RUN = b"0" * 13

_CANDIDATE = re.compile(
    rb"(?:(?<![0-9A-Za-z])(?<![0-9]\.)|(?<=\\[nrtbf]))"  # an escaped line break is no letter
    rb"(?=3[04-9]|[456]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720))"
    rb"(?:[0-9]{13,19}"
    rb"|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}"
    rb"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})"
    rb"(?![0-9A-Za-z]|\.[0-9])"
)
_BEGUN = re.compile(rb"(?<![0-9A-Za-z])[2-6](?:[ -]?[0-9]){6,18}[ -]?\Z")  # six may be shown

_ESCAPED = re.compile(r"\\+u([0-9A-Fa-f]{4})")
"""A character as JSON escapes it, however many times."""
_WRITTEN = re.compile(r"\\+u[0-9A-Fa-f]{4}|.", re.DOTALL)
_CUT_ESCAPE = re.compile(rb"\\+(?:u[0-9A-Fa-f]{0,3})?\Z")
_ZEROS = (
    "0660 06f0 07c0 0966 09e6 0a66 0ae6 0b66 0be6 0c66 0ce6 0d66 0de6 0e50 0ed0 0f20 1040 1090 "
    "17e0 1810 1946 19d0 1a80 1a90 1b50 1bb0 1c40 1c50 a620 a8d0 a900 a9d0 a9f0 aa50 abf0 ff10 "
)
_SPACES = "".join(map(chr, (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_LIKE = (
    {chr(int(zero, 16) + digit): str(digit) for zero in _ZEROS.split() for digit in range(10)}
    | dict.fromkeys(_SPACES, " ")
    | dict.fromkeys(_DASHES, "-")
)
"""Digits of other scripts (each has its ten in a row), spaces and dashes, and what they are in
ASCII."""
_TABLE = str.maketrans(_LIKE)
_VEILS = {one.encode()[0] for one in _LIKE} | {ord("\\")}
_SHAPE = bytes(
    _VEIL if byte in _VEILS else _DIGIT if chr(byte) in "0123456789" else _OTHER
    for byte in range(256)
)
"""A byte's part in a card number: a digit, nothing, or perhaps the beginning of what stands for
one. One look at the bytes so tells that most records hold none."""
_ALIKE = re.compile(f"[{''.join(map(re.escape, _LIKE))}]")
_ALIKE_ESCAPED = re.compile(
    rb"\\u(?:002[0d]|003\d|"
    + "|".join(sorted({f"{ord(one):04x}"[:3] for one in _LIKE})).encode()
    + rb")",
    re.IGNORECASE,
)


def holds_card(value: bytes) -> bool:
    """Whether a card number stands in `value`. 0.3 µs where no 13 digits are in a row.

    (`find` takes half the time of `in`.)
    """
    shape = value.translate(_SHAPE, b" -")
    if _VEIL in shape and _is_veiled(value):
        value = _seen(value)
        shape = value.translate(_SHAPE, b" -")
    return shape.find(_RUN) >= 0 and any(_is_card(found[0]) for found in _CANDIDATE.finditer(value))


def mask(value: bytes) -> bytes:
    """`value` with all but the last four digits of every card number replaced by `*`."""
    if _is_veiled(value):
        return _mask_veiled(value, _CANDIDATE, _masked)
    return _CANDIDATE.sub(_masked, value) if _RUN in value.translate(_SHAPE, b" -") else value


def mask_end(value: bytes) -> bytes:
    """`value`, which was cut off, without the digits at its end that may begin a card number."""
    if _is_veiled(value):
        value = _CUT_ESCAPE.sub(b"", value)
        return _mask_veiled(value, _BEGUN, _all_masked)
    return _BEGUN.sub(_all_masked, value)


def mask_text(text: str) -> str:
    """As `mask`, of a text."""
    raw = text.encode(errors="surrogatepass")
    masked = mask(raw)
    return text if masked is raw else masked.decode(errors="surrogatepass")


def _is_veiled(value: bytes) -> bool:
    """Whether digits, or gaps between them, may be written otherwise than in ASCII."""
    if b"\\" in value and b"\\u" in value and _ALIKE_ESCAPED.search(value):
        return True
    return not value.isascii() and bool(_ALIKE.search(value.decode(errors="replace")))


def _seen(value: bytes) -> bytes:
    """What a reader sees, a byte a character."""
    text = _ESCAPED.sub(_unescaped, value.decode(errors="surrogateescape"))
    return text.translate(_TABLE).encode("ascii", "replace")


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _mask_veiled(
    value: bytes, pattern: re.Pattern[bytes], masked: Callable[[re.Match[bytes]], bytes]
) -> bytes:
    seen = _seen(value)
    after = pattern.sub(masked, seen)
    if after == seen:
        return value
    written = _WRITTEN.findall(value.decode(errors="surrogateescape"))
    text = "".join(
        one if new == old else "*" for one, old, new in zip(written, seen, after, strict=True)
    )
    return text.encode(errors="surrogateescape")


def _is_card(candidate: bytes) -> bool:
    digits = [byte - 0x30 for byte in reversed(candidate) if byte >= 0x30]
    doubled = sum(2 * digit - 9 * (digit > 4) for digit in digits[1::2])
    return (sum(digits[0::2]) + doubled) % 10 == 0


def _masked(found: re.Match[bytes]) -> bytes:
    number = found[0]
    return re.sub(rb"[0-9]", b"*", number[:-4]) + number[-4:] if _is_card(number) else number


def _all_masked(found: re.Match[bytes]) -> bytes:
    return re.sub(rb"[0-9]", b"*", found[0])
