"""Generated behaviour: the same for the same seed, valid, in order, with the tastes planted."""

from collections import Counter
from itertools import islice, pairwise

import pytest

from apps.data.generate.behaviour import ANYWHERE, behaviour
from stormwatch.domains.recommend.parse import parse
from stormwatch.records import Rejection

FAR = 1 << 62


def made(count, **changes):
    return list(islice(behaviour(**{"seed": 4, "users": 200, **changes}), count))


def test_the_same_arguments_give_the_same_bytes_and_another_run_other_ids():
    assert made(500) == made(500)
    one, two = ({parse(g.value, FAR, future_skew_ms=0).id for g in made(50, run=r)} for r in "ab")
    assert one.isdisjoint(two)


def test_events_are_valid_keyed_in_order_and_bought_once():
    events = [(g.key, parse(g.value, FAR, future_skew_ms=0)) for g in made(5_000)]
    assert not any(isinstance(event, Rejection) for _, event in events)
    assert all(key.decode() == event.user for key, event in events)
    assert len({event.id for _, event in events}) == len(events)
    bought = Counter((event.user, event.item) for _, event in events if event.kind == "buy")
    assert set(bought.values()) == {1}
    times = [event.time for _, event in events]
    assert sum(b < a for a, b in pairwise(times)) < len(times) / 100


def test_tastes_are_planted_as_labelled():
    views = [(g, parse(g.value, FAR, future_skew_ms=0)) for g in made(5_000)]
    follow = [(g.taste, int(e.item[1:]) // 40) for g, e in views if g.taste >= 0]
    assert all(taste == group for taste, group in follow)
    assert len(follow) / len(views) == pytest.approx(1 - ANYWHERE, abs=0.03)
    mine = Counter(g.taste for g, e in views if e.user == "U000007" and g.taste >= 0)
    assert len(mine) < 12  # of 25: three at a time, and drift


@pytest.mark.parametrize("changes", [{"users": 0}, {"groups": 2}, {"items": 5}, {"run": "a b"}])
def test_what_makes_no_stream_is_refused(changes):
    with pytest.raises(ValueError, match="no stream|run"):
        made(1, **changes)
