"""Boards, alert rules and the runbook name only what there is."""

import json
import re

import msgspec
import pytest

from apps.land.figures import Figures
from apps.operate.figures import look
from apps.operate.profile import PARTS
from apps.serve import answers, prometheus
from stormwatch.metrics import Metrics
from tests.models.asked import ROOT

OPS = ROOT / "ops"
BOARDS = sorted((OPS / "grafana").glob("*.json"))
RULES = (OPS / "prometheus" / "rules.yml").read_text()
_STAGES = re.compile(r'stage=~?\\"([a-z|]+)')
_NAME = re.compile(r"\bstormwatch_[a-z_]+\b")


@pytest.fixture(scope="module")
def text() -> str:
    """What /metrics says of a component that did a little of everything."""
    metrics = Metrics()
    ends = {"scored": 3, "rejected": 1, "rejected:no_key": 1}
    metrics.batch(ends, 1, [5], 9, 1, {"retry": 1})
    metrics.labelled["found"] += 1
    metrics.drift, metrics.alarms = {"amount": 0.3}, {"recall": "has fallen"}
    metrics.skew = {"compared": 9, "differing": 1}
    metrics.sized(3)
    metrics.sized(900)
    metrics.spent.update({"store": 2_500_000_000, "model": 40_000, "wait": 1_000})
    body = msgspec.json.encode(metrics.snapshot(9, 1, "h", 4, (3, 1), 5_000, 1, cpu=1_500_000))
    meters = {("decide", "1"): body, ("decide", "2"): body, ("decide", "old"): b"{}"}
    ledger = answers.Ledger("fraud", "t", {}, 0, 0, 0, True)
    lander = Figures()
    lander.landed.labels("t").inc()
    lander.refused.labels("t", "no_key").inc()
    lander.turned_away.labels("503").inc()
    of_server = prometheus.text({"fraud": look(meters, 0, 9, 9, 0)}, [ledger], False)
    return (of_server + lander.text()).decode()


def test_what_components_measure_is_exposed_and_summed(text: str) -> None:
    of = '{component="decide",domain="fraud"'
    lines = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines()
             if not line.startswith("#")}  # fmt: skip
    assert lines[f'stormwatch_component_seconds_total{of},stage="store"}}'] == 5.0
    assert lines[f'stormwatch_component_seconds_total{of},stage="model"}}'] == 80e-6
    assert lines[f"stormwatch_component_cpu_seconds_total{of}}}"] == 3.0
    assert lines[f"stormwatch_component_resident_bytes{of}}}"] == 10_000
    assert lines[f"stormwatch_component_hits_total{of}}}"] == 6
    assert lines[f"stormwatch_component_tasks{of}}}"] == 2
    assert lines[f"stormwatch_component_starts{of}}}"] == 3
    assert lines[f'stormwatch_component_batch_records_bucket{of},le="4.0"}}'] == 2
    assert lines[f'stormwatch_component_batch_records_bucket{of},le="+Inf"}}'] == 4


def test_every_metric_of_a_board_or_rule_exists(text: str) -> None:
    there = _there(text)
    assert len(there) > 35 and len(BOARDS) == 5
    for board in BOARDS:
        panels = json.loads(board.read_text())["panels"]
        named = {
            name for panel in panels for target in panel["targets"]
            for name in _NAME.findall(target["expr"])
        }  # fmt: skip
        assert panels and named and named <= there, named - there
    expressions = " ".join(re.findall(r"^ +expr: (.*)$", RULES, re.M))
    assert set(_NAME.findall(expressions)) <= there


def test_every_stage_of_a_board_is_one_that_a_component_measures() -> None:
    told = [stage for board in BOARDS for stage in _STAGES.findall(board.read_text())]
    stages = {stage for one in told for stage in one.split("|")}
    assert {"store", "features", "model", "rules"} <= stages <= {*PARTS, "process", "score"}


def test_everything_that_is_measured_is_on_a_board_or_in_a_rule(text: str) -> None:
    """Or nobody would see it: a new meter brings its panel."""
    named = set(_NAME.findall(RULES + " ".join(board.read_text() for board in BOARDS)))
    parts = re.compile(r"_(created|sum|count)$")
    assert {name for name in _there(text) if not parts.search(name)} <= named


def _there(text: str) -> set[str]:
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line[:1] != "#"}


def test_each_alarm_has_its_line_in_the_runbook() -> None:
    alarms = re.findall(r"- alert: (\w+)", RULES)
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    assert len(alarms) > 8 and re.findall(r"^## (\w+)$", runbook, re.M) == alarms
    assert re.findall(r"runbook: docs/runbook.md#(\w+)", RULES) == [a.lower() for a in alarms]
