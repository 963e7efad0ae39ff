"""Decisions by rules alone: what they say, that they are marked, and that no law breaks by them."""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from itertools import islice, repeat
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Fraud as Planted
from apps.data.generate.transactions import Generated, Transactions
from apps.prove.verdict import degraded, oracle
from apps.prove.verdict.degraded import Partly, marked, take_fallen
from apps.prove.verdict.judge import KINDS, PASS, Judgement, judge
from apps.prove.verdict.tables import Tables, of_memory
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.domains.fraud.rules import shipped
from stormwatch.domains.maintenance.domain import Maintenance
from stormwatch.domains.maintenance.features import FEATURE_NAMES
from stormwatch.models import NONE
from stormwatch.records import Decision, Reason
from stormwatch.state.alerts import standing
from stormwatch.state.judge import UNSCORED
from stormwatch.state.judge import Verdict as Decided
from tests.models import decided as checker
from tests.models import steps as laws
from tests.models.toy import Toy

FRAUD, MAINTENANCE = Fraud.load(), Maintenance.load()
RULES = shipped(Fraud.feature_names)
NEVER_LATE = 10**13
_decode = msgspec.json.Decoder(Decision).decode


def learned(domain, made, count: int):
    """Events and features, in order."""
    states: dict[str, object] = {}
    events, rows, carries = [], [], []
    for each in islice(made, count):
        event = domain.parse(each.value, NEVER_LATE)
        events.append(event)
        state = states.setdefault(event.entity, domain.new_state())
        row, carry = domain.advance(state, event)
        rows.append(row)
        carries.append(carry)
    return events, rows, carries


# What the rules alone decide


def with_burst(source: Transactions, count: int) -> Iterator[Generated]:
    """So many payments, and six large ones of the last one's customer within the hour after it."""
    for made in islice(source, count):
        yield made
    last = json.loads(made.value)
    time = datetime.fromisoformat(last["time"])
    for nth in range(1, 7):
        at = (time + timedelta(minutes=nth)).isoformat().replace("+00:00", "Z")
        told = last | {"id": f"burst-{nth}", "time": at, "amount": 90_000}
        yield Generated(made.key, json.dumps(told).encode(), Planted.LEAKED)


def test_fraud_by_rules_alone_is_what_the_rules_weigh() -> None:
    batch = learned(FRAUD, with_burst(Transactions(5, run="r", customers=50), 6000), 6006)
    alone = FRAUD.by_rules()
    assert (alone.rules_version, alone.model_version) == (FRAUD.rules_version, NONE)
    both = FRAUD.decide(*batch)
    by_rules = alone.decide(*batch)
    for whole, half in zip(both, by_rules, strict=True):
        rules = tuple(reason for reason in whole.reasons if reason.code != "model")
        weight = sum(reason.weight for reason in rules)
        outcome = "decline" if weight >= RULES.decline_from else "review"
        wanted = (outcome, rules) if weight >= RULES.review_from else ("approve", ())
        plain = half._replace(explanations=())
        assert plain == Decided(wanted[0], UNSCORED, wanted[1], degraded=True)
        explained = sum(explanation.total for explanation in half.explanations)
        assert explained == pytest.approx(weight if wanted[1] else 0.0)
    assert {"approve", "review", "decline"} == {verdict.outcome for verdict in by_rules}


def test_maintenance_by_rules_alone_sees_wear_and_broken_sensors() -> None:
    """Held against what the simulator knows: few good units are sent to service, few bad missed."""
    made = list(islice(readings(11, units=20), 9000))
    verdicts = MAINTENANCE.by_rules().decide(*learned(MAINTENANCE, iter(made), len(made)))
    assert all(v.degraded and v.score == UNSCORED for v in verdicts)
    lives = np.array([each.life for each in made])
    outcomes = np.array([verdict.outcome for verdict in verdicts])
    assert (outcomes[lives > 100] == "service").mean() < 0.01
    assert (outcomes[lives > 100] == "watch").mean() < 0.1
    assert (outcomes[lives <= 10] == "service").mean() > 0.8
    assert np.isin(outcomes[lives <= 30], ["service", "watch", "sensor_fault"]).mean() > 0.9
    worn = verdicts[int(np.flatnonzero(outcomes == "service")[0])]
    assert worn.reasons[0].code == "wear"
    assert (
        "on the worn side of this unit's own baseline; service from 3.5 on" in worn.reasons[0].text
    )


