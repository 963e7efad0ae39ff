"""Features of payments that the setting `fraud.features` names: `stormwatch.own_features`."""

from functools import lru_cache
from pathlib import Path

from stormwatch import named_texts, own_features
from stormwatch.domains.fraud.details import NUMBERS, TEXTS
from stormwatch.domains.fraud.event import KINDS, Details, Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.own_features import OwnFeatures
from stormwatch.rules.files import text
from stormwatch.settings import Settings

TRIED = 1_000
"""Payments of one customer that a file is tried with."""
_START, _MINUTE = 1_790_000_000_000, 60_000


def chosen(settings: Settings) -> OwnFeatures | None:
    """Those of the setting: a file, on workers its text; None where it names none. Raises
    SettingsError."""
    value = settings.fraud_features
    if not value:
        return None
    if named_texts.is_text(value):
        return _parsed(value, "the file of fraud.features")
    return _parsed(text(Path(value), "features"), value)


def feature_names(settings: Settings) -> tuple[str, ...]:
    """Of all features of a payment, the user's own last. Raises SettingsError."""
    own = chosen(settings)
    return (*FEATURE_NAMES, *own.names) if own else FEATURE_NAMES


@lru_cache(4)
def _parsed(told: str, where: str) -> OwnFeatures:
    return own_features.parse(told, where, (*FEATURE_NAMES, *NUMBERS, *TEXTS), _payments)


def _payments() -> list[Transaction]:
    """Of one customer, each unlike the others: with details and without, now and then late."""
    made = []
    for nth in range(TRIED):
        more = None
        if nth % 3 == 0:
            place = (nth % 170 - 85.0, nth % 350 - 175.0)
            more = Details(kind=KINDS[nth % len(KINDS)], card=f"card-{nth % 5}", place=place)
        late = 90 * _MINUTE if nth % 17 == 5 else 0
        time = _START + nth * nth % 997 * _MINUTE + nth * 600 * _MINUTE - late
        made.append(
            Transaction(
                f"p-{nth}", "c", f"t-{nth}", time, 1 + nth * 7_919 % 900_000,
                ("EUR", "USD", "JPY")[nth % 3], f"shop {nth}" if nth % 2 else "",
                ("", "DE", "FR")[nth % 3], nth % 25 * 30 - 360, more,
            )
        )  # fmt: skip
    return made
