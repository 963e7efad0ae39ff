"""Campaigns as they are written down: names, rows, traffic, and what a person sees."""

import re
import time
from collections import Counter
from pathlib import Path

import pytest

from apps.prove.chaos import faults, judge, load, oracle, traffic, versions
from apps.prove.chaos.campaigns import CAMPAIGNS, named
from apps.prove.chaos.command import PARTS, Screen
from apps.prove.chaos.errors import ChaosFailed
from apps.prove.verdict.oracle import Span
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySource
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.ledger.reconcile import PartitionLedger, total
from stormwatch.records import Rejection
from stormwatch.state import envelope

ROOT = Path(__file__).resolve().parents[4]
TABLE = re.findall(r"^\| (\d+) \| (.*?) \| (.*) \|$", (ROOT / "docs/faults.md").read_text(), re.M)


def test_the_page_has_every_row_and_every_campaign() -> None:
    assert [int(number) for number, _, _ in TABLE] == list(range(1, 41))
    names = [each.name for each in CAMPAIGNS]
    assert len(set(names)) == len(names)
    for campaign in CAMPAIGNS:
        for row in campaign.rows:
            assert f"`{campaign.name}`" in TABLE[row - 1][2], (campaign.name, row)


def test_what_the_page_names_is_there() -> None:
    files = {path.name: path.read_text() for path in ROOT.glob("tests/**/*.py")}
    for _, _, covered in TABLE:
        for file, _, test in re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)(::(\w+)…?)?", covered):
            assert file in files, file
            assert not test or f"def {test}" in files[file], (file, test)


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(ChaosFailed, match="kill-bolt, kill-spout"):
        named("kill-blot")
    assert all(named(name) for name in PARTS)


@pytest.mark.parametrize("make", [traffic.mixed, traffic.poisoned, traffic.hot, traffic.motley])
def test_the_same_seed_makes_the_same_traffic(make) -> None:
    first = list(make(3000, 5))
    assert first == list(make(3000, 5)) != list(make(3000, 6))
    assert len(first) == 3000


def test_each_kind_of_traffic_has_what_it_is_made_for() -> None:
    poison = [value for key, value in traffic.poisoned(5000, 1) if key.startswith(b"C-poison")]
    assert len(poison) == 10
    assert not any(isinstance(parse(v, 1 << 60, future_skew_ms=0), Rejection) for v in poison)
    keys = Counter(key for key, _ in traffic.hot(2000, 1))
    assert keys.most_common(1)[0][1] >= 1000
    sizes = sorted(len(value or b"") for _, value in traffic.oversized(3000, 1))
    assert sizes[-1] > 10 << 20 and sum(size > 1 << 20 for size in sizes) == 5


def test_the_screen_tells_what_is_done_and_the_ledger_when_it_moves() -> None:
    lines: list[str] = []
    screen = Screen(lines.append)
    part = PartitionLedger(0, 0, 10, 4, {"scored": 4}, 0, 6, 0)
    screen.tell("killed a bolt")
    for _ in range(3):
        screen.show(total("t", [part]))
    assert lines == ["0:00 killed a bolt", "0:00   ledger: 4 ended, 6 to go, unaccounted 0"]


def test_the_other_version_is_whole_and_another(tmp_path: Path) -> None:
    first, second = Fraud.load(), versions.other(tmp_path)
    assert first.model_version != second.model_version
    assert first.rules_version != second.rules_version


def test_growth_is_from_the_first_fifth_to_the_last() -> None:
    assert load.growth([50.0, 60.0, *[90.0] * 6, 61.0, 59.0]) == 1.0
    assert load.growth([50.0]) == 0.0


def test_a_newer_state_is_read_back_as_the_older_one() -> None:
    assert "VERSION = 2\n" in versions.newer(Path(envelope.__file__).read_text())
    made = envelope.Envelope(2, 7, [(0, 1, 5)], 9, b"", Fraud().new_state())
    blob = envelope.EnvelopeCodec(Fraud.state).encode(made)
    assert envelope.EnvelopeCodec(Fraud.state).decode(versions.as_older(blob), "c").version == 1


def test_what_a_service_says_of_its_disk_is_found(tmp_path: Path) -> None:
    log = tmp_path / "cassandra.log"
    log.write_text("INFO all is well\n")
    assert "nothing of its disk" in faults.complaint(log, tmp_path)
    (tmp_path / "hs_err_7.log").write_text("#\n#  SIGBUS (0x7) at pc=0x1, pid=7\n")
    assert faults.complaint(log, tmp_path).startswith("SIGBUS (0x7)")
    log.write_text("ERROR No space left on device\n")
    assert faults.complaint(log, tmp_path) == "ERROR No space left on device"


def test_a_log_that_takes_long_to_judge_is_read_to_its_end(monkeypatch) -> None:
    """As after hours of load: only Kafka that gives nothing for a while has stopped."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    broker = MemoryBroker(clock=lambda: 0)
    MemoryAdmin(broker).ensure_topic("t", 1, {})
    for _ in range(oracle.BATCH * 4):
        broker.append("t", b"k", b"v", 0)
    seen = 0
    span = Span("t", 0, 1, 0, oracle.BATCH * 4)
    for batch in oracle.records(MemorySource(broker, "t", "g"), span):
        seen += len(batch)
        clock[0] += oracle.READ_LIMIT_S * 0.9
    assert seen == oracle.BATCH * 4


def test_alerts_of_a_bolt_beside_the_topology_s_are_not_the_campaign_s() -> None:
    alerts = [
        {"domain": domain, "entity": "C1", "id": f"{domain}-1"} for domain in ("fraud", "spree")
    ]
    assert judge.alerts_of(alerts, {"spree"}) == {("C1", "fraud-1")}
    assert len(judge.alerts_of(alerts, frozenset())) == 2
