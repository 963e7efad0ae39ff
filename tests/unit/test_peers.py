"""What `bench peers` makes of its runs, and that its contenders are held to the right answer."""

from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from apps.local.services import registry
from benchmarks.contenders.core import Core, Taken, differing, reference
from benchmarks.side_by_side import own_services, report
from benchmarks.side_by_side.catalogue import Contender, contenders
from benchmarks.side_by_side.measures import Latency, Paced, Run
from benchmarks.side_by_side.meter import label_of, until
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.records import Fragment
from stormwatch.settings import Settings, load
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

MS = 1_950_000_000_000


def taken() -> list[Taken]:
    made = islice(Transactions(1, run="peers", customers=30), 400)
    return [Taken("t", 0, nth, MS, one.value) for nth, one in enumerate(made)]


def test_the_contenders_make_the_bytes_that_the_project_makes() -> None:
    records, domain = taken(), Fraud.load()
    events = [(one.offset, MS, domain.parse(one.value, MS)) for one in records]
    contract = Contract(domain, Policy.of(Settings()), "decide")
    states = {event.entity: Entry(0, b"") for _, _, event in events}
    fragment = Fragment("t", 0, 2048, 0, len(records) - 1, 1, 0)
    rows = contract.apply(fragment, Parsed(events, [], []), states, MS).decisions
    assert [bytes(row.body) for row in rows] == [body for _, body in Core().decide(records)]


def test_wrong_decisions_are_told() -> None:
    want = reference(taken())
    right = list(want.values())
    assert differing(want, right) == ""
    assert differing(want, right[1:]) == "1 missing"
    assert differing(want, [*right, right[0]]) == "1 twice"
    assert differing(want, [right[0].replace(b"approve", b"decline"), *right[1:]]) == "1 differ"


def test_a_lean_loop_of_machines_makes_the_same_bytes_too() -> None:
    values = [one.value for one in islice(readings(1, units=5), 150)]
    records = [Taken("t", 0, nth, MS, value) for nth, value in enumerate(values)]
    domain = Maintenance.load()
    events = [(one.offset, MS, domain.parse(one.value, MS)) for one in records]
    contract = Contract(domain, Policy.of(Settings()), "decide")
    states = {event.entity: Entry(0, b"") for _, _, event in events}
    fragment = Fragment("t", 0, 2048, 0, len(records) - 1, 1, 0)
    rows = contract.apply(fragment, Parsed(events, [], []), states, MS).decisions
    found = Core("maintenance").rows(records)
    assert [bytes(row.body) for row in rows] == [row.body for _, row in found]
    assert [row.alert for row in rows] == [row.alert for _, row in found]
    assert [at for at, _ in found] == records


def test_of_who_was_asked_for_a_part_no_more_is_missed() -> None:
    want = reference(taken())
    assert differing(want, list(want.values())[:40], 40) == ""
    assert differing(want, list(want.values())[:40], 50) == "10 missing"


def test_a_contender_that_failed_is_a_row_and_ratios_are_of_the_same_round() -> None:
    def run(rate: float, us: float, mb: float, wrong: str = "") -> Run:
        return Run(rate, {"JVM": us / 2, "Kafka": us / 2}, mb, 1.5, wrong)

    made = {
        "lean": [run(100, 10, 50), run(200, 10, 60)],
        "other": [run(50, 20, 70), run(50, 20, 70)],
        "broken": [Run(wrong="cannot be installed: no such package")] * 2,
        "wrong": [run(999, 1, 1, "3 differ"), run(80, 30, 10)],
    }
    found = {name: [replace(run, turn=f"{nth}") for nth, run in enumerate(runs)]
             for name, runs in made.items()}  # fmt: skip
    others = [Contender(name, "other") for name in found if name != "lean"]
    rows = report.rates([Contender("lean", "lean"), *others], found)[2:]
    assert rows == [
        "| lean | 150 | 100 to 200 | 1.00 | 1.00 | 10 | 60 | 1.5 | equal |",
        "| other | 50 | 50 to 50 | 0.38 | 0.50 | 20 | 70 | 1.5 | equal |",
        "| broken | – | – | – | – | – | – | – | cannot be installed: no such package |",
        "| wrong | 80 | 80 to 80 | 0.40 | 0.33 | 30 | 10 | 1.5 | equal, 1 of 2 runs: 3 differ |",
    ]
    shown = report.processes([Contender("other", "lean")], found)[-1]
    assert shown == "| other | JVM 10.0, Kafka 10.0 |"


