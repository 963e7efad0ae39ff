"""Amounts: in words, how large one may be, and how one compares with amounts in other currencies.

Money is whole minor units of its own currency, and is never converted. What is compared (features,
windows, the thresholds of rules, what a model learned) is counted in *points*, each worth about a
cent of a euro, by the reference rates beside this file: coarse, of one day, good for orders of
magnitude and no more. A currency worth a euro or nearly (COMMON: EUR, USD, GBP, CHF …) has its own
minor unit as its point, so that who uses one of these alone meets no rate at all.
"""

from pathlib import Path

import msgspec

from stormwatch.domains.fraud.iso import CURRENCIES, WITHDRAWN

_WHOLE = frozenset({
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""ISO 4217 currencies whose minor unit is not a hundredth."""


class _Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    source: str
    units_per_euro: dict[str, float]


RATES = msgspec.json.decode(
    Path(__file__).with_name("reference_rates.json").read_bytes(), type=_Rates
)


def digits(currency: str) -> int:
    """Decimal digits of the currency's minor unit. Raises KeyError for what is no money in use."""
    if currency not in CURRENCIES and currency not in WITHDRAWN:
        raise KeyError(currency)
    return _digits(currency)


def _digits(currency: str) -> int:
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


_EURO: dict[str, int] = {
    code: round(rate * 10 ** _digits(code)) for code, rate in RATES.units_per_euro.items()
}
"""Minor units that are worth a euro."""
COMMON = frozenset(code for code, worth in _EURO.items() if 80 <= worth <= 125)
"""Currencies whose minor unit is a point."""
_HUNDRED = {code: 100 if code in COMMON else worth for code, worth in _EURO.items()}
"""Minor units that are a hundred points."""
LIMITS = {code: max(10**9, 10**7 * worth) for code, worth in _EURO.items()}
"""The greatest amount taken, minor units: some 10,000,000 EUR."""


def money(minor: int, currency: str) -> str:
    """An amount of minor units as a person writes it: money(52300, "EUR") is "523.00 EUR"."""
    if not (places := _digits(currency)):
        return f"{minor} {currency}"
    whole, rest = divmod(minor, 10**places)
    return f"{whole}.{rest:0{places}d} {currency}"


def is_common(currency: str) -> bool:
    """Whether its minor unit is a point: of COMMON, and of what the table does not know."""
    return _HUNDRED.get(currency, 100) == 100


def points(minor: int, currency: str, other: str) -> int:
    """An amount in the points of the currency `other`, rounded down; at least one."""
    hundred = _HUNDRED.get(other, 100)
    if currency == other:
        return minor if hundred == 100 else max(1, minor * 100 // hundred)
    worth = minor * _EURO.get(other, 100) * 100
    return max(1, worth // (_EURO.get(currency, 100) * hundred))


def of_points(count: int, currency: str) -> int:
    """The minor units that so many points of a currency are, rounded down."""
    return count * _HUNDRED.get(currency, 100) // 100
