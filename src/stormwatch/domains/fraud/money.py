"""Amounts in words, and the digits of currencies."""

from stormwatch.domains.fraud.iso import CURRENCIES, WITHDRAWN

_WHOLE = frozenset({
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""ISO 4217 currencies whose minor unit is not a hundredth."""


def digits(currency: str) -> int:
    """Decimal digits of the currency's minor unit. Raises KeyError for what is no money in use."""
    if currency not in CURRENCIES and currency not in WITHDRAWN:
        raise KeyError(currency)
    return _digits(currency)


def _digits(currency: str) -> int:
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def money(minor: int, currency: str) -> str:
    """An amount of minor units as a person writes it: money(52300, "EUR") is "523.00 EUR"."""
    if not (places := _digits(currency)):
        return f"{minor} {currency}"
    whole, rest = divmod(minor, 10**places)
    return f"{whole}.{rest:0{places}d} {currency}"
