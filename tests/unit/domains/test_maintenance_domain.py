"""From readings to verdicts with the shipped model."""

from collections.abc import Sequence
from itertools import islice, pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.data.generate.readings import readings
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance.advice import advice, risk
from stormwatch.domains.maintenance.domain import LIFE_CAP, SHIPPED, Maintenance
from stormwatch.domains.maintenance.equipment import Costs
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import (
    FEATURE_NAMES,
    FEATURE_SET,
    MODEL_FEATURES,
    STUCK_AFTER,
    UnitState,
)
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.errors import ModelError
from stormwatch.models import Card, load
from stormwatch.records import NOT_LEARNED, OUT_OF_DISTRIBUTION, REORDERED, Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.judge import UNSCORED, Domain, Verdict
from stormwatch.state.processor import Contract, Policy

NEVER_LATE = 10**13


@pytest.fixture(scope="module")
def domain() -> Domain[Reading, UnitState]:
    return Maintenance.load()


class Lived:
    """A simulated fleet that the shipped domain has watched."""

    def __init__(self, domain: Domain[Reading, UnitState], count: int, seed: int) -> None:
        self.events, self.rows, self.lives = [], [], []
        states: dict[str, UnitState] = {}
        for made in islice(readings(seed, units=20), count):
            event = domain.parse(made.value, NEVER_LATE)
            assert isinstance(event, Reading)
            state = states.setdefault(event.unit, domain.new_state())
            self.events.append(event)
            self.rows.append(domain.advance(state, event)[0])
            self.lives.append(made.life)


@pytest.fixture(scope="module")
def lived(domain) -> Lived:
    return Lived(domain, 7000, seed=11)


def row(**features: float) -> tuple[float, ...]:
    """A healthy row with some features changed."""
    values = dict.fromkeys(FEATURE_NAMES, 0.0) | {"age": 20.0, "usable": 14.0, "stuck_run": 1.0}
    return tuple((values | features).values())


def one(domain, features: Sequence[float], **sensors: float) -> Verdict:
    event = Reading("1", "a/b/1", 1, 1, (), sensors)
    return domain.decide([event], [tuple(features)], [None])[0]


@given(cuts=st.sets(st.integers(1, 199)), start=st.integers(0, 6800))
def test_batches_cut_anywhere_give_the_same_verdicts(domain, lived, cuts, start):
    events, rows = lived.events[start : start + 200], lived.rows[start : start + 200]
    edges = [0, *sorted(cuts), 200]
    parts = [
        verdict
        for low, high in pairwise(edges)
        for verdict in domain.decide(events[low:high], rows[low:high], [None] * (high - low))
    ]
    assert parts == domain.decide(events, rows, [None] * len(rows))


def test_no_event_no_verdict(domain):
    assert domain.decide([], [], []) == []


def test_the_shipped_model_knows_worn_units_from_healthy_ones(domain, lived):
    verdicts = domain.decide(lived.events, lived.rows, [None] * len(lived.rows))
    scores = np.array([verdict.score for verdict in verdicts])
    truth = np.minimum(lived.lives, LIFE_CAP)
    assert np.sqrt(np.mean((scores - truth) ** 2)) < 16
    assert ((scores >= 0) & (scores <= LIFE_CAP)).all()
    assert all(verdict.score == round(verdict.score, 6) for verdict in verdicts)
    near = [v.outcome for v, life in zip(verdicts, lived.lives, strict=True) if life <= 5]
    far = [v.outcome for v, life in zip(verdicts, lived.lives, strict=True) if life >= 80]
    assert near.count("service") / len(near) > 0.95
    assert far.count("service") == 0
    assert far.count("healthy") / len(far) > 0.95


def test_outcomes_follow_the_thresholds_and_say_why(domain, lived):
    found = {}
    for verdict in domain.decide(lived.events, lived.rows, [None] * len(lived.rows)):
        found.setdefault(verdict.outcome, verdict)
        if verdict.outcome == "healthy":
            assert verdict.score > 50
            codes = [reason.code for reason in verdict.reasons]
            assert codes == [OUT_OF_DISTRIBUTION] * (verdict.noted == OUT_OF_DISTRIBUTION)
        elif verdict.outcome == "watch":
            assert 20 < verdict.score <= 50
        elif verdict.outcome == "service":
            assert verdict.score <= 20
    for outcome, limit in (("service", 20), ("watch", 50)):
        life, *drifts, waiting = found[outcome].reasons
        assert (life.code, waiting.code) == ("life", "waiting")
        low, high = found[outcome].interval
        assert low <= found[outcome].score <= high
        assert f"(in nine of ten cases {low:.0f} to {high:.0f})" in life.text
        assert f"{outcome} at {limit} or fewer" in life.text
        assert 1 <= len(drifts) <= 3
        weights = [reason.weight for reason in drifts]
        assert weights == sorted(weights, reverse=True)
        assert all("this unit's own baseline" in reason.text for reason in drifts)


