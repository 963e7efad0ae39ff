"""Java's hash codes of JSON values, so that a key reaches the task that it reaches under Storm.

Storm's fields grouping takes `Math.floorMod(Arrays.deepHashCode(keys), tasks)`; its JSON reader
(json-smart 2.6, permissive) gives String, Integer, Long or BigInteger by size, Double (BigDecimal
for a text of more than 18 characters, here Decimal: `as_java`), Boolean, null, List and Map.
"""

import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

_DOUBLE_CHARS = 18


def _int32(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


def as_java(text: str) -> float | Decimal:
    """A JSON number that is no whole one: Double or BigDecimal, by the length of its text."""
    return float(text) if len(text) <= _DOUBLE_CHARS else Decimal(text)


def java_hash(value: Any) -> int:  # noqa: PLR0911
    """`value.hashCode()`. Raises TypeError for what JSON does not have."""
    match value:
        case None:
            return 0
        case bool():
            return 1231 if value else 1237
        case int():
            return _whole_number(value)
        case Decimal():
            return _big_decimal(value)
        case float():
            bits = int.from_bytes(struct.pack(">d", value), "big")
            return _int32(bits ^ bits >> 32)
        case str():
            code = 0
            units = value.encode("utf-16-be", "surrogatepass")
            for at in range(0, len(units), 2):
                code = (31 * code + units[at] * 256 + units[at + 1]) & 0xFFFF_FFFF
            return _int32(code)
        case list() | tuple():
            return list_hash(value)
        case dict():
            return _int32(sum(java_hash(k) ^ java_hash(v) for k, v in value.items()))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _whole_number(value: int) -> int:
    if -(1 << 31) <= value < 1 << 31:
        return value
    if -(1 << 63) <= value < 1 << 63:
        return _int32(value ^ (value & 0xFFFF_FFFF_FFFF_FFFF) >> 32)
    return _big_integer(value)


def _big_integer(value: int) -> int:
    code, rest, weight = 0, abs(value), 1
    while rest:  # words of 32 bits, the last one first
        code += weight * (rest & 0xFFFF_FFFF)
        rest, weight = rest >> 32, 31 * weight
    return _int32(-code if value < 0 else code)


def _big_decimal(value: Decimal) -> int:
    sign, digits, exponent = value.as_tuple()
    unscaled, scale = int("".join(map(str, digits))), -int(exponent)
    if unscaled < 1 << 63:
        code = _int32((unscaled >> 32) * 31 + (unscaled & 0xFFFF_FFFF))
        return _int32(31 * (-code if sign else code) + scale)
    return _int32(31 * _big_integer(-unscaled if sign else unscaled) + scale)


def list_hash(values: Sequence[Any]) -> int:
    """`List.hashCode()`, and `Arrays.deepHashCode` of the same elements."""
    code = 1
    for value in values:
        code = 31 * code + java_hash(value)
    return _int32(code)