@pytest.mark.parametrize(
    ("features", "outcome", "codes"),
    [
        ({"usable": 14.0}, "healthy", []),
        ({"usable": 6.0}, "sensor_fault", ["sensors_missing"]),
        ({"usable": 6.0, "index_mid_drift": 9.0}, "sensor_fault", ["sensors_missing"]),
        ({"usable": 14.0, "index_mid_drift": 1.8}, "watch", ["wear"]),
        ({"usable": 14.0, "index_mid_drift": 3.5, "drift_T50": 4.0}, "service",
         ["wear", "drift_T50"]),
        ({"usable": 14.0, "stuck_run": 16.0}, "sensor_fault", ["sensor_stuck"]),
    ],
)  # fmt: skip
def test_each_outcome_of_maintenance_by_rules_alone(features, outcome, codes) -> None:
    row = dict.fromkeys(FEATURE_NAMES, 0.0) | features
    event = MAINTENANCE.event("1", "a/b/1", 1, 1, (), {})
    (verdict,) = MAINTENANCE.by_rules().decide([event], [tuple(row.values())], [None])
    assert (verdict.outcome, verdict.degraded) == (outcome, True)
    assert [reason.code for reason in verdict.reasons] == codes


def test_the_model_folder_none_is_rules_alone() -> None:
    for domain in (Fraud.load(NONE), Maintenance.load(NONE)):
        assert domain.model_version == NONE
    row = dict.fromkeys(FEATURE_NAMES, 0.0) | {"usable": 14.0}
    event = MAINTENANCE.event("1", "a/b/1", 1, 1, (), {})
    (verdict,) = Maintenance.load(NONE).decide([event], [tuple(row.values())], [None])
    assert verdict == Decided("healthy", UNSCORED, (), degraded=True)


@given(st.lists(st.booleans(), min_size=50, max_size=50))
def test_a_row_without_a_score_does_not_touch_the_others(missing: list[bool]) -> None:
    batch = EVENTS[:50], ROWS[:50], CARRIES[:50]
    keys = {(e.entity, e.time, e.id) for e, gone in zip(batch[0], missing, strict=True) if gone}
    mixed = Partly(FRAUD, keys).decide(*batch)
    assert [verdict.degraded for verdict in mixed] == missing
    whole, alone = FRAUD.decide(*batch), FRAUD.by_rules().decide(*batch)
    assert mixed == [a if gone else w for w, a, gone in zip(whole, alone, missing, strict=True)]


EVENTS, ROWS, CARRIES = learned(FRAUD, iter(Transactions(5, run="r", customers=5)), 50)


# What is stored of them


def test_only_degraded_decisions_have_the_mark_and_others_keep_their_bytes() -> None:
    tables = checker.tables()
    assert not any(b"degraded" in cells[2] for cells in tables.decisions.values())
    alone = of_memory(
        oracle.expected(
            checker.SETTINGS,
            oracle.cut(checker.SPAN, [checker.RECORDS], lambda: 50, lambda record: False),
            FRAUD.by_rules(),
            parse,
        )
    )
    assert alone.states == tables.states and alone.ends == tables.ends
    for key, cells in alone.decisions.items():
        decision = _decode(cells[2])
        assert b',"degraded":true' in cells[2]
        assert (decision.degraded, decision.model, decision.score) == (True, NONE, UNSCORED)
        whole = _decode(tables.decisions[key][2])
        assert (decision.features, decision.rules) == (whole.features, whole.rules)


# The checker


@pytest.fixture(scope="module")
def some() -> set[degraded.Key]:
    """Every fourth decision, and those alerts among them that the rules alone do not raise."""
    keys = sorted(key[3:6] for key in checker.tables().decisions)
    return set(keys[::4]) | {key for key in keys if key[2].endswith("7")}


def stored(keys: set[degraded.Key], seed: int = 3) -> Tables:
    random = Random(seed)
    batches = oracle.cut(
        checker.SPAN, [checker.RECORDS], lambda: random.randint(1, 90), lambda record: False
    )
    return of_memory(oracle.expected(checker.SETTINGS, batches, Partly(FRAUD, keys), parse))


def verdict_of(have: Tables) -> Judgement:
    keys = marked(have)
    take_fallen(have)
    return judge(stored(keys, 4), have, 1, (), checker.events, FRAUD)


