"""Money has a currency: which there are, how much is too much, what it is worth."""

import json

import pytest

from stormwatch.domains.fraud.iso import CURRENCIES, WITHDRAWN
from stormwatch.domains.fraud.parse import parse
from stormwatch.records import Rejection

NEVER_LATE = 4_000_000_000_000


def value(amount: int, currency: str, time: str = "2026-11-29T10:00:00Z") -> bytes:
    record = {
        "id": "t-1", "customer": "c-1", "terminal": "p-1", "time": time, "amount": amount,
        "currency": currency,
    }  # fmt: skip
    return json.dumps(record).encode()


def code_of(amount: int, currency: str, time: str = "2026-11-29T10:00:00Z") -> str:
    found = parse(value(amount, currency, time), NEVER_LATE, future_skew_ms=0)
    return found.code if isinstance(found, Rejection) else ""


@pytest.mark.parametrize(
    ("currency", "last"),
    [
        ("HRK", "2023-01-14"), ("SLL", "2023-12-31"), ("ZWL", "2024-08-31"),
        ("ANG", "2025-06-30"), ("BGN", "2026-01-31"),
    ],
)  # fmt: skip
def test_money_withdrawn_since_2023_is_known_until_its_last_day(currency: str, last: str) -> None:
    assert currency in WITHDRAWN and currency not in CURRENCIES
    assert code_of(1250, currency, f"{last}T23:59:59-12:00") == ""
    assert code_of(1250, currency, "2022-12-31T12:00:00Z") == ""
    late = parse(value(1250, currency, "2026-03-01T00:00:00Z"), NEVER_LATE, future_skew_ms=0)
    assert isinstance(late, Rejection) and late.code == "unknown_currency"
    assert f"was money until {last} only" in late.reason and "2026-03-01" in late.reason


def test_what_replaced_it_is_known() -> None:
    for currency in ("SLE", "ZWG", "XCG", "EUR"):
        assert code_of(1250, currency) == ""
    for currency in ("XAU", "XXX", "XTS", "CHE", "UYI", "XAD", "ZWR", "VEF"):
        assert code_of(1250, currency) == "unknown_currency"
