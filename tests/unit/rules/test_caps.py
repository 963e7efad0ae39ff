"""A cap counts what is acted on for one entity, by the hour and day of the events' own time."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.rules.caps import HOUR_MS, MOST, Hits, over
from stormwatch.rules.document import Rule
from stormwatch.rules.predicate import Predicate, read


def rule(name: str, hour: int, day: int) -> Rule:
    never: Predicate = read("1 = 2", {})
    return Rule(name, never, "x", 1.0, "", "low", "", "live", (), hour, day)


@given(
    st.lists(st.integers(0, 72 * 60), max_size=60).map(sorted), st.integers(0, 3),
    st.integers(0, 6),
)  # fmt: skip
def test_in_order_of_time_no_hour_and_no_day_has_more_than_its_cap_and_none_is_held_back_early(
    minutes: list[int], hour: int, day: int
) -> None:
    kept: list[Hits] = []
    hours: Counter[int] = Counter()
    days: Counter[int] = Counter()
    for minute in minutes:
        time = minute * 60_000
        is_over = bool(over(kept, [rule("r", hour, day)], time))
        full = (hour and hours[minute // 60] >= hour) or (day and days[minute // 1440] >= day)
        assert is_over is bool(full)
        if not is_over:
            hours[minute // 60] += 1
            days[minute // 1440] += 1
        kept = msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=list[Hits])


def test_rules_count_apart_and_those_that_fired_long_ago_are_forgotten() -> None:
    kept: list[Hits] = []
    one, other = rule("one", 1, 0), rule("other", 0, 1)
    assert over(kept, [one, other], 5) == frozenset()
    assert over(kept, [one, other], 6) == {"one", "other"}
    assert over(kept, [one, other], HOUR_MS) == {"other"}
    for number in range(MOST):
        over(kept, [rule(f"r{number}", 1, 1)], HOUR_MS)
    assert len(kept) == MOST
    assert over(kept, [other], HOUR_MS) == frozenset()


def test_what_comes_late_counts_in_the_day_and_opens_no_hour_again() -> None:
    kept: list[Hits] = []
    limited = rule("r", 1, 2)
    assert over(kept, [limited], 5 * HOUR_MS) == frozenset()
    assert over(kept, [limited], 3 * HOUR_MS) == frozenset()
    assert over(kept, [limited], 3 * HOUR_MS) == {"r"}, "the day is full"
    assert over(kept, [limited], 25 * HOUR_MS) == frozenset()
    assert over(kept, [limited], 3 * HOUR_MS) == frozenset(), "of a day that is over"
    assert over(kept, [limited], 25 * HOUR_MS) == {"r"}