def test_marked_decisions_are_believed_and_counted(some: set[degraded.Key]) -> None:
    have = stored(some)
    models = {k[3:6]: _decode(cells[2]).model for k, cells in have.decisions.items()}
    assert {key for key, model in models.items() if model == NONE} == some
    assert set(models.values()) == {NONE, FRAUD.model_version}
    verdict = verdict_of(have)
    assert (verdict.status, verdict.degraded) == (PASS, len(some))
    assert not any(verdict.counts.values())


def test_a_mark_on_what_the_model_decided_is_seen(some: set[degraded.Key]) -> None:
    have = stored(some)
    key, cells = next((k, c) for k, c in have.decisions.items() if not degraded.is_degraded(c[2]))
    body = cells[2][:-1] + b',"degraded":true}'
    have.decisions[key] = (*cells[:2], body, *cells[3:])
    checker.only(verdict_of(have), different=1)


def test_a_mark_that_is_gone_is_seen(some: set[degraded.Key]) -> None:
    have = stored(some)
    key, cells = next((k, c) for k, c in have.decisions.items() if degraded.is_degraded(c[2]))
    have.decisions[key] = (*cells[:2], cells[2].replace(b',"degraded":true', b""), *cells[3:])
    checker.only(verdict_of(have), different=1)


def test_an_alert_that_a_second_try_took_back_does_not_count(some: set[degraded.Key]) -> None:
    """The first try decided by the model and died; the second by rules alone, and found nothing."""
    first, have = checker.tables(), stored(some)
    fallen = first.alerts.keys() - have.alerts.keys()
    assert fallen, "no alert of the model alone among those"
    for key in fallen:
        have.alerts[key] = first.alerts[key]
    planted = deepcopy(have)
    assert verdict_of(have).status == PASS
    quiet = next(k for k, c in planted.decisions.items() if not c[4] and k[3:6] not in some)
    cells = planted.decisions[quiet]
    place = (quiet[0], "t", 0, cells[3], quiet[3], quiet[5])
    planted.alerts[place] = (quiet[1], quiet[4], *cells[:3])
    verdict = verdict_of(planted)
    checker.only(verdict, extra=1)
    assert set(verdict.counts) == set(KINDS)


# The laws, where each try may decide otherwise


class Fickle(Toy):
    """A model that has no score now and then; by rules alone another event is an alert."""

    flips: Iterator[bool] = repeat(False)

    def decide(self, events: Sequence, features: Sequence, carries: Sequence) -> list[Decided]:
        verdicts = super().decide(events, features, carries)
        return self.alone(events) if next(type(self).flips, False) else verdicts

    @staticmethod
    def alone(events: Sequence) -> list[Decided]:
        return [
            Decided("high", UNSCORED, (Reason("value", str(e.value)),), degraded=True)
            if e.value % 2
            else Decided("low", UNSCORED, (), degraded=True)
            for e in events
        ]


@settings(max_examples=200)
@given(
    laws.logs, laws.cuts, laws.faults, st.booleans(), st.sampled_from([1 << 20, 500]),
    st.lists(st.booleans(), max_size=40),
)  # fmt: skip
def test_whatever_each_try_decides_one_decision_stands_and_the_alerts_are_its(
    log, cuts, faults, spread, cache_bytes, flips
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laws, "Toy", Fickle)
        whole = laws.play(log, [len(log)], (), False)
        patch.setattr(Fickle, "flips", repeat(True))
        alone = laws.play(log, [len(log)], (), False)
        patch.setattr(Fickle, "flips", iter(flips))
        found = laws.play(log, cuts, faults, spread, cache_bytes=cache_bytes)
    assert laws.table(found, "states") == laws.table(whole, "states")
    assert laws.end_states(found) == laws.end_states(whole) == laws.end_states(alone)
    decisions = laws.table(found, "decisions")
    by_model, by_rules = laws.table(whole, "decisions"), laws.table(alone, "decisions")
    assert decisions.keys() == by_model.keys()
    for key, cells in decisions.items():
        is_alone = _decode(cells["body"]).degraded is True
        assert cells == (by_rules if is_alone else by_model)[key]
    rows = found.store.alerts("toy", 1000)
    alerts = {key[-3:] for key, cells in decisions.items() if cells["alert"]}
    assert {(row.entity, row.time, row.id) for row in rows} == alerts
    assert rows == standing(rows, 1000, lambda keys: found.store.find_decisions("toy", keys))
    told = {value for topic, value in found.published if topic == "alerts"}
    bodies = {b'{"domain":"toy",' + c["body"][1:] for c in decisions.values() if c["alert"]}
    assert told == bodies, "what was told is what stands"
