"""Curves of scores by labels, against counting one by one."""

from random import Random

import msgspec

from apps.serve.curves import curves
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.records import Decision, DecisionRow, Fragment, Learned, LedgerRow, Outcomes
from stormwatch.state.decided import Entry
from tests.models.asked import Api

DAY = 86_400_000


def entry(i: int, score: float, outcome: str = "approve") -> Entry:
    return Entry(0, f"c{i % 7}", i * 1000, f"t{i}", i, outcome, "m", (), score)


def test_each_point_is_what_counting_says() -> None:
    random = Random(4)
    made = [entry(i, round(random.random(), 2)) for i in range(2_000)]
    frauds = {e.id for e in made if random.random() < e.score**3}
    labels = [(e.entity, e.id, e.time, True) for e in made if e.id in frauds]
    labels.append((made[-1].entity, made[-1].id, made[-1].time, False))
    rules_alone, early = entry(5_000, -1.0), entry(9_000, 0.9)
    told = curves("fraud", [*made, rules_alone, early, entry(3, 0.5, "labelled")], labels)
    frauds.discard(made[-1].id)
    assert (told.judged, told.positive) == (2_000, len(frauds))
    assert (told.since, told.until) == (0, 1_999_000)
    assert 40 < len(told.thresholds) <= 60 and told.thresholds[-1].recall == 1.0
    for point in told.thresholds:
        alerts = [e for e in made if e.score >= point.score]
        found = sum(e.id in frauds for e in alerts)
        assert abs(point.precision - found / len(alerts)) < 1e-6
        assert abs(point.recall - found / len(frauds)) < 1e-6
        assert abs(point.alerts - len(alerts) / (1_999_000 / DAY)) < 1e-2
    assert sum(each.count for each in told.bins) == 2_000 and len(told.bins) == 10
    third = [e for e in made if 0.3 <= e.score < 0.4]
    assert told.bins[3].count == len(third)
    assert abs(told.bins[3].share - sum(e.id in frauds for e in third) / len(third)) < 1e-6


def test_without_labels_there_is_no_curve() -> None:
    told = curves("fraud", [entry(1, 0.5)], [])
    assert (told.thresholds, told.bins, told.positive) == ([], [], 0)


def test_labels_are_found_among_what_was_decided(api: Api) -> None:
    now = now_ms()

    def row(name: str, time: int, score: float, learned: Learned | None = None) -> DecisionRow:
        outcome = "labelled" if learned else "decline"
        body = Decision(name, "C9", time, outcome, score, (), (), "fraud-2", "m", "r", "t", 0, 1,
                        now, learned=learned or msgspec.UNSET)  # fmt: skip
        return DecisionRow(0, "C9", time, name, outcome, score, msgspec.json.encode(body), now,
                           False)  # fmt: skip

    rows = [row("p1", 10, 0.9), row("p2", 20, 0.1), row("l", 30, 0.0, Learned("p1", 10, True)),
            row("m", 31, 0.0, Learned("p2", 20, False))]  # fmt: skip
    of = Fragment("t", 0, 1, 0, 3, 1, 0)
    ledger = LedgerRow(of, "score:a.1", {}, 0)
    api.world.store.write_outcomes(Outcomes(of, "fraud", 1, rows, [], [], ledger, [], []))
    told = api.json("/v1/curves", domain="fraud", days=1)
    assert (told["judged"], told["positive"]) == (2, 1)
    assert told["thresholds"][0][:3] == [0.9, 1.0, 1.0]
