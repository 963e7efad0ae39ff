"""What `profile` says of two readings of meters, and what the stages of a core add up to."""

from itertools import islice
from subprocess import CompletedProcess
from typing import Any

import pytest

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from apps.data.streams import Stream
from apps.operate import core_cost
from apps.operate.profile import Hop, advice, hops, lines
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.metrics import Snapshot
from stormwatch.records import Record
from stormwatch.settings import Settings

DECIDE, OTHER = ("decide", "3-host-1"), ("decide", "4-host-2")


def snapshot(at: int, records: int, batches: int, **more: Any) -> Snapshot:
    return Snapshot(at, 1, "host", {}, 0, batches, 0, {5: records}, 0, **more)


def test_costs_are_of_what_came_between_two_readings_of_the_same_process() -> None:
    spent = {"wait": 3_000_000, "read": 100, "decode": 50, "emit": 20, "process": 900, "score": 500,
             "store": 300, "features": 200, "model": 150, "rules": 50, "encode": 70}  # fmt: skip
    before = {DECIDE: snapshot(0, 100, 10), ("decide", "of a run before"): snapshot(0, 5, 5)}
    now = snapshot(4_000, 110, 12, spent=spent, hits=3, misses=1, cpu=2_000)
    (hop,) = hops(before, {DECIDE: now, OTHER: now})
    assert (hop.records, hop.batches, hop.batch, hop.tasks) == (10, 2, 5.0, 1)
    assert hop.us == {
        "wait": 300_000, "read": 10, "poll": 0, "decode": 5, "states": 3, "features": 20,
        "model": 15, "rules": 5, "encode": 7, "store": 30, "other": 10, "emit": 2,
    }  # fmt: skip
    assert hop.busy == pytest.approx(0.25) and hop.missed == 0.25
    assert hop.cpu_us == pytest.approx(200) and hop.capacity == pytest.approx(5_000)


def test_what_decides_nothing_is_told_by_the_records_that_passed_it() -> None:
    def spout(at: int, batches: int, **spent: int) -> Snapshot:
        return Snapshot(at, 1, "host", {}, 0, 0, 0, {}, 0, sizes={64: batches}, spent=spent)

    transactions = ("transactions", "1-host-1")
    before = {DECIDE: snapshot(0, 0, 0), transactions: spout(0, 0)}
    after = {
        DECIDE: snapshot(1_000, 50, 2),
        transactions: spout(1_000, 2, wait=400_000, poll=1_000, encode=500),
    }
    decide, first = hops(before, after)
    assert (decide.component, first.component) == ("decide", "transactions")
    assert (first.records, first.batches, first.busy) == (50, 2, pytest.approx(0.6))
    assert (first.us["poll"], first.us["encode"], first.us["other"]) == (20, 10, 0)


def test_where_a_process_of_a_version_before_runs_the_capacity_is_not_known() -> None:
    before = {DECIDE: snapshot(0, 0, 0), OTHER: snapshot(0, 0, 0)}
    after = {DECIDE: snapshot(1, 1, 1, cpu=9), OTHER: snapshot(1, 1, 1)}
    (hop,) = hops(before, after)
    assert hop.tasks == 2 and hop.cpu_us is None and hop.capacity is None
    assert lines([hop])[1].startswith("decide × 2")


def hop(**more: Any) -> Hop:
    us = {
        "wait": 5.0,
        "read": 1.0,
        "poll": 0.0,
        "decode": 1.0,
        "states": 2.0,
        "features": 8.0,
        "model": 6.0,
        "rules": 2.0,
        "encode": 2.0,
        "store": 10.0,
        "other": 1.0,
        "emit": 1.0,
    }
    base = Hop("decide", 2, 10_000, 20, us, 0.9, 40.0, 0.0)
    return base._replace(**more)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ([], "Nothing was decided"),
        ([hop()], "topology.scorers"),
        ([hop(component="terminals")], "topology.terminals"),
        ([hop(component="parse")], "topology.parsers"),
        ([hop(component="transactions")], "topology.spouts"),
        ([hop(us={**hop().us, "store": 90.0})], "Cassandra sets the pace"),
        ([hop(us={**hop().us, "model": 90.0})], "76% of its work is the model. Train one with"),
        ([hop(us={**hop().us, "features": 90.0})], "compiled core"),
        ([hop(us={**hop().us, "rules": 90.0})], "which fire most"),
        ([hop(us={**hop().us, "other": 90.0})], "topology.scorers"),
        (
            [hop(us={**hop().us, "model": 90.0}, busy=0.2)],
            "There is room: the fullest, decide, is busy 20%. 76% of its work is the model.",
        ),
        ([hop(missed=0.5)], "cache_mb"),
        ([hop(busy=0.2, batches=5_000)], "Batches"),
        ([hop(busy=0.2)], "There is room"),
    ],
)
def test_the_advice_names_what_to_change(found: list[Hop], word: str) -> None:
    assert word in advice(found)


def test_a_core_is_measured_in_a_process_whose_numpy_has_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(command: list[str], **more: Any) -> Any:
        assert command[1:] == ["-m", "apps.operate.core_cost", "fraud", "10", "5"]
        assert more["env"]["OMP_NUM_THREADS"] == more["env"]["OPENBLAS_NUM_THREADS"] == "1"
        return CompletedProcess(command, 0, 'a word\n{"5": {"parse": 1.5}}\n', "")

    monkeypatch.setattr(core_cost.subprocess, "run", run)
    found = core_cost.measured(Settings(), Stream("fraud", "t", "transactions"), 10, [5])
    assert found == {5: {"parse": 1.5}}


def test_a_core_is_measured_by_stage_and_left_as_it_was() -> None:
    made = islice(Transactions(1, run="t", customers=20), 300)
    records = [Record(nth, 1_950_000_000_000, None, one.value) for nth, one in enumerate(made)]
    domain = Fraud.load()
    found = core_cost.cost(domain, records, 100, 2)
    assert tuple(found) == core_cost.STAGES
    assert all(found[stage] > 0 for stage in ("parse", "features", "model", "rules", "decision"))
    assert "advance" not in vars(domain) and "decide" not in vars(domain)
    assert "predict" not in vars(domain.model)
    table = core_cost.lines({100: found})
    assert "batches of 100" in table[1]


def test_a_core_of_machines_is_measured_likewise() -> None:
    made = islice(readings(1, units=10), 200)
    records = [Record(nth, 1_950_000_000_000, None, one.value) for nth, one in enumerate(made)]
    domain = Maintenance.load()
    found = core_cost.cost(domain, records, 100, 1)
    assert found["parse"] > 0 and found["features"] > 0 and found["rules"] > 0, found
    assert "decide" not in vars(domain)
