"""From the values of a record to those of an event: times, amounts, numbers, texts, ids. Pure.

Every reader takes the value as JSON gave it (text, number) and returns what the event's wire format
has, or raises Unusable with a code and the end of a sentence. Times keep their offset from UTC: a
domain may ask what hour of the day it was there.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from hashlib import blake2b
from math import floor, inf, isfinite
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stormwatch.parsing.mapping.document import Field

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,30})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DATE = r"\d{4}-\d\d-\d\d"
_ISO = {
    "%Y-%m-%d %H:%M:%S": re.compile(_DATE + r" \d\d:\d\d:\d\d", re.ASCII),
    "%Y-%m-%dT%H:%M:%S": re.compile(_DATE + r"T\d\d:\d\d:\d\d", re.ASCII),
    "%Y-%m-%d %H:%M": re.compile(_DATE + r" \d\d:\d\d", re.ASCII),
    "%Y-%m-%d": re.compile(_DATE, re.ASCII),
}
"""Patterns that `datetime.fromisoformat` reads, ten times as fast; it takes much more."""
_PER_S = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
_WHOLE_MAX = 10**300
DIGITS = 25
"""Python refuses to read numbers of thousands of digits."""
LEAST_MS, MOST_MS = 62_135_596_800_000, 253_402_300_799_999  # of the years 1 to 9999


class Unusable(Exception):
    """A value that its field cannot be read from: `code` as in `parsing.batch.CODES`."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


def text(value: Any) -> str:
    """Text as it is; a whole number as its digits. Raises Unusable for anything else."""
    if value.__class__ is str:
        return str(value)
    if value.__class__ is int:
        return str(value)
    raise Unusable("wrong_type", "is neither a text nor a whole number")


def whole(value: Any) -> int:
    """A whole number, also as text or as 12.0. Raises Unusable."""
    if value.__class__ is int:
        return int(value)
    exact = _exact(value)
    if exact != exact.to_integral_value():
        raise Unusable("wrong_type", "is not a whole number")
    return int(exact)


_FLOAT = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", re.ASCII)


def number(value: Any) -> float:
    """A measured number, also as text, also as 6.4e-3. Finite. Raises Unusable."""
    if value.__class__ is float:
        return float(value)  # JSON has no others than finite ones
    if value.__class__ is int:
        found = float(value) if abs(value) < _WHOLE_MAX else inf
    elif value.__class__ is str and _FLOAT.fullmatch(written := value.strip()):
        found = float(written)
    else:
        raise Unusable("wrong_type", "is not a number")
    if not isfinite(found):
        raise Unusable("out_of_range", "is not a finite number")
    return found


def number_with_comma(value: Any) -> float:
    """As `number`, of texts whose decimal sign is a comma. Raises Unusable."""
    if value.__class__ is str:
        if "." in value:
            raise Unusable("wrong_type", "has a point, but its decimal sign is a comma")
        value = value.replace(",", ".")
    return number(value)


def _is_whole(written: str) -> bool:
    return len(written) < DIGITS and written.isascii() and written.isdecimal()


def _exact(value: Any) -> Decimal:
    """What was written, digit by digit. Raises Unusable."""
    return Decimal(repr(value) if value.__class__ in (int, float) else _written(value))


def _written(value: Any) -> str:
    if value.__class__ is str and _NUMBER.fullmatch(value.strip()):
        return str(value.strip())
    raise Unusable("wrong_type", "is not a number")


@lru_cache(maxsize=4096)
def stable_id(values: tuple[str, ...]) -> str:
    """An id made of other fields: the same for the same texts, for ever. Begins with a letter.

    The first 80 bits of BLAKE2b over the texts, each ended by a zero byte: among a million ids of
    one entity two collide with a probability below 1e-12.
    """
    joined = "".join(f"{value}\0" for value in values).encode(errors="surrogatepass")
    return "h" + blake2b(joined, digest_size=10).hexdigest()


def amount(field: Field, digits: int) -> Callable[[Any], int]:
    """A reader of money in a currency whose minor unit has so many digits: value to minor units.

    Exact: an amount that is not a whole number of minor units is Unusable, unless the mapping
    says to round it. Below zero where the mapping says that it goes back to the customer.
    """
    major, negative = field.unit == "major", field.negative
    rounds = field.fraction == "round"
    sign, thousands = field.decimal_sign, field.thousands
    plain = major and sign == "." and not thousands and negative != "spent"

    def take(value: Any) -> int:
        if plain and value.__class__ is str:  # 12.50, as most are written
            whole, _, rest = value.partition(".")
            if whole and len(rest) == digits and len(value) < DIGITS and value.isascii():
                written = whole + rest
                if written.isdecimal():
                    return int(written)
        exact = Decimal(_money_text(value, sign, thousands)) * (10**digits if major else 1)
        minor = int(exact.to_integral_value(ROUND_HALF_EVEN)) if rounds else int(exact)
        if minor != exact and not rounds:
            raise Unusable("out_of_range", "has a fraction of the currency's minor unit")
        if minor < 0 and negative == "refuse":
            why = 'is negative; say negative = "spent", "refund" or "absolute" as the sign means'
            raise Unusable("out_of_range", why)
        if negative == "spent":
            return -minor
        return minor if negative == "refund" else abs(minor)

    return take


