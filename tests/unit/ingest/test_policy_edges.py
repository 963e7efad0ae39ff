"""The written policy for duplicates, conflicts, late and future records, at its edges."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.domains.fraud.parse import parse
from stormwatch.parsing.batch import parse_batch
from stormwatch.records import IDS_FORGOTTEN, Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.processor import Contract, Policy
from tests.models.toy import Ping, Sums, Toy

S = 1_000
POLICY = Policy(lateness_ms=20 * S, horizon_ms=30 * S, max_ids=4)
LONG = POLICY._replace(lateness_ms=100 * S)


def ends(*pings: Ping, policy: Policy = POLICY) -> list[str]:
    """The end state of each, decided one by one from what was stored before."""
    contract, store, states = Contract(Toy(), policy, "toy"), MemoryStore(), []
    for offset, ping in enumerate(pings):
        fragment = Fragment("t", 0, 0, offset, offset, 1, 0)
        blob = store.load_states("toy", {0: [ping.name]}).get(ping.name, b"")
        parsed = Parsed([(offset, 0, ping)], [], [])
        made = contract.apply(fragment, parsed, {ping.name: Entry(0, blob)}, 0)
        store.write_outcomes(made)
        store.write_states("toy", made.states)
        (state,) = made.ledger.bitmaps
        assert len(made.decisions) == (state == "scored")
        assert len(made.aside) == (state in ("late", "conflict"))
        states.append(str(state))
    return states


def at(ms: int, name: str = "", value: int = 1, who: str = "ann") -> Ping:
    return Ping(name or f"{ms}/{who}", who, 1_000 * S + ms, value)


def test_as_late_as_allowed_is_decided_and_a_millisecond_more_is_not() -> None:
    newest = at(100 * S)
    assert ends(newest, at(80 * S), at(80 * S - 1)) == ["scored", "scored", "late"]
    assert ends(newest, at(80 * S - 1, who="bob")) == ["scored", "scored"], "each for itself"


def test_what_is_late_moves_nothing_and_is_not_remembered() -> None:
    late = at(70 * S)
    assert ends(at(100 * S), late, late, at(80 * S)) == ["scored", "late", "late", "scored"]


def test_an_id_is_known_up_to_the_horizon_and_no_longer() -> None:
    first = at(10 * S, "x")
    moved = at(12 * S, "x")
    again = [at(40 * S), moved], [at(40 * S + 999), moved], [at(41 * S), moved]
    assert [ends(first, *some, policy=LONG)[-1] for some in again] == [
        "conflict", "conflict", "scored",  # event times of ids are kept in whole seconds
    ]  # fmt: skip
    assert ends(first, at(41 * S), first, policy=LONG)[-1] == "duplicate", "it has that row already"
    assert ends(first, at(41 * S), first)[-1] == "late", "shorter lateness than horizon: never"


def test_an_id_is_known_until_so_many_others_came() -> None:
    others = [at(10 * S + n) for n in range(1, 5)]
    first = at(10 * S, "x")
    assert ends(first, *others[:3], first)[-1] == "duplicate"
    assert ends(first, *others, first)[-1] == "late", "decided or not: nobody knows any more"
    assert ends(first, *others, at(10 * S, "x", value=2))[-1] == "late", "nor for another content"
    assert ends(first, *others, at(10 * S + 4))[-1] == "duplicate"
    assert ends(first, *others, at(15 * S, "x"))[-1] == "scored", "a younger one has its own row"


def test_what_comes_in_order_is_decided_however_much_there_is() -> None:
    flood = [at(10 * S + n, f"{n}") for n in range(40)]
    assert set(ends(*flood)) == {"scored"}
    assert set(ends(*flood, policy=LONG)) == {"scored"}


few = st.lists(st.builds(
    lambda name, s, value: Ping(f"{name}", "ann", s * S, value),
    st.integers(0, 9), st.integers(0, 40), st.integers(1, 2),
), max_size=40)  # fmt: skip


@given(few, st.integers(1, 4), st.sampled_from([(20, 30), (30, 20), (100, 5)]))
def test_no_row_is_decided_twice_however_few_ids_fit_and_whatever_comes_back(
    log: list[Ping], max_ids: int, limits: tuple[int, int]
) -> None:
    """Two decisions in one row at one write timestamp would be mixed, cell by cell."""
    lateness, horizon = limits
    policy = Policy(lateness * S, horizon * S, max_ids)
    contract, blob, decided = Contract(Toy(), policy, "toy"), b"", []
    for offset, ping in enumerate(log):
        parsed = Parsed([(offset, 0, ping)], [], [])
        made = contract.apply(
            Fragment("t", 0, 0, offset, offset, 1, 0), parsed, {"ann": Entry(0, blob)}, 0
        )
        blob = made.states[-1].blob
        decided += [(row.entity, row.time, row.id) for row in made.decisions]
        assert len(EnvelopeCodec(Sums).decode(blob, "ann").ids) <= 16 * max_ids
    assert len(set(decided)) == len(decided)


def test_ids_given_up_for_want_of_room_are_counted() -> None:
    contract = Contract(Toy(), POLICY, "toy")
    parsed = Parsed([(n, 0, at(10 * S + n)) for n in range(7)], [], [])
    made = contract.apply(Fragment("t", 0, 0, 0, 6, 1, 0), parsed, {"ann": Entry(0, b"")}, 0)
    assert made.noted == {IDS_FORGOTTEN: 3}


def test_a_busy_customer_and_an_hour_sent_again() -> None:
    """1,000 payments of a day, the first hour again, and once more with other amounts."""
    policy = Policy.of(Settings())
    day = [at(n * 86 * S, f"{n}") for n in range(1000)]
    again = [replace(ping, value=9) for ping in day[:42]]
    assert (
        ends(*day, *day[:42], *again, policy=policy)[1000:]
        == ["duplicate"] * 42 + ["conflict"] * 42
    )


def test_the_first_stands_whatever_is_sent_after_it() -> None:
    first, other = at(10 * S, "x"), at(10 * S, "x", value=2)
    moved = at(11 * S, "x")
    assert ends(first, other, first, other, moved, at(10 * S, "x", who="bob")) == [
        "scored", "conflict", "duplicate", "conflict", "conflict", "scored",
    ]  # fmt: skip


def test_a_duplicate_is_told_before_it_is_called_late() -> None:
    policy = POLICY._replace(lateness_ms=5 * S)
    assert ends(at(10 * S, "x"), at(30 * S), at(10 * S, "x"), policy=policy)[-1] == "duplicate"
    assert ends(at(10 * S, "x"), at(30 * S), at(10 * S, "y"), policy=policy)[-1] == "late"


def test_an_id_that_was_forgotten_and_used_again_is_known_anew() -> None:
    """Its older entry stands behind a younger one in the ring, so it is not dropped yet."""
    policy = Policy(lateness_ms=100 * S, horizon_ms=20 * S, max_ids=10)
    again = at(106 * S, "x", value=2)
    told = ends(at(100 * S), at(85 * S, "x"), at(106 * S), again, again, policy=policy)
    assert told == ["scored", "scored", "scored", "scored", "duplicate"]


@pytest.mark.parametrize(("ahead", "code"), [(300_000, ""), (300_001, "too_far_in_future")])
def test_as_far_in_the_future_as_allowed(ahead: int, code: str) -> None:
    value = {
        "id": "t", "customer": "c", "terminal": "x", "time": "2026-11-21T00:00:00Z", "amount": 5,
        "currency": "EUR",
    }  # fmt: skip
    time = 1_795_219_200_000
    records = [Record(0, time - ahead, b"c", json.dumps(value).encode())]
    made = parse_batch(
        Fragment("t", 0, 0, 0, 0, 1, 0), records,
        lambda raw, timestamp: parse(raw, timestamp, future_skew_ms=300_000),
        component="parse", record_max_bytes=65_536, now=0,
    )  # fmt: skip
    assert len(made.parsed.events) == (not code)
    assert [row.code for row in made.rejected.rows if made.rejected] == [code] if code else True


def test_of_what_is_set_aside_no_card_number_is_kept_in_key_reason_or_value() -> None:
    card, twin = "4111111111111111", at(10 * S, "4111111111111111", who="4111111111111111")
    contract = Contract(Toy(), POLICY, "toy")
    parsed = Parsed([(0, 0, twin), (1, 0, Ping(card, card, twin.time, 2))], [], [])
    made = contract.apply(Fragment("t", 0, 0, 0, 1, 1, 0), parsed, {card: Entry(0, b"")}, 0)
    (row,) = made.aside
    assert row.state == "conflict" and card not in row.reason and "************1111" in row.reason
    assert card.encode() not in (row.key or b"") + (row.raw or b"")
