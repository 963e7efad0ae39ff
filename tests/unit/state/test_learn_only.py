"""History teaches the states as live records do, is decided as learned, and raises no alert."""

from itertools import islice
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.parse import parse, to_wire
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.errors import SettingsError
from stormwatch.ledger.bitmap import offsets
from stormwatch.records import LEARNED_ONLY, Decision, Fragment, StateRow
from stormwatch.settings import Settings, load
from stormwatch.state.cache import Entry
from stormwatch.state.envelope import EnvelopeCodec, checksum_of
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


@pytest.mark.parametrize(
    "more",
    [
        '"cycle":1,"settings":[],"sensors":{"T24":640.0}',
        '"equipment":"any","sensors":{"flow":1.5}',
        '"type":"event","equipment":"any","event":"failure"',
    ],
)
def test_readings_and_events_of_units_may_be_history(more: str) -> None:
    live = f'{{"id":"r1","unit":"f/r/1","time":"2026-01-01T00:00:00Z",{more}}}'.encode()
    marked = live[:-1] + b',"learn_only":true}'
    event, other = (parse(value, NOW, future_skew_ms=0) for value in (marked, live))
    assert isinstance(event, Reading) and isinstance(other, Reading)
    assert event.learn_only and not other.learn_only and checksum_of(event) == checksum_of(other)
    assert parse(to_wire(event), NOW, future_skew_ms=0) == event
    assert b"learn_only" not in to_wire(other)


@pytest.fixture(scope="module")
def maintenance() -> Maintenance:
    return Maintenance.load()


def test_history_of_a_machine_teaches_and_alerts_nobody(maintenance: Maintenance) -> None:
    """An engine that runs to its end, learned as history, and the same one live."""
    values = islice(readings(3, units=1), 500)
    events = [maintenance.parse(each.value, NOW) for each in values]
    told = [msgspec.structs.replace(event, learn_only=True) for event in events]
    found, live = apply(told, domain=maintenance), apply(events, domain=maintenance)
    assert {row.outcome for row in found.decisions} == {LEARNED}
    assert not any(row.alert for row in found.decisions) and any(r.alert for r in live.decisions)
    assert [known(row) for row in found.states] == [known(row) for row in live.states]


def known(row: StateRow) -> tuple[Any, ...]:
    """What a state holds of a machine. Which alarms are open is of what was judged, not of it."""
    state = EnvelopeCodec(UnitState).decode(row.blob, row.entity)
    state.body.alarm = None
    return (row.entity, row.stamp, state)
