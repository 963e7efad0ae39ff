"""The compiled core and the reference in Python: the same bytes of whatever comes."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from stormwatch import compiled, models
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.domains.fraud.event import Details, Label, Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.models import distribution
from stormwatch.models.trees import Tree, Trees, TreesModel
from stormwatch.records import Decision, DecisionRow, Fragment, Reason, Shadow
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import Verdict
from stormwatch.state.processor import Contract, Policy

_FOUND, _WRONG = compiled.look()
pytestmark = pytest.mark.skipif(
    _FOUND is None or _WRONG != "",
    reason=_WRONG or "the compiled core is not installed: ./stormwatch native build",
)

NOON = 1_760_000_000_000
DAY = 86_400_000
POLICY = Policy.of(Settings())
TIGHT = POLICY._replace(lateness_ms=10 * DAY, horizon_ms=2 * DAY, max_ids=8)


def payments(seed: int, count: int, odd: float = 0.0) -> Iterator[Transaction]:
    """Of a few customers; some repeated, changed, late, or in another currency. `odd`: the share of
    what only Python decides."""
    draw, before = random.Random(seed), list[Transaction]()
    time = NOON
    for nth in range(count):
        time += int(draw.expovariate(1 / draw.choice([1_000, 3_600_000, 20_000_000, 2 * DAY])))
        if before and draw.random() < 0.05:
            yield draw.choice(before[-50:])
            continue
        at = time - (int(draw.expovariate(1 / DAY)) if draw.random() < 0.1 else 0)
        id_ = draw.choice(before[-20:]).id if before and draw.random() < 0.02 else f"p{nth}"
        more = label = None
        currency = draw.choice(["EUR", "EUR", "EUR", "USD", "JPY", "HUF", "KRW"])
        if draw.random() < odd:
            more = Details(kind=draw.choice(["refund", "purchase"]), place=(1.0 * nth % 50, 8.0))
        if draw.random() < odd / 2 and before:
            paid = draw.choice(before[-40:])
            label = Label(paid.id, paid.time, draw.choice(["fraud", "cleared"]))
            id_ = f"l{nth}"
        if draw.random() < odd / 10:
            currency = "XXX"
        made = Transaction(
            id_, f"c{draw.randrange(6)}", "t1", at,
            draw.choice([1, 250, 1_999, 5_000, 40_000, 9_999_999]), currency, "mårket",
            draw.choice(["", "DE", "FR"]), draw.choice([0, 60, -330]), more,
            draw.random() < odd / 9, label,
        )  # fmt: skip
        before = [*before[-50:], made]
        yield made


def played(core: str, events: list[Transaction], batch: int, policy: Policy) -> Iterator[Any]:
    """Of each batch the outcomes, from the states before it."""
    contract = Contract(Fraud.load(core=core), policy, "test")
    known: dict[str, Entry] = {}
    for first in range(0, len(events), batch):
        some = events[first : first + batch]
        fragment = Fragment("payments", 0, 32, first, first + len(some) - 1, 1, 0)
        told = [(first + nth, NOON, event) for nth, event in enumerate(some)]
        states = {event.entity: known.get(event.entity) or Entry(0, b"") for event in some}
        found = contract.apply(fragment, Parsed(told, [], []), states, NOON)
        known |= {row.entity: Entry(row.stripe, row.blob) for row in found.states}
        yield found


@pytest.mark.parametrize("policy", [POLICY, TIGHT], ids=["shipped", "tight"])
@pytest.mark.parametrize("odd", [0.0, 0.02])
@pytest.mark.parametrize("batch", [1, 7, 100])
def test_both_make_the_same_bytes(batch: int, odd: float, policy: Policy) -> None:
    events = [*payments(batch, 400, odd)]
    both = (played(core, events, batch, policy) for core in ("compiled", "python"))
    ends = set()
    for one, other in zip(*both, strict=True):
        assert one == other
        ends |= set(one.ledger.bitmaps)
    assert {"scored", "duplicate", "late"} <= {str(end) for end in ends}


def test_a_record_read_twice_is_known_by_both() -> None:
    events = [*payments(3, 40)]
    for core in ("compiled", "python"):
        contract = Contract(Fraud.load(core=core), POLICY, "test")
        fragment = Fragment("payments", 0, 32, 0, len(events) - 1, 1, 0)
        told = Parsed([(nth, NOON, event) for nth, event in enumerate(events)], [], [])
        states = {event.entity: Entry(0, b"") for event in events}
        first = contract.apply(fragment, told, states, NOON)
        states = {row.entity: Entry(row.stripe, row.blob, 7) for row in first.states}
        again = contract.apply(fragment, told, states, NOON)
        assert len(again.replayed) == len(events) and not again.decisions


def test_the_setting_leaves_it_out() -> None:
    assert Fraud.load(core="compiled").compiled(POLICY) is not None
    assert Fraud.load(core="python").compiled(POLICY) is None


@pytest.fixture(scope="module")
def rows() -> Any:
    """Of the shipped model's features: near what it was trained on, at its thresholds, and far."""
    draw, width = np.random.default_rng(3), len(FEATURE_NAMES)
    usual = distribution.of(models.load(SHIPPED).card)
    assert usual is not None
    made = usual.medians * draw.lognormal(0.0, 1.0, (600, width)).round(draw.integers(0, 4))
    made[draw.random(made.shape) < 0.05] = 0.0
    made[draw.random(made.shape) < 0.02] *= -1e6
    made[draw.random(made.shape) < 0.01] = np.nan
    return made


