"""Amounts in words."""

_WHOLE = frozenset({
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""ISO 4217 currencies whose minor unit is not a hundredth."""


def money(minor: int, currency: str) -> str:
    """An amount of minor units as a person writes it: money(52300, "EUR") is "523.00 EUR"."""
    if currency in _WHOLE:
        return f"{minor} {currency}"
    digits = 3 if currency in _THOUSANDTHS else 2
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}d} {currency}"