def test_latencies_are_a_row_a_level_and_the_restart_stands_in_the_last() -> None:
    at = Paced(0.1, 100, 5, 7, 9, 20, 300)
    told = Latency([at, replace(at, level=0.5)], 3.25)
    rows = report.latencies([Contender("a", "lean"), Contender("b", "lean")], {"a": told})[2:]
    assert rows == [
        "| a | 10% | 100 | 5 | 7 | 9 | 20 | 300 |  |",
        "|  | 50% | 100 | 5 | 7 | 9 | 20 | 300 | 3.2 |",
    ]


def test_each_contender_has_its_name_and_a_lean_loop_to_be_held_against() -> None:
    everyone = contenders(2)
    assert len({one.name for one in everyone}) == len(everyone)
    firsts: dict[str, Contender] = {}
    for one in everyone:
        firsts.setdefault(one.group, one)
    assert {one.script for one in firsts.values()} == {"lean"}
    short = [one for one in everyone if one.brief]
    assert {one.script for one in short} >= {"lean", "topology", "tutorial", "bytewax_flow"}


def test_processor_time_between_two_looks_is_on_a_straight_line() -> None:
    moments, values = [1000.0, 2000.0, 3000.0], [1.0, 3.0, 3.5]
    assert [until(moments, values, at) for at in (500, 1500, 2000, 2500, 9000)] == [
        0.0, 2.0, 3.0, 3.25, 3.5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "label"),
    [
        (["/usr/lib/jvm/bin/java", "-Xmx1g"], "JVM"),
        (["python", "/x/streamparse_run", "bolts.fraud.FraudBolt"], "FraudBolt"),
        (["python", "-m", "benchmarks.contenders.lean", "h:1"], "lean"),
        (["/x/bin/sparse", "run", "-n", "fraud"], "sparse"),
        ([], "other/"),
    ],
)
def test_processes_are_called_by_what_they_run(command: list[str], label: str) -> None:
    assert label_of(command) == label


def test_a_benchmark_goes_to_services_of_its_own_whatever_the_settings_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = [
        registry.Entry("kafka", 11, 0.0, {}, "", {"kafka.bootstrap": "127.0.0.1:1"}),
        registry.Entry("cassandra", 12, 0.0, {}, "", {"cassandra.port": 2}),
    ]
    ended: list[list[str]] = []
    monkeypatch.setattr(own_services, "ROOT", tmp_path)
    monkeypatch.setattr(own_services, "ensure", lambda *_: started)
    monkeypatch.setattr(own_services, "halt", lambda home, names, told: ended.append(names))
    monkeypatch.setenv("STORMWATCH_KAFKA_BOOTSTRAP", "production:9092")
    monkeypatch.setenv("STORMWATCH_STORE", "spanner")
    (tmp_path / "stormwatch.toml").write_text("[cassandra]\nport = 9999\n")
    with own_services.own_services(lambda *_: None) as found:
        assert found == {"kafka": 11, "cassandra": 12}
        settings = load(root=tmp_path)
        assert settings.kafka_bootstrap == "127.0.0.1:1"
        assert (settings.cassandra_port, settings.store) == (2, "cassandra")
    assert load(root=tmp_path).kafka_bootstrap == "production:9092"
    assert ended == [["kafka", "cassandra"]]
