"""What would have cleared a payment: the smallest change of one field, found by scoring again.

Of a stored decision and its event. Features that depend on the field are made again by their own
formulas from what was recorded; the judge itself then decides, at most SCORES times. So what is
told was verified; and where the judge in use does not decide the payment as it was stored (another
model, other rules), nothing is told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nan
from typing import NamedTuple

import msgspec
import numpy as np

from stormwatch.domains.fraud import terminals
from stormwatch.domains.fraud.details import Carry, Told, distance_km
from stormwatch.domains.fraud.domain import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.domains.fraud.money import money
from stormwatch.reasons.catalogue import flips as texts
from stormwatch.reasons.flip import Flip
from stormwatch.state.judge import Verdict

GRID = 48
"""Amounts that are tried at once, twice."""
SCORES = 2 * GRID + 2 + 24 + 3
_HOUR_MS = 3_600_000
_AT = {name: at for at, name in enumerate(FEATURE_NAMES)}


class _Changed(NamedTuple):
    event: Transaction
    row: tuple[float, ...]
    carry: Carry


Row = tuple[float, ...]


def flips(fraud: Fraud, event: Transaction, row: Row, outcome: str, score: float) -> list[Flip]:
    """Of an alert of this outcome and score, by field: the amount first, if half of it or more
    would have been cleared, and last otherwise."""
    carry = _carry(event, row)
    (now,) = fraud.decide([event], [row], [carry])
    if (now.outcome, now.score) != (outcome, score) or outcome not in fraud.alert_outcomes:
        return []

    def cleared(tried: Sequence[_Changed]) -> list[tuple[bool, Verdict]]:
        verdicts = fraud.decide(*map(list, zip(*tried, strict=True)))
        return [(one.outcome not in fraud.alert_outcomes, one) for one in verdicts]

    whole = _Changed(event, row, carry)
    others = [*_hours(whole, cleared), *_simple(whole, cleared)]
    by_amount, share = _amount(fraud, whole, cleared)
    return [*by_amount, *others] if share >= 0.5 else [*others, *by_amount]


_Cleared = Callable[[Sequence[_Changed]], list[tuple[bool, Verdict]]]


def _amount(fraud: Fraud, whole: _Changed, cleared: _Cleared) -> tuple[list[Flip], float]:
    """The largest amount below that clears it, and its share of what it was."""
    event, row, carry = whole
    rates, currency = fraud.rates, event.currency

    def changed(amount: int) -> _Changed:
        made = with_amount(row, rates.points(amount, currency, currency))
        return _Changed(msgspec.structs.replace(event, amount=amount), made, carry)

    if not rates.knows(currency) or changed(event.amount).row[0] != row[0]:
        return [], 0.0  # its customer's windows are in another currency
    tried = np.unique(np.geomspace(1, event.amount, GRID).astype(np.int64)).tolist()
    found = [is_clear for is_clear, _ in cleared([changed(each) for each in tried])]
    if not any(found):
        return [], 0.0
    at = max(nth for nth, is_clear in enumerate(found) if is_clear)
    between = np.unique(np.linspace(tried[at], tried[at + 1], GRID).astype(np.int64)).tolist()
    clear = [is_clear for is_clear, _ in cleared([changed(each) for each in between])]
    best = max(each for each, is_clear in zip(between, clear, strict=True) if is_clear)
    plain = best - best % (100 if best >= 1_000 else 1)
    (is_plain, first), (_, second) = cleared([changed(plain), changed(best)])
    amount, verdict = (plain, first) if is_plain else (best, second)
    said = texts("fraud")["amount_or_less" if all(found[:at]) else "amount"]
    was, now = money(event.amount, currency), money(amount, currency)
    flip = Flip("amount", was, now, said.format(was=was, now=now), verdict.score)
    return [flip], amount / event.amount


def _hours(whole: _Changed, cleared: _Cleared) -> Iterator[Flip]:
    """The nearest other hour of the day, by the record's own clock."""
    event, row, carry = whole
    was = int(row[_AT["hour"]])
    hours = sorted(range(24), key=lambda hour: min((hour - was) % 24, (was - hour) % 24))[1:]
    tried = []
    for hour in hours:
        values = {"hour": float(hour), "night": 1.0 if hour < 7 else 0.0}
        moved = msgspec.structs.replace(event, time=event.time + (hour - was) * _HOUR_MS)
        tried.append(_Changed(moved, _with(row, values), carry))
    for hour, (is_clear, verdict) in zip(hours, cleared(tried), strict=True):
        if is_clear:
            said = texts("fraud")["hour"].format(was=was, now=hour)
            yield Flip("time", f"{was} h", f"{hour} h", said, verdict.score)
            return


