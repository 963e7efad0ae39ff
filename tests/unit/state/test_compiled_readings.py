"""The compiled core and the reference in Python: the same bytes of whatever readings come."""

import random
from collections.abc import Iterator
from math import inf, nan
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from stormwatch import compiled, models
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import Maintenance, native
from stormwatch.domains.maintenance.domain import SHIPPED
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import FEATURE_NAMES
from stormwatch.domains.maintenance.sensors import ALL
from stormwatch.errors import StateError
from stormwatch.models.interval import Interval
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Verdict
from stormwatch.state.processor import Contract, Policy
from tests.models.troubled import NEVER_LATE, troubled

_FOUND, _WRONG = compiled.look()
pytestmark = pytest.mark.skipif(
    _FOUND is None or _WRONG != "",
    reason=_WRONG or "the compiled core is not installed: ./stormwatch native build",
)

DAY = 86_400_000
POLICY = Policy.of(Settings())
TIGHT = POLICY._replace(lateness_ms=10 * DAY, horizon_ms=2 * DAY, max_ids=8)
NUMBERS = (nan, inf, -inf, 0.0, -0.0, 1e-5, 5e-324, 1e308, -1e308, 1e16, 9999.0)


def some(seed: int, count: int) -> list[Reading]:
    """Of troubled turbofans and others; some come twice, some are changed, and some have numbers
    that no parser lets through."""
    draw, made = random.Random(seed), troubled(seed, count)
    for at in range(1, count):
        if draw.random() < 0.03:
            made[at] = draw.choice(made[max(0, at - 40) : at])
        if draw.random() < 0.03:
            before = [one.id for one in made[:at] if one.unit == made[at].unit]
            made[at] = msgspec.structs.replace(made[at], id=draw.choice(before or [made[at].id]))
        if draw.random() < 0.01 and made[at].sensors:
            name = draw.choice(sorted(made[at].sensors))
            odd = made[at].sensors | {name: draw.choice(NUMBERS)}
            made[at] = msgspec.structs.replace(made[at], sensors=odd)
    return made


def decided(
    contract: Contract[Any, Any], events: list[Reading], first: int, known: dict[str, Entry]
) -> Any:
    """One batch; its states become known."""
    fragment = Fragment("readings", 0, 32, first, first + len(events) - 1, 1, 0)
    told = [(first + nth, NEVER_LATE, event) for nth, event in enumerate(events)]
    states = {event.entity: known.get(event.entity) or Entry(0, b"") for event in events}
    found = contract.apply(fragment, Parsed(told, [], []), states, NEVER_LATE)
    known |= {row.entity: Entry(row.stripe, row.blob) for row in found.states}
    return found


def played(core: str, events: list[Reading], batch: int, policy: Policy) -> Iterator[Any]:
    """Of each batch the outcomes, from the states before it."""
    contract = Contract(Maintenance.load(core=core), policy, "test")
    assert (contract.compiled is not None) == (core == "compiled")
    known: dict[str, Entry] = {}
    for first in range(0, len(events), batch):
        yield decided(contract, events[first : first + batch], first, known)


@pytest.mark.parametrize("policy", [POLICY, TIGHT], ids=["shipped", "tight"])
@pytest.mark.parametrize("batch", [1, 7, 200])
def test_both_make_the_same_bytes(batch: int, policy: Policy) -> None:
    events = some(batch, 400)
    both = (played(core, events, batch, policy) for core in ("compiled", "python"))
    ends, outcomes = set(), set()
    for one, other in zip(*both, strict=True):
        assert repr(one) == repr(other)
        ends |= {str(end) for end in one.ledger.bitmaps}
        outcomes |= {row.outcome for row in one.decisions}
    assert {"scored", "duplicate", "conflict"} <= ends
    assert {"healthy", "sensor_fault", "noted", "unknown_regime"} <= outcomes


def test_a_batch_is_taken_by_the_core_whatever_is_in_it() -> None:
    events, known = some(5, 300), dict[str, Entry]()
    contract = Contract(Maintenance.load(core="compiled"), POLICY, "test")
    assert contract.compiled is not None
    states = {event.entity: Entry(0, b"") for event in events}
    told = [(nth, NEVER_LATE, event) for nth, event in enumerate(events)]
    assert contract.compiled.take(told, states, None, 0, 32, []) is not None
    decided(contract, events, 0, known)
    states = {event.entity: known[event.entity] for event in events}
    again = decided(contract, events, 0, known)
    assert len(again.replayed) == len(events)


def test_history_is_left_to_the_reference() -> None:
    events = [msgspec.structs.replace(event, learn_only=True) for event in some(6, 60)]
    one, other = (
        decided(Contract(Maintenance.load(core=core), POLICY, "t"), events, 0, {})
        for core in ("compiled", "python")
    )
    assert repr(one) == repr(other)
    assert {row.outcome for row in one.decisions} == {"learned"}