def test_trees_give_the_same_scores_and_contributions(rows: Any) -> None:
    both = models.load(SHIPPED), models.load(SHIPPED)
    both[1].hasten(compiled.core())  # type: ignore[attr-defined]
    plain, quick = (one.predict(rows) for one in both)
    assert plain == quick
    assert [both[1].predict(row[None])[0] for row in rows] == plain
    for other in (rows.tolist(), [tuple(row) for row in rows], rows.astype(np.float32)):
        assert both[1].predict(other) == both[0].predict(other)
    wide = np.hstack([rows, rows])[:, : rows.shape[1]]
    assert both[1].predict(wide) == plain
    for row in rows[:20]:
        one, other = (each.explain(row) for each in both)  # type: ignore[attr-defined]
        assert one.amounts.tolist() == other.amounts.tolist()
        assert one.total == other.total


@pytest.mark.parametrize("leaves", [2, 16, 17, 64])
def test_trees_of_any_width(leaves: int) -> None:
    """Chains, with all ways of NaN."""
    draw = np.random.default_rng(leaves)
    nodes = leaves - 1
    tree = Tree(
        draw.integers(0, 3, nodes).tolist(), draw.normal(size=nodes).tolist(),
        [-1 - at for at in range(nodes)], [*range(1, nodes), -1 - nodes],
        draw.normal(size=leaves).tolist(),
    )  # fmt: skip
    told = Trees("identity", 0.25, 3, [tree] * 3, [[at % 3] * nodes for at in range(3)])
    card = models.NoModel.card
    plain, quick = TreesModel(card, told), TreesModel(card, told)
    quick.hasten(compiled.core())
    rows = draw.normal(size=(300, 3))
    rows[draw.random(rows.shape) < 0.2] = np.nan
    assert plain.predict(rows) == quick.predict(rows)


def test_both_find_the_same_rows_out_of_distribution(rows: Any) -> None:
    usual = distribution.of(models.load(SHIPPED).card)
    assert usual is not None
    quick = usual.hastened(compiled.core())
    found = usual.outside(rows)
    assert 50 < found.sum() < 550
    assert found.tolist() == quick(rows).tolist()
    assert found.tolist() == [quick(row[None])[0] for row in rows]


@pytest.mark.parametrize("name", ["plain", 'with "quotes"', "mårket", "line\nbreak", "\x7f"])
def test_bodies_are_those_of_msgspec(name: str) -> None:
    draw = random.Random(7)
    numbers = [draw.uniform(-1, 1) * 10.0 ** draw.randint(-12, 20) for _ in range(300)]
    numbers += [0.0, -0.0, 1e-5, 9.999e-6, 1e15, 1e16, 123456789012345678.0, 5e-324, 1.5e300]
    features = (*numbers, 0, -5, 2**62)
    core = compiled.core()
    assert core is not None
    made = core.FraudCore(Transaction, DecisionRow, {"EUR": 100}, ["EUR"], 1, 1, 1, 1)
    event = Transaction(name, "c1", "t1", NOON, 5, "EUR")
    row = Decision(
        name, "c1", NOON, "approve", 0.000123, (), features, "f", "m", "r", "topic", 3, 17,
        NOON + 5, True, mapping="m#1", rates="of a day",
    )  # fmt: skip
    before = b'"feature_set":"f","model":"m","rules":"r","topic":"topic","partition":3,"offset":'
    (found,) = made.decisions(
        [(17, NOON + 5, event, True, None)], [features],
        [Verdict("approve", 0.000123, rates="of a day")], {"c1": Entry(4, b"")}, before,
        b',"mapping":"m#1"',
    )  # fmt: skip
    if name in ('with "quotes"', "line\nbreak"):
        assert found is None
        return
    body = msgspec.json.encode(row)
    expected = DecisionRow(4, "c1", NOON, name, "approve", 0.000123, body, NOON + 5, False)
    assert found == expected


@pytest.mark.parametrize(
    "told",
    [
        {"outcome": "review"}, {"degraded": True}, {"alert": True}, {"by": ("a", "b", "c")},
        {"interval": (0, 1)}, {"reasons": (Reason("r", "because"),)},
        {"shadow": (Shadow("m", "r", "approve", 0.1),)},
    ],
    ids=lambda told: next(iter(told)),
)  # fmt: skip
def test_what_is_no_plain_approval_is_left(told: dict[str, Any]) -> None:
    core = compiled.core()
    assert core is not None
    made = core.FraudCore(Transaction, DecisionRow, {"EUR": 100}, ["EUR"], 1, 1, 1, 1)
    event = Transaction("p", "c1", "t1", NOON, 5, "EUR")
    verdict = Verdict("approve", 0.5)._replace(**told)
    scored = [(17, NOON, event, False, None)]
    assert made.decisions(scored, [(1.0,)], [verdict], {"c1": Entry(4, b"")}, b"", b"") == [None]


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_of_a_million_payments() -> None:
    for seed in range(100):
        events = [*payments(seed, 10_000, 0.001 if seed % 2 else 0.0)]
        policy = TIGHT if seed % 3 else POLICY
        both = (played(core, events, 500, policy) for core in ("compiled", "python"))
        for one, other in zip(*both, strict=True):
            assert one == other
