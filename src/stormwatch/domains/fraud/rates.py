"""Reference rates: what amounts of different currencies are worth beside each other.

A file of rates is TOML (schema/rates.md); the shipped one is rates.toml beside this file. The
setting `fraud.rates` names another, which takes its place whole. Rates are coarse and of one day:
they are for comparing amounts, and no amount is ever converted.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from hashlib import blake2b
from math import isfinite
from pathlib import Path

import msgspec

from stormwatch import named_texts
from stormwatch.domains.fraud.iso import CURRENCIES, WITHDRAWN, digits_of
from stormwatch.errors import SettingsError
from stormwatch.rules.files import text as text_of_file
from stormwatch.settings import Settings

PATH = Path(__file__).with_name("rates.toml")


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one currency that has a date or source of its own."""

    units_per_euro: float
    date: date
    source: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    date: date
    source: str
    units_per_euro: dict[str, float | Rate]


class Rates:
    """How amounts are counted in *points*, each worth about a cent of a euro.

    A currency worth a euro or nearly (`common`: EUR, USD, GBP, CHF …) has its own minor unit as its
    point, so that who uses one of these alone meets no rate at all.
    """

    def __init__(self, units_per_euro: Mapping[str, float], version: str) -> None:
        """`version`: what decisions name these rates by."""
        self.version = version
        self._euro: dict[str, int] = {
            code: max(1, round(rate * (1, 10, 100, 1000)[digits_of(code)]))
            for code, rate in units_per_euro.items()
        }
        """Minor units that are worth a euro."""
        self.common = frozenset(code for code, worth in self._euro.items() if 80 <= worth <= 125)
        """Currencies whose minor unit is a point."""
        self._hundred = {
            code: 100 if code in self.common else worth for code, worth in self._euro.items()
        }
        """Minor units that are a hundred points."""

    @property
    def euro(self) -> Mapping[str, int]:
        """Minor units that are worth a euro, of each currency that has a rate."""
        return self._euro

    def knows(self, currency: str) -> bool:
        """Whether it has a rate."""
        return currency in self._euro

    def is_common(self, currency: str) -> bool:
        """Whether its minor unit is a point: of `common`, and of what has no rate."""
        return self._hundred.get(currency, 100) == 100

    def points(self, minor: int, currency: str, other: str) -> int:
        """An amount in the points of the currency `other`, rounded down; at least one."""
        hundred = self._hundred.get(other, 100)
        if currency == other:
            return minor if hundred == 100 else max(1, minor * 100 // hundred)
        worth = minor * self._euro.get(other, 100) * 100
        return max(1, worth // (self._euro.get(currency, 100) * hundred))

    def of_points(self, count: int, currency: str) -> int:
        """The minor units that so many points of a currency are, rounded down."""
        return count * self._hundred.get(currency, 100) // 100


def parse(text: str, where: str) -> Rates:
    """The rates of a file. Taken whole or not at all: raises SettingsError that says what is
    wrong."""
    try:
        found = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(
            f"{where} contains no rates: {error}. It needs date, source and a table "
            "units_per_euro, as schema/rates.md shows."
        ) from error
    rates: dict[str, float] = {}
    for code, given in found.units_per_euro.items():
        rate = given.units_per_euro if isinstance(given, Rate) else given
        if code not in CURRENCIES and code not in WITHDRAWN:
            raise SettingsError(f"{where}: {code!r} is no ISO 4217 code of money in use.")
        if not isfinite(rate) or not 0 < rate < 1e9:
            raise SettingsError(
                f"{where}: {code} is {rate:g} units for a euro; a rate is above 0 and below 1e9."
            )
        rates[code] = rate
    if rates.get("EUR", 1.0) != 1.0:
        raise SettingsError(f"{where}: EUR is {rates['EUR']:g} for a euro; it has to be 1.")
    what = blake2b(text.strip().encode(), digest_size=4).hexdigest()
    return Rates({**rates, "EUR": 1.0}, f"rates-{found.date.isoformat()}#{what}")


@cache
def shipped() -> Rates:
    """Those that ship with Stormwatch: every currency that a payment may name."""
    return parse(PATH.read_text(encoding="utf-8"), PATH.name)


def chosen(settings: Settings) -> Rates:
    """Those of the setting fraud.rates: a file, on workers its text. Raises SettingsError."""
    value = settings.fraud_rates
    if not value:
        return shipped()
    if named_texts.is_text(value):
        return parse(value, "the file of fraud.rates")
    return parse(text_of_file(Path(value), "rates"), value)