def _money_text(value: Any, sign: str, thousands: str) -> str:
    if value.__class__ in (int, float):
        return repr(value)
    if value.__class__ is not str:
        raise Unusable("wrong_type", "is not an amount")
    written: str = value.strip()
    if thousands:
        written = written.replace(thousands, "")
    if sign == ",":
        if "." in written:
            raise Unusable("wrong_type", "has a point, but its decimal sign is a comma")
        written = written.replace(",", ".")
    if not _NUMBER.fullmatch(written):
        raise Unusable("wrong_type", "is not an amount")
    return written


def time(field: Field) -> Callable[[Any], datetime | int]:
    """A reader of times: value to an aware datetime, in whole milliseconds, what is finer is cut;
    of the forms epoch_… to the milliseconds themselves.

    Raises Unusable where the zone is unknown, when it is made.
    """
    form = field.form or ""
    if form == "rfc3339":
        return _rfc3339
    if form in _PER_S:
        return _epoch(_PER_S[form])
    if form == "step":
        since = _rfc3339(field.since)
        step = Decimal(repr(field.step_s)) * 1000
        return lambda value: since + timedelta(milliseconds=int(whole(value) * step))
    if "%z" in form:
        return lambda value: _cut(_parsed(text(value), form))
    return _local(form, field)


def _rfc3339(value: Any) -> datetime:
    written = text(value).strip()
    if not _RFC3339.fullmatch(written):
        if _RFC3339.fullmatch(written + "Z"):
            raise Unusable("bad_time", "has no offset from UTC: name its zone in the mapping")
        raise Unusable("bad_time", "is not RFC 3339")
    try:
        return _cut(datetime.fromisoformat(written.upper()))
    except ValueError as error:
        raise Unusable("bad_time", "is no moment that exists") from error


def _epoch(per_s: int) -> Callable[[Any], int]:
    def take(value: Any) -> int:
        if value.__class__ is int:
            ms = value * 1000 // per_s
        elif value.__class__ is str and _is_whole(value):
            ms = int(value) * 1000 // per_s
        else:
            exact = _exact(value)
            ms = floor(exact * 1000 / per_s)
        if not -LEAST_MS <= ms <= MOST_MS:
            raise Unusable("out_of_range", "is no time of this calendar: is its unit another?")
        return ms

    return take


def _local(form: str, field: Field) -> Callable[[Any], datetime]:
    zone = known_zone(field.zone or "")
    iso = _ISO.get(form)

    def take(value: Any) -> datetime:
        written = text(value).strip()
        if iso is not None and iso.fullmatch(written):
            try:
                found = datetime.fromisoformat(written)
            except ValueError as error:
                raise Unusable("bad_time", f"does not fit {form!r}") from error
        else:
            found = _parsed(written, form)
        first = found.replace(tzinfo=zone)
        early, late = first.utcoffset(), first.replace(fold=1).utcoffset()
        if early != late and early is not None and late is not None:
            first = _chosen(first, early > late, field)
        return _cut(first)

    return take


def _chosen(first: datetime, is_twice: bool, field: Field) -> datetime:
    """Of a local time at which clocks change, the moment that the mapping chooses."""
    if is_twice:
        if field.twice == "refuse":
            why = f'happens twice in {field.zone}: say twice = "earlier" or "later"'
            raise Unusable("bad_time", why)
        return first if field.twice == "earlier" else first.replace(fold=1)
    if field.never == "refuse":
        why = f'never happens in {field.zone}: say never = "shift" to take it as if clocks had '
        raise Unusable("bad_time", f"{why}not been set forward")
    return first


def _parsed(written: str, form: str) -> datetime:
    try:
        return datetime.strptime(written, form)  # noqa: DTZ007 - the zone is the mapping's
    except ValueError as error:
        raise Unusable("bad_time", f"does not fit {form!r}") from error


def _cut(found: datetime) -> datetime:
    if found.microsecond % 1000:
        found = found.replace(microsecond=found.microsecond // 1000 * 1000)
    return found


@lru_cache(maxsize=64)
def known_zone(name: str) -> ZoneInfo:
    """The zone of that name. Raises Unusable: such a name, or the machine's tz database, lacks."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Unusable("bad_time", f"names the zone {name!r}, which this machine's tz database "
                       "does not have (package tzdata)") from error  # fmt: skip