def test_a_drift_is_told_in_the_direction_that_the_sensor_shows():
    assert next(s for s in WEARING if s.name == "phi").wear == -1
    service = Maintenance(Constant(10.0))
    reasons = one(service, row(drift_phi=5.0, drift_T50=4.0, drift_T24=-3.0, drift_W31=1.9)).reasons
    assert [reason.text.partition(" is ")[2][:30] for reason in reasons[1:4]] == [
        "5.0 standard deviations below ", "4.0 standard deviations above ",
        "3.0 standard deviations below ",
    ]  # fmt: skip
    assert reasons[1].text.startswith("ratio of fuel flow to Ps30 (phi) is ")


class Constant:
    """A model that always says the same."""

    def __init__(self, life: float, **thresholds: float) -> None:
        shipped = load(SHIPPED).card
        self.card: Card = msgspec.structs.replace(
            shipped, thresholds=thresholds or shipped.thresholds
        )
        self.life = life

    def predict(self, rows: Sequence[tuple[float, ...]]) -> list[float]:
        assert all(len(values) == len(MODEL_FEATURES) for values in rows)
        return [self.life] * len(rows)


@pytest.mark.parametrize(
    ("life", "outcome", "score"),
    [(-3.0, "service", 0.0), (20.0, "service", 20.0), (20.0000004, "service", 20.0),
     (20.000001, "watch", 20.000001), (50.0, "watch", 50.0), (50.1, "healthy", 50.1),
     (140.0, "healthy", 125.0)],
)  # fmt: skip
def test_the_score_is_rounded_and_capped_before_the_thresholds(life, outcome, score):
    verdict = one(Maintenance(Constant(life)), row())
    assert (verdict.outcome, verdict.score) == (outcome, score)


@pytest.mark.parametrize(
    ("features", "sensors", "code", "words"),
    [
        ({}, {"T24": -9999.0}, "sensor_implausible", "(T24) reads -9999 °R"),
        ({}, {"P2": 65535.0}, "sensor_implausible", "1 to 25"),
        ({"stuck_run": STUCK_AFTER, "stuck_sensor": 2.0}, {}, "sensor_stuck", "(T50) has had"),
        ({"usable": 6.0}, {}, "sensors_missing", "only 6 of 14"),
    ],
)
def test_a_broken_sensor_is_a_fault_unless_service_is_due(features, sensors, code, words):
    for life in (30.0, 120.0):
        verdict = one(Maintenance(Constant(life)), row(**features), **sensors)
        assert verdict.outcome == "sensor_fault"
        assert [reason.code for reason in verdict.reasons] == [code]
        assert words in verdict.reasons[0].text
    due = one(Maintenance(Constant(5.0)), row(**features), **sensors)
    assert due.outcome == ("sensor_fault" if code == "sensors_missing" else "service")
    assert code in [reason.code for reason in due.reasons]


def test_a_stuck_sensor_in_the_stream_is_found(domain):
    state, verdicts = domain.new_state(), []
    rng = np.random.default_rng(1)
    for cycle in range(1, 60):
        values = {s.name: s.nominal + s.noise * rng.normal() for s in WEARING}
        if cycle > 30:
            values["T30"] = 1580.0
        event = Reading(str(cycle), "a/b/1", cycle, cycle, (), values)
        verdicts += domain.decide([event], [domain.advance(state, event)[0]], [None])
    outcomes = [verdict.outcome for verdict in verdicts]
    assert set(outcomes[: 29 + STUCK_AFTER]) == {"healthy"}
    assert set(outcomes[29 + STUCK_AFTER :]) == {"sensor_fault"}
    assert "(T30)" in verdicts[-1].reasons[0].text