def _simple(whole: _Changed, cleared: _Cleared) -> Iterator[Flip]:
    """Fields whose other value is one of which nothing stands out."""
    event, row, carry = whole
    tried: dict[str, _Changed] = {}
    if row[_AT["country_changed"]]:
        home = msgspec.structs.replace(event, country="")
        tried["country"] = _Changed(home, _with(row, {"country_changed": 0.0}), carry)
    blank = dict(zip(terminals.NAMES, terminals.UNKNOWN, strict=True))
    if any(row[_AT[name]] != value for name, value in blank.items()):
        tried["terminal"] = _Changed(event, _with(row, blank), carry)
    if row[_AT["travel_km"]] and isinstance(carry, Told):
        near = carry._replace(distance_km=0.0, speed_kmh=0.0)
        still = {"travel_km": 0.0, "travel_kmh": 0.0}
        tried["place"] = _Changed(event, _with(row, still), near)
    if not tried:
        return
    for (field, _), (is_clear, verdict) in zip(
        tried.items(), cleared(list(tried.values())), strict=True
    ):
        if is_clear:
            was = getattr(event, field, "")
            yield Flip(field, str(was), "", texts("fraud")[field], verdict.score)


def with_amount(row: Row, amount: int) -> Row:
    """The features of a payment had it been of so many points: see `state` and `habits`."""
    known = dict(zip(FEATURE_NAMES, row, strict=False))
    values: dict[str, float] = {"amount": amount}
    for span in ("1h", "1d", "7d", "30d"):
        count, total = int(known[f"count_{span}"]), int(known[f"sum_{span}"])
        values[f"ratio_{span}"] = amount * 1000 * count // total / 1000 if count else 1
    values["z_30d"] = _z(known, amount)
    mean, apart = known["usual_mean"], known["usual_std"]
    if mean:
        values["usual_ratio"] = amount / mean
    if known["usual_count"] >= 3:
        least = mean / 10 if mean > 1000 else 100.0
        values["usual_z"] = (amount - mean) / max(apart, least)
    return _with(row, values)


def _z(known: Mapping[str, float], amount: int) -> float:
    """The spread of the month is recorded by the distance of the payment's own amount only."""
    if known["count_30d"] <= 2 or not known["z_30d"]:
        return known["z_30d"]
    mean = known["sum_30d"] / known["count_30d"]
    spread = (known["amount"] - mean) / known["z_30d"]
    return int((amount - mean) / spread * 1000) / 1000 if spread else 0.0


def _with(row: Row, values: Mapping[str, float]) -> Row:
    made = list(row)
    for name, value in values.items():
        made[_AT[name]] = value
    return tuple(made)


def _carry(event: Transaction, row: Row) -> Carry:
    """What was known besides: of distances what features and details tell."""
    more = event.more
    if more is None:
        return event.currency
    moved = row[_AT["travel_km"]], row[_AT["travel_kmh"]]
    distance, speed = moved if moved[0] else (nan, nan)
    away = nan
    if more.place is not None and more.customer_place is not None:
        away = distance_km(more.customer_place, more.place)
    return Told(event.currency, "", 0.0, distance, speed, away)
