"""A topic that does not fit its mapping is told of soon, with the commonest reasons; not often."""

from hypothesis import given
from hypothesis import strategies as st

from stormwatch.parsing.misfits import EVERY_S, LEAST, Misfits
from stormwatch.records import EndState, SetAside


def rows(*codes: str, state: str = EndState.REJECTED.value) -> list[SetAside]:
    return [
        SetAside(at, 0, state, code, f"`x` {code} {at}", "parse", None, b"")
        for at, code in enumerate(codes)
    ]


def test_the_three_commonest_refusals_are_told_with_an_example_each() -> None:
    codes = ["bad_time"] * 5 + ["wrong_type"] * 3 + ["missing_field"] * 2 + ["bad_text"]
    said = Misfits().look("shop", "mine-1#0a", 12, rows(*codes), 100.0)
    assert said.startswith("11 of 12 records of the topic 'shop' do not fit its mapping mine-1#0a:")
    assert "5 as bad_time, for example `x` bad_time 0; 3 as wrong_type, for example" in said
    assert "2 as missing_field" in said and "bad_text" not in said and "dlq redrive" in said


def test_it_is_said_again_after_a_while_of_what_came_since() -> None:
    misfits = Misfits()
    assert misfits.look("t", "m", 10, rows(*["bad_time"] * 10), 0.0)
    assert not misfits.look("t", "m", 10, rows(*["wrong_type"] * 10), EVERY_S - 1)
    said = misfits.look("t", "m", 10, rows(*["wrong_type"] * 10), EVERY_S)
    assert "20 of 20" in said and "bad_time" not in said


def test_what_fitted_before_does_not_hide_what_no_longer_does() -> None:
    misfits = Misfits()
    for second in range(100):
        assert not misfits.look("t", "m", 100, [], float(second))
    told = [misfits.look("t", "m", 5, rows(*["bad_time"] * 5), 100.0 + at) for at in range(10)]
    assert any(told), "within some seconds"


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), max_size=30))
def test_nothing_is_said_where_half_fit_or_few_came(batches: list[tuple[int, float]]) -> None:
    misfits = Misfits()
    for count, share in batches:
        refused = int(count * share / 2)
        assert not misfits.look("t", "m", count, rows(*["bad_time"] * refused), 0.0)
    assert not Misfits().look("t", "m", LEAST - 1, rows(*["bad_time"] * (LEAST - 1)), 0.0)
    late = rows(*["late"] * 10, state=EndState.LATE.value)
    assert not Misfits().look("t", "m", 10, late, 0.0)
