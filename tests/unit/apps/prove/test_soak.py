"""The soak's figures: slopes with their uncertainty, samples that survive, curves that show."""

import os
import time
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.local.memory import Seen, processes
from apps.prove.chaos.services import aged
from apps.prove.soak.course import BURST, between_kills
from apps.prove.soak.heaps import used
from apps.prove.soak.report import curves, report
from apps.prove.soak.samples import Journal, Sample, calm, lives
from apps.prove.soak.slopes import slope


def line(per_hour: float, level: float, noise: float, seed: int, count: int = 100):
    random = Random(seed)
    return [
        (10.0 * i, level + per_hour * 10.0 * i / 3600 + random.gauss(0, noise))
        for i in range(count)
    ]


@given(st.floats(-100, 100), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4))
def test_lives_of_other_levels_share_one_exact_slope(per_hour: float, levels: list[float]) -> None:
    found = slope([line(per_hour, level, 0.0, 1) for level in levels])
    assert found is not None
    assert found.per_hour == pytest.approx(per_hour, abs=1e-5)
    assert found.low <= found.per_hour <= found.high and found.lives == len(levels)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(400):
        found = slope([line(5.0, 80, 1.0, seed), line(5.0, 120, 1.0, seed + 1000)])
        assert found is not None
        held += found.low <= 5.0 <= found.high
    assert 365 <= held <= 394  # 95 % of 400, give or take three standard deviations


def wandering(per_hour: float, seed: int, count: int = 300) -> list[tuple[float, float]]:
    """Each value much like the one before it."""
    random, level, out = Random(seed), 0.0, []
    for i in range(count):
        level = 0.9 * level + random.gauss(0, 1)
        out.append((10.0 * i, 80 + per_hour * 10.0 * i / 3600 + level))
    return out


def test_samples_that_are_alike_widen_the_interval() -> None:
    held = 0
    for seed in range(200):
        found = slope([wandering(5.0, seed)])
        assert found is not None
        held += found.low <= 5.0 <= found.high
    assert held >= 176  # independent ones would be taken for sure and hold in fewer than 100


def test_kills_come_close_together_and_then_none_for_a_while() -> None:
    waits = list(islice(between_kills(Random(3), 120.0), 4 * BURST))
    assert sum(waits) == pytest.approx(4 * BURST * 120.0)
    calms = waits[BURST - 1 :: BURST]
    assert min(calms) > 1800.0 and max(set(waits) - set(calms)) <= 60.0


def test_what_a_heap_holds_is_the_sum_of_its_generations() -> None:
    young = " def new generation   total 19K, used 1000K [0x0,"
    old = " tenured generation   total 43K, used 2000K"
    rest = " Metaspace       used 8591K, committed 8832K, reserved 1114112K\n"
    assert used(f"26017:\n{young}\n  eden space 17472K,   7% used [0x0\n{old}\n{rest}") == 3.072
    assert used(" garbage-first heap   total 37888K, used 1000K [0x0\n") == 1.024
    assert used("1234: No such process") is None


def test_an_old_jvm_has_its_whole_heap_and_compiles_early() -> None:
    made = aged(["java", "-Xms16m", "-Xmx64m", "Main"])
    code = ["-XX:CompileThresholdScaling=0.02", "-XX:TieredStopAtLevel=1"]
    code += ["-XX:-UseDynamicNumberOfCompilerThreads"]
    heap = ["-Xms16m", "-Xmx64m", "-Xms64m", "-XX:+AlwaysPreTouch"]
    count = ["-XX:NativeMemoryTracking=summary"]
    assert made == ["java", *heap, *code, *count, "Main"]


def test_growth_is_seen_and_no_growth_let_pass() -> None:
    assert not slope([line(20.0, 80, 1.0, 3)]).flat
    assert slope([line(0.0, 80, 1.0, 4)]).flat
    assert slope([[(0.0, 1.0), (10.0, 1.0)]]) is None


def samples(leak: float) -> list[Sample]:
    out = []
    for i, (at, rss) in enumerate(line(leak, 100, 0.2, 5, 200)):
        pid = 1 if i < 100 else 2
        age = at + 100 if pid == 1 else at - 1000 + 0.1
        bolt = Seen("FraudBolt", pid, rss + 30, rss, 20, 5, age)
        out.append(Sample(at, [bolt], i * 100, i * 99, 7, 20, 90, pid - 1))
    return out


def test_a_leak_fails_the_report_and_its_absence_does_not() -> None:
    sound, leaking = report(samples(0.0), 1, 10, ["held"]), report(samples(50.0), 1, 10, [])
    assert sound.holds and not leaking.holds
    (bad,) = [each for each in leaking.slopes if not each.holds]
    assert (bad.component, bad.figure) == ("FraudBolt", "MB")
    assert 40 < bad.slope.per_hour < 60
    assert (sound.p99_ms, sound.lag, sound.kills) == ([90, 90], [7, 7], 1)


def test_the_minute_after_a_kill_is_not_calm() -> None:
    kills = [0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2]
    taken = [Sample(10.0 * i, [], 0, kills=n) for i, n in enumerate(kills)]
    assert [each.at for each in calm(taken)] == [0.0, 10.0, 80.0]


def test_handles_of_the_data_are_counted_apart(tmp_path: Path) -> None:
    own = tmp_path / "log"
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context((tmp_path / "table").open("w"))
        gone = held.enter_context((tmp_path / "gone").open("w"))
        (tmp_path / "gone").unlink()
        held.enter_context(own.open("w"))
        (inside,) = _me(tmp_path)
        (outside,) = _me(None)
        assert not gone.closed
    assert (inside.data, outside.data) == (3, 0)
    assert inside.files == outside.files - 3


def _me(data: Path | None) -> list[Seen]:
    return [each for each in processes([os.getpid()], time.time(), data) if each.pid == os.getpid()]


def test_young_processes_do_not_count() -> None:
    (first, second) = lives(samples(0.0), "own")["FraudBolt"]
    assert len(first) == 100
    assert len(second) == 94  # the first minute of its life is left out


def test_samples_survive_a_soak_that_was_killed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "samples.jsonl")
    assert journal.read() == []
    kept = samples(0.0)[:3]
    for each in kept:
        journal.add(each)
    with (tmp_path / "new" / "samples.jsonl").open("ab") as out:
        out.write(b'{"at":99,"proce')  # killed in the midst of a write
    again = Journal(tmp_path / "new" / "samples.jsonl")
    again.add(kept[0])
    assert again.read() == [*kept, kept[0]]


def test_curves_are_well_formed_and_hold_every_figure() -> None:
    tree = ElementTree.fromstring(curves(samples(1.0), "a <title> & more"))
    text = " ".join(tree.itertext())
    for word in (
        "a <title> & more",
        "resident memory, MB",
        "of its own, MB",
        "handles",
        "handles of data",
        "threads",
        "p99",
        "lag",
    ):
        assert word in text
    drawn = tree.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(drawn) == 2 + 2 + 2 + 2 + 2 + 2 + 1
    ElementTree.fromstring(curves([], "nothing yet"))
