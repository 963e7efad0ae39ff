"""The customer's state: features equal an oracle over the raw events; the laws of the contract."""

from math import sqrt
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.state import (
    FEATURE_NAMES,
    LONG_AGO,
    MOST_COUNT,
    MOST_SQUARES,
    MOST_SUM,
    CustomerState,
    advance,
    new_state,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_700_000_000_000 // DAY * DAY + 12 * HOUR  # Tuesday 2023-11-14, 12:00 UTC
WINDOWS = {"1h": (10 * MINUTE, 6), "1d": (HOUR, 24), "7d": (DAY, 7), "30d": (3 * DAY, 10)}


def seen(state: CustomerState, event: Transaction) -> dict[str, float]:
    """Its features by name."""
    return dict(zip(FEATURE_NAMES, advance(state, event)[0], strict=True))


def pay(time: int, amount: int = 1000) -> Transaction:
    return Transaction("i", "c", "t", time, amount, "EUR")


GAPS = st.one_of(
    st.integers(0, 5 * MINUTE),
    st.integers(0, 3 * HOUR),
    st.integers(0, 5 * DAY),
    st.integers(-DAY, 0),  # comes late
    st.integers(0, 80 * DAY),
)
AMOUNTS = st.one_of(st.integers(1, 50_000), st.integers(1, 10**9))
HISTORIES = st.lists(st.tuples(GAPS, AMOUNTS), min_size=1, max_size=60).map(
    lambda steps: [
        pay(time, amount)
        for time, (_, amount) in zip(
            (NOON + sum(gap for gap, _ in steps[: i + 1]) for i in range(len(steps))),
            steps,
            strict=True,
        )
    ]
)


class Learned(NamedTuple):
    """An event that was learned, and the newest time then: what left a ring never comes back."""

    time: int
    amount: int
    newest: int


def oracle(past: list[Learned], event: Transaction) -> dict[str, float]:
    """The features as documented, from the raw events."""
    before = max((e.time for e in past), default=None)
    newest = event.time if before is None else max(before, event.time)
    since = LONG_AGO if before is None else (newest - before) // 1000
    features: dict[str, float] = {
        "amount": event.amount,
        "hour": event.time // HOUR % 24,
        "weekend": int((event.time // DAY + 3) % 7 in (5, 6)),
        "since_last": min(since, LONG_AGO),
        "seen": len(past),
        "z_30d": 0,
    }
    for name, (size, kept) in WINDOWS.items():
        amounts = [
            e.amount
            for e in past
            if e.time // size > newest // size - kept and e.time // size > e.newest // size - kept
        ]
        count, total = len(amounts), sum(amounts)
        features |= {
            f"count_{name}": count,
            f"sum_{name}": total,
            f"mean_{name}": total // count if count else 0,
            f"ratio_{name}": event.amount * 1000 * count // total / 1000 if count else 1,
        }
        if name == "30d" and count > 2:
            squares = sum(a * a for a in amounts)
            spread = sqrt((count * squares - total * total) / (count * (count - 1)))
            mean = total / count
            z = (event.amount - mean) / max(spread, mean / 10, 100)
            features["z_30d"] = int(z * 1000) / 1000
    return features


@given(HISTORIES)
@settings(max_examples=300)
def test_features_equal_an_oracle_over_the_raw_events(history: list[Transaction]) -> None:
    state, past = new_state(), list[Learned]()
    for event in history:
        features = seen(state, event)
        assert features == oracle(past, event)
        past.append(Learned(event.time, event.amount, state.newest))


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(CustomerState).decode


@given(HISTORIES, st.data())
def test_a_state_that_went_through_storage_is_the_same_bits(
    history: list[Transaction], data: st.DataObject
) -> None:
    kept, stored = new_state(), new_state()
    for event in history:
        if data.draw(st.booleans()):
            stored = decode(encode(stored))
        assert advance(kept, event) == advance(stored, event)
        assert encode(kept) == encode(stored)
        assert decode(encode(kept)) == kept


@given(HISTORIES)
def test_the_blob_has_a_fixed_bound(history: list[Transaction]) -> None:
    state = new_state()
    for event in history:
        advance(state, event)
        assert len(encode(state)) <= 600


def test_a_hot_and_rich_customer_saturates_and_does_not_overflow() -> None:
    state = new_state()
    full = (MOST_COUNT << 46) + MOST_SUM
    state.seen, state.newest, state.currency = 2**40, NOON, "EUR"
    for ring in (state.hour, state.day, state.week, state.month):
        ring[:] = [full] * len(ring)
    state.squares[:] = [MOST_SQUARES] * 10
    before = encode(state)
    features = seen(state, pay(NOON, 10**9))
    assert features["count_1d"] == 24 * MOST_COUNT
    assert features["sum_1d"] == 24 * MOST_SUM
    assert len(encode(state)) == len(before) <= 600
    assert state.month[NOON // (3 * DAY) % 10] == full
    msgspec.json.encode(features)


def test_a_bucket_fills_up_to_its_limit_one_event_at_a_time() -> None:
    state = new_state()
    advance(state, pay(NOON, 7))
    at = NOON // HOUR % 24
    state.day[at] = (MOST_COUNT - 1 << 46) + MOST_SUM - 5
    state.month[NOON // (3 * DAY) % 10] = state.day[at]
    advance(state, pay(NOON, 7))
    assert state.day[at] == (MOST_COUNT << 46) + MOST_SUM
    advance(state, pay(NOON, 7))
    assert state.day[at] == (MOST_COUNT << 46) + MOST_SUM
    assert state.hour[NOON // (10 * MINUTE) % 6] == (3 << 46) + 21


def test_features_do_not_see_the_event_itself() -> None:
    first = seen(new_state(), pay(NOON, 4_200))
    assert first["seen"] == first["count_30d"] == first["sum_1h"] == first["mean_7d"] == 0
    assert first["ratio_30d"] == 1
    assert first["since_last"] == LONG_AGO


def test_a_late_event_goes_into_its_own_bucket_or_nowhere() -> None:
    state = new_state()
    advance(state, pay(NOON))
    hour_before = seen(state, pay(NOON - HOUR, 500))
    assert hour_before["since_last"] == 0
    after = seen(state, pay(NOON + 1))
    assert (after["count_1h"], after["count_1d"], after["sum_7d"]) == (1, 2, 1500)
    assert state.newest == NOON + 1
    advance(state, pay(NOON - 60 * DAY))
    assert sum(state.month) >> 46 == 3
    assert state.seen == 4