@pytest.mark.parametrize("cells", [4, 5, 6, 7])
def test_states_of_before_carry_on(cells: int) -> None:
    """Of which the last parts of a unit were not there yet."""
    events, known = troubled(7, 200), dict[str, Entry]()
    contract = Contract(Maintenance.load(core="python"), POLICY, "test")
    decided(contract, events[:100], 0, known)
    for name, entry in known.items():
        told = msgspec.msgpack.decode(entry.blob)
        told[5] = told[5][:cells]
        known[name] = Entry(0, msgspec.msgpack.encode(told))
    one, other = (
        decided(Contract(Maintenance.load(core=core), POLICY, "t"), events[100:], 100, {**known})
        for core in ("compiled", "python")
    )
    assert one == other


def test_a_state_that_cannot_be_read_is_told_of_by_the_reference() -> None:
    events = troubled(8, 5)
    blob = msgspec.msgpack.encode((1, 5, [], 0, b"", (1, 2, 3, "no body")))
    states = {event.entity: Entry(0, blob) for event in events}
    for core in ("compiled", "python"):
        with pytest.raises(StateError, match="cannot be read"):
            decided(Contract(Maintenance.load(core=core), POLICY, "t"), events, 0, states)


def test_the_setting_leaves_it_out() -> None:
    assert Maintenance.load(core="compiled").compiled(POLICY) is not None
    assert Maintenance.load(core="python").compiled(POLICY) is None


class _Own(Maintenance):
    def settle(self, state: Any, event: Any, verdict: Verdict) -> Verdict:
        return verdict


def test_a_domain_with_a_last_word_of_its_own_is_decided_by_it() -> None:
    assert Contract(_Own.load(core="compiled"), POLICY, "t").compiled is None


def test_trees_and_networks_give_the_same_scores() -> None:
    plain, quick = models.load(SHIPPED), models.load(SHIPPED)
    quick.hasten(compiled.core())  # type: ignore[attr-defined]
    draw = np.random.default_rng(4)
    rows = draw.normal(scale=3.0, size=(800, len(plain.card.feature_names))).round(4)
    rows[draw.random(rows.shape) < 0.05] = -0.0
    rows[draw.random(rows.shape) < 0.01] = np.nan
    rows[draw.random(rows.shape) < 0.01] = np.inf
    rows[draw.random(rows.shape) < 0.01] = -1e300
    with np.errstate(all="ignore"):
        found = plain.predict(rows)
    assert len(set(found)) > 100
    assert quick.predict(rows) == found
    assert [quick.predict([tuple(row)])[0] for row in rows.tolist()] == found


def test_healthy_units_get_the_same_verdicts() -> None:
    """Of any estimates: ties, and the knots of the interval too."""
    domains = [Maintenance.load(core=core) for core in ("compiled", "python")]
    at = FEATURE_NAMES.index("usable")
    events = [event for event in troubled(9, 900) if not event.event and not event.equipment]
    draw = random.Random(9)
    lives = [draw.choice([draw.uniform(-5, 140), draw.randint(0, 4000) / 32]) for _ in events]
    rows = [tuple(draw.uniform(0, 1) for _ in FEATURE_NAMES) for _ in events]
    said = [
        (draw.choice([6.0, 7.0, 14.0]), draw.choice([1.0, 15.0, 16.0]), 0.0,
         draw.choice([0.0, 0.0, -1.0]), draw.choice([0.0, 0.19, 0.2]), 50.0)
        for _ in events
    ]  # fmt: skip
    rows = [(*row[:at], *told) for row, told in zip(rows, said, strict=True)]
    found = []
    for domain in domains:
        model: Any = SimpleNamespace(card=domain.card, predict=lambda _: lives)
        domain._model = model
        verdicts = domain.decide(events, rows, [None] * len(rows))
        found.append([verdict._replace(why=None) for verdict in verdicts])
    assert repr(found[0]) == repr(found[1])
    assert sum(one.outcome == "healthy" for one in found[0]) > 50


@pytest.mark.parametrize("near", [0.0, 0.05, 0.25, 0.35, 0.45, 0.75])
def test_healthy_numbers_are_rounded_as_python_rounds(near: float) -> None:
    domain = Maintenance.load(core="compiled")
    core, card = compiled.core(), domain.card
    ends = tuple(each + near for each in range(60, 160, 10))
    interval = Interval(0.9, tuple(map(float, range(60, 160, 10))), ends, ends)
    scored = native.Scored(core, msgspec.structs.replace(card, interval=interval), 125.0)
    healthy = Reading("i", "u", 1, 1, (), {one.name: sum(one.plausible) / 2 for one in ALL})
    row = tuple(14.0 if name == "usable" else 0.0 for name in FEATURE_NAMES)
    lives = [60 + nth / 64 for nth in range(4_000)] + [70.0 + 5e-7 * nth for nth in range(200)]
    count = len(lives)
    found = scored.healthy([healthy] * count, [row] * count, lives, [False] * count)
    for life, one in zip(lives, found, strict=True):
        score = round(min(life, 125.0), 6)
        assert one is not None
        assert (one.score, one.interval) == (score, interval.around(score))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_of_three_hundred_thousand_readings() -> None:
    for seed in range(100, 200):
        events, sizes = some(seed, 3_000), (1, 7, 40, 500)
        policy = TIGHT if seed % 3 else POLICY
        both = (played(core, events, sizes[seed % 4], policy) for core in ("compiled", "python"))
        for one, other in zip(*both, strict=True):
            assert repr(one) == repr(other)
