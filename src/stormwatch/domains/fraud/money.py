"""Amounts: in words, and how large one may be.

Money is whole minor units of its own currency, and is never converted. What is compared (features,
windows, the thresholds of rules, what a model learned) is counted in points, by reference rates:
`stormwatch.domains.fraud.rates`.
"""

from stormwatch.domains.fraud import rates
from stormwatch.domains.fraud.iso import CURRENCIES, WITHDRAWN, digits_of

LIMITS = {code: max(10**9, 10**7 * worth) for code, worth in rates.shipped().euro.items()}
"""The greatest amount taken, minor units: some 10,000,000 EUR at the shipped rates, whatever rates
payments are compared by."""


def digits(currency: str) -> int:
    """Decimal digits of the currency's minor unit. Raises KeyError for what is no money in use."""
    if currency not in CURRENCIES and currency not in WITHDRAWN:
        raise KeyError(currency)
    return digits_of(currency)


def money(minor: int, currency: str) -> str:
    """An amount of minor units as a person writes it: money(52300, "EUR") is "523.00 EUR"."""
    if not (places := digits_of(currency)):
        return f"{minor} {currency}"
    whole, rest = divmod(minor, 10**places)
    return f"{whole}.{rest:0{places}d} {currency}"
