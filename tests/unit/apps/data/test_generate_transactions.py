"""Generated transactions: valid, reproducible, in order, never in the future, with frauds."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from apps.data.generate.labels import with_labels
from apps.data.generate.transactions import (
    BLOCK,
    DAY,
    LABEL_DELAY,
    START,
    Fraud,
    Generated,
    Transactions,
)
from apps.data.publish import Beside
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.parse import parse


def events(source: Transactions, count: int = 3 * BLOCK) -> list[Transaction]:
    """Parsed, as the topology would read them."""
    out = []
    for key, value, _ in islice(source, count):
        event = parse(value, source.time, future_skew_ms=0)
        assert isinstance(event, Transaction), event
        assert key.decode() == event.entity
        out.append(event)
    return out


def test_every_value_is_an_event_in_order_of_time_with_its_own_id() -> None:
    made = events(Transactions(1))
    times = [event.time for event in made]
    assert times == sorted(times)
    assert times[0] >= START
    assert len({event.id for event in made}) == len(made)
    assert {event.currency for event in made} == {"EUR"}
    assert len({event.country for event in made}) > 5


def test_the_same_arguments_give_the_same_bytes_and_others_others() -> None:
    def first(**kwargs: object) -> list[bytes]:
        return [event.value for event in islice(Transactions(**kwargs), 300)]  # type: ignore[arg-type]

    assert first(seed=5, run="a") == first(seed=5, run="a")
    assert first(seed=5, run="a") != first(seed=6, run="a")
    assert not set(first(seed=5, run="a")) & set(first(seed=5, run="b"))


def test_a_second_run_continues_in_time_with_the_same_customers_and_new_ids() -> None:
    one = Transactions(2, run="r1", customers=200)
    before = events(one)
    two = Transactions(2, run="r2", customers=200)
    two.continue_from(one.time)
    after = events(two)
    assert after[0].time >= before[-1].time
    assert after[0].time - before[-1].time < DAY // 20
    assert not {event.id for event in before} & {event.id for event in after}
    assert len({event.customer for event in before} & {event.customer for event in after}) > 190


def test_event_time_advances_by_the_customers_rate_and_most_of_it_by_day() -> None:
    source = Transactions(3, customers=100, per_day=5)
    made = events(source, 10 * BLOCK)
    days = (made[-1].time - made[0].time) / DAY
    assert days == pytest.approx(len(made) / 500, rel=0.02)
    hours = Counter(event.time // 3_600_000 % 24 for event in made)
    assert hours[12] > 3 * hours[2] > 0


def test_time_never_reaches_the_ceiling_and_never_stands_back() -> None:
    ceiling = START + 10 * DAY
    source = Transactions(4, customers=100, ceiling=ceiling)
    times = np.concatenate([source.block().time for _ in range(60)])
    assert (np.diff(times) >= 0).all()
    assert START + 8 * DAY < times[-1] < ceiling
    beyond = Transactions(4, start=ceiling + DAY, ceiling=ceiling)
    assert set(beyond.block().time.tolist()) == {ceiling + DAY}


@pytest.mark.parametrize("uniform", [False, True])
def test_frauds_are_planted_and_labelled(uniform: bool) -> None:
    source = Transactions(5, uniform=uniform)
    blocks = [source.block() for _ in range(40)]
    amount, label, customer, terminal = (
        np.concatenate([getattr(block, name) for block in blocks])
        for name in ("amount", "label", "customer", "terminal")
    )
    share = {kind: float((label == kind).mean()) for kind in Fraud}
    assert all(0.0001 < share[kind] < 0.002 for kind in Fraud if kind)
    assert 0.002 < sum(share[kind] for kind in Fraud if kind) < 0.005
    assert amount.min() >= 1
    assert amount[label == Fraud.LARGE].min() >= 60_000
    genuine = amount[label == Fraud.NONE].mean()
    assert amount[label == Fraud.LEAKED].mean() > 2.5 * genuine
    assert len(np.unique(customer[label == Fraud.LEAKED])) > 15
    testing = amount[label == Fraud.TESTING]
    assert np.median(testing) < 300 < 20 * 300 < testing.max()
    assert amount[label == Fraud.MULE].mean() > 2.5 * genuine
    accounts = terminal[label == Fraud.MULE]
    assert not set(accounts.tolist()) & set(terminal[label == Fraud.NONE].tolist())
    assert len(accounts) > 6 * len(np.unique(accounts))


def test_the_travelling_card_paid_at_home_minutes_before() -> None:
    source = Transactions(5)
    found = 0
    for block in (source.block() for _ in range(20)):
        far = np.flatnonzero(block.label == Fraud.TRAVEL)
        for at in far.tolist():
            before = (block.customer == block.customer[at]) & (block.time < block.time[at])
            near = block.time[at] - block.time[before] < 2 * 3_600_000
            home = block.label[before] == Fraud.NONE
            countries = source.countries(block.terminal[before][near & home])
            found += source.countries(block.terminal[[at]])[0] not in countries and bool(countries)
    assert found > 10


def test_a_million_customers() -> None:
    source = Transactions(6, customers=1_000_000, uniform=True)
    made = events(source)
    assert len({event.customer for event in made}) > 0.98 * len(made)


@pytest.mark.parametrize("bad", [{"customers": 0}, {"per_day": 0.0}, {"run": 'a"b'}, {"run": ""}])
def test_values_that_make_no_stream_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="customers|run"):
        Transactions(0, **bad)  # type: ignore[arg-type]


def test_each_fraud_is_told_of_seven_days_later_once_and_in_order() -> None:
    source = Transactions(5, customers=300)
    told, frauds, newest = list[str](), list[str](), 0
    for made in with_labels(islice(source, 6 * BLOCK), "labels"):
        event = parse(made.value, source.time, future_skew_ms=0)
        assert isinstance(event, Transaction)
        if isinstance(made, Beside):
            label = event.label
            assert made.topic == "labels"
            assert label is not None and label.is_fraud
            assert (event.time, made.key) == (label.payment_time + LABEL_DELAY, made_key(event))
            told.append(label.payment)
            newest = event.time
            continue
        assert event.label is None
        assert newest <= event.time
        if isinstance(made, Generated) and made.label:
            frauds.append(event.id)
    assert 0 < len(told) < len(frauds)
    assert told == frauds[: len(told)]


def made_key(event: Transaction) -> bytes:
    return event.customer.encode()
