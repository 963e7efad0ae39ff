"""History teaches the states as live records do, is decided as learned, and raises no alert."""

from itertools import islice
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from apps.data.generate.transactions import Transactions
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.errors import SettingsError
from stormwatch.ledger.bitmap import offsets
from stormwatch.records import LEARNED_ONLY, Decision, Fragment
from stormwatch.settings import Settings, load
from stormwatch.state.cache import Entry
from stormwatch.state.judge import LEARNED, UNSCORED
from stormwatch.state.processor import Contract, Policy
from tests.models.toy import Ping, Toy

NOW = 4_000_000_000_000
FRAUD = Fraud()
EVENTS: list[Any] = [
    FRAUD.parse(value, NOW) for _, value, _ in islice(Transactions(5, customers=3), 60)
]


def apply(events: list[Any], policy: Policy | None = None, domain: Any = FRAUD) -> Any:
    rows = [(n, NOW, event) for n, event in enumerate(events)]
    whole = Fragment("t", 0, 1, 0, len(rows) - 1, 1, 0)
    states = {event.entity: Entry(0, b"") for event in events}
    contract = Contract(domain, policy or Policy.of(Settings()), "decide")
    return contract.apply(whole, Parsed(rows, [], []), states, 0)


LIVE = apply(EVENTS)


@given(st.sets(st.integers(0, len(EVENTS) - 1)))
@given_settings(deadline=None)
def test_history_teaches_what_it_would_have_live(marked: set[int]) -> None:
    told = [
        msgspec.structs.replace(event, learn_only=True) if n in marked else event
        for n, event in enumerate(EVENTS)
    ]
    found = apply(told)
    assert found.states == LIVE.states
    assert found.ledger.bitmaps == LIVE.ledger.bitmaps
    assert sum(len(offsets(b, 0)) for b in found.ledger.bitmaps.values()) == len(EVENTS)
    assert found.noted.get(LEARNED_ONLY, 0) == len(marked)
    for n, (row, live) in enumerate(zip(found.decisions, LIVE.decisions, strict=True)):
        if n not in marked:
            assert row == live
            continue
        assert (row.outcome, row.score, row.alert) == (LEARNED, UNSCORED, False)
        body = msgspec.json.decode(row.body, type=Decision)
        assert body.features == msgspec.json.decode(live.body, type=Decision).features
        assert body.reasons == () and body.degraded is msgspec.UNSET


def test_what_is_older_than_the_setting_is_history() -> None:
    at = sorted(event.time for event in EVENTS)[20]
    policy = Policy.of(Settings())._replace(live_from_ms=at)
    found = apply(EVENTS, policy)
    learned = [row.outcome == LEARNED for row in found.decisions]
    assert learned == [event.time < at for event in EVENTS] and 0 < sum(learned) < len(EVENTS)
    assert found.states == LIVE.states


def test_each_main_domain_has_its_own_time() -> None:
    one = Settings(fraud_live_from="2026-01-31T01:00:00+01:00")
    assert Policy.of(one, "fraud").live_from_ms == 1_769_817_600_000
    assert Policy.of(one, "maintenance") == Policy.of(Settings(), "maintenance") == Policy.of(one)
    two = Settings(maintenance_live_from="2026-01-31T00:00:00.250Z")
    assert Policy.of(two, "maintenance").live_from_ms == 1_769_817_600_250


@pytest.mark.parametrize("value", ["2026-01-31", "2026-01-31T00:00:00", "soon", "1769817600"])
def test_a_time_without_an_offset_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"fraud\.live_from .* RFC 3339"):
        load({"STORMWATCH_FRAUD_LIVE_FROM": value}, {})


def test_a_time_of_toml_is_taken(tmp_path: Any) -> None:
    (tmp_path / "stormwatch.toml").write_text("[fraud]\nlive_from = 2026-01-31T00:00:00Z\n")
    assert load({}, root=tmp_path).fraud_live_from == "2026-01-31T00:00:00+00:00"


class MarkedPing(Ping, frozen=True, array_like=True):
    learn_only: bool = False


class Marked(Toy):
    event = MarkedPing


def test_history_that_raises_is_set_aside_alone_and_none_of_it_is_judged() -> None:
    """77 raises where it is judged, 66 where it is learned."""
    values = [(1, False), (77, True), (66, True), (77, False), (2, True), (3, False)]
    events = [MarkedPing(f"i{n}", "a", 1000 + n, *each) for n, each in enumerate(values)]
    found = apply(events, Policy(10**9, 10**9, 64), Marked())
    assert [row.id for row in found.decisions] == ["i0", "i1", "i4", "i5"]
    assert [row.outcome == LEARNED for row in found.decisions] == [False, True, True, False]
    assert [(row.offset, row.state) for row in found.aside] == [
        (2, "dead_lettered"), (3, "dead_lettered"),
    ]  # fmt: skip