def test_a_reading_that_is_not_learned_for_it_is_out_of_order_of_time_is_counted(domain):
    """Case 32: after a lost connection the live reading comes first, then the buffer in order,
    which is learned in its place; of a buffer that comes the newest first the oldest are not."""
    made = [each for each, _ in zip(readings(3, units=1), range(24), strict=False)]
    events = [domain.parse(each.value, NEVER_LATE) for each in made]
    contract = Contract(domain, Policy.of(Settings()), "decide")
    for order, noted in (
        (events, {}),
        ([events[-1], *events[:-1]], {REORDERED: 23}),
        ([*events[::-1]], {REORDERED: 15, NOT_LEARNED: 8}),
    ):
        rows = [(n, NEVER_LATE, event) for n, event in enumerate(order)]
        whole = Fragment("readings", 0, 1, 0, len(rows) - 1, 1, 0)
        states = {events[0].unit: Entry(0, b"")}
        outcomes = contract.apply(whole, Parsed(rows, [], []), states, 0)
        assert len(outcomes.decisions) == 24 and outcomes.noted == noted


def test_the_shipped_model_is_small_and_says_what_it_is(domain):
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 500_000
    card = load(SHIPPED).card
    assert (card.feature_set, card.feature_names) == (FEATURE_SET, MODEL_FEATURES)
    assert card.thresholds == {"service": 20.0, "watch": 50.0}
    assert 0 < card.metrics["rmse"] < 14
    assert domain.model_version == card.version


def test_a_card_without_thresholds_is_refused():
    with pytest.raises(ModelError, match="no threshold 'watch'"):
        Maintenance(Constant(1.0, service=20.0))


def test_a_reading_unlike_the_training_is_told_and_is_not_healthy_by_the_model_alone(domain):
    """All sensors far on the worn side of normal and of the baseline: the rules decide."""
    card = load(SHIPPED).card
    odd = row(**{name: 40.0 for name in MODEL_FEATURES if name != "age"})
    told = {}
    for life in (120.0, 10.0):
        model = Constant(life)
        model.card = card
        told[life] = one(Maintenance(model), odd)
    assert told[120.0].outcome == "service" and told[120.0].score == 120.0
    assert told[120.0].reasons[0].code == "wear"
    assert told[10.0].outcome == "service" and told[10.0].reasons[0].code == "life"
    for verdict in told.values():
        assert verdict.noted == OUT_OF_DISTRIBUTION
        assert "unlike the readings that the model was trained on" in verdict.reasons[-1].text


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"condition": -1.0}, "the settings of this reading (35, 0.84, 100) are none"),
        ({"elsewhere": 0.2}, "20% of the unit's last 30 readings were in conditions"),
    ],
)
def test_where_the_model_has_not_been_there_is_no_estimate(domain, features, said):
    event = Reading("1", "a/b/1", 1, 1, (35.0, 0.84, 100.0), {})
    broken = msgspec.structs.replace(event, sensors={"T24": -9999.0})
    for judged, degraded in ((domain, False), (domain.by_rules(), True)):
        verdict, fault = judged.decide([event, broken], [row(**features)] * 2, [None] * 2)
        assert (verdict.outcome, verdict.score) == ("unknown_regime", UNSCORED)
        assert (verdict.degraded, verdict.interval) == (degraded, None)
        assert said in verdict.reasons[0].text
        assert fault.outcome == "sensor_fault" and fault.reasons[-1] == verdict.reasons[0]
    near = domain.decide([event], [row(elsewhere=0.19)], [None])[0]
    assert near.outcome != "unknown_regime"


def test_an_alert_says_until_when_a_service_may_wait_and_what_waiting_costs():
    costs = Costs(service=20_000, failure=100_000, unit="EUR", wait_cycles=10)
    told = advice(16.45, (0.0, 30.0), costs)
    assert told.code == "waiting"
    assert told.weight == pytest.approx(0.26, abs=0.01)  # 6.45 cycles before the middle, sigma 10
    assert told.text == (
        "it may fail at any moment; to wait 10 cycles more is a failure in 26 of 100 cases and "
        "costs 40,758 EUR on average, a service now 20,000"
    )
    assert advice(40.0, (31.0, 50.0), Costs()).text == (
        "within 31 cycles it fails in at most 5 of 100 cases; to wait 10 cycles more is a failure "
        "in 0 of 100 cases and costs 1 planned services on average, a service now 1"
    )
    assert risk(16.45, 16.45, (0.0, 30.0)) == 0.5
    assert risk(30.0, 16.45, (0.0, 30.0)) == pytest.approx(0.95, abs=1e-3)


def test_a_unit_that_ran_before_its_features_began_says_so():
    due = Maintenance(Constant(10.0))
    told = {reason.code: reason.text for reason in one(due, row(age=200.0, known=3.0)).reasons}
    assert told["little_known"].startswith("of its 200 cycles 3 are known")
    assert "little_known" not in {r.code for r in one(due, row(age=200.0, known=15.0)).reasons}
    assert "little_known" not in {r.code for r in one(due, row(age=3.0, known=3.0)).reasons}
