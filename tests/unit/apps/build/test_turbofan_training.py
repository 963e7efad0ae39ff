"""Protocols of remaining life on hand-made cases, and what is learned of working conditions."""

from itertools import islice

import numpy as np
import pytest

from apps.build.evaluate.cases import turbofan_unknown
from apps.build.evaluate.cases.turbofan import measured
from apps.build.training import remaining_life
from apps.build.training.engines import Engine, Unit, cut_before_failure, run_to_failure, sets
from apps.build.training.regimes import discover
from apps.build.training.remaining_life import Cases, calibrated, covered, cut_evenly, metrics
from apps.data.generate.flights import CONDITIONS, flights
from apps.data.generate.readings import readings
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.parse import parse
from stormwatch.domains.maintenance.sensors import ALL, WEARING
from stormwatch.errors import SettingsError
from stormwatch.models.conditions import find


def fleet(made, count: int = 3000) -> list[Unit]:
    """The first readings of a fleet; all count as healthy."""
    events: dict[str, list[Reading]] = {}
    for one in islice(made, count):
        event = parse(one.value, 10**13, future_skew_ms=0)
        assert isinstance(event, Reading), event
        events.setdefault(event.unit, []).append(event)
    return [Unit(unit, np.full(len(unit), 200.0)) for unit in events.values()]


def test_metrics_are_those_of_a_hand() -> None:
    d = np.array([-13.0, 10.0])
    found = metrics(Cases(100 + d, np.array([100.0, 100.0])))
    assert found["rmse"] == pytest.approx(np.sqrt((169 + 100) / 2), abs=1e-3)
    assert found["nasa_score"] == pytest.approx(100 * (np.e - 1), abs=0.1)


def test_an_interval_holds_nine_of_ten_and_is_narrow_where_errors_are_small() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 125, 200 * remaining_life.CUTS)
    error = rng.normal(size=len(truth)) * (1 + truth / 10)
    cases = Cases(np.clip(truth + error, 0, 125), truth)
    half = len(truth) // 2
    interval = calibrated(Cases(cases.estimate[:half], truth[:half]), 1)
    share, width = covered(interval, Cases(cases.estimate[half:], truth[half:]))
    assert 0.87 <= share <= 0.94
    near, far = ((interval.around(at)[1] - interval.around(at)[0]) for at in (5.0, 70.0))
    assert near < 10 and far > 20 and 10 < width < 35


def test_every_remaining_life_is_met_alike() -> None:
    engines = [Engine(np.zeros((n, 1)), np.minimum(np.arange(n)[::-1], 125.0)) for n in (400, 20)]
    cases = cut_evenly(engines, [e.life for e in engines], 3)
    assert len(cases.truth) == 2 * remaining_life.CUTS
    assert (cases.estimate == cases.truth).all() and cases.truth[-1] <= 19


def test_six_conditions_are_found_by_their_settings_alone() -> None:
    found = discover(fleet(flights(2, units=20), 1600))
    assert len(found.known) == 6
    assert sorted(find(found.known, place) for place in CONDITIONS) == [0, 1, 2, 3, 4, 5]
    assert find(found.known, (10.0, 0.4, 91.0)) == -1
    ground = found.known[find(found.known, CONDITIONS[0])]
    for name, mean, noise in zip(found.sensors, ground.nominal, ground.noise, strict=True):
        sensor = next(s for s in WEARING if s.name == name)
        assert abs(mean - sensor.nominal) < 3 * sensor.noise
        assert sensor.noise < noise < 3 * sensor.noise


def test_jitter_around_one_place_is_one_condition_whose_normal_is_the_types() -> None:
    (only,) = discover(fleet(readings(2, units=20))).known
    assert only.nominal == tuple(sensor.nominal for sensor in WEARING)
    assert find((only,), (0.005, 0.0005, 100.0)) == 0
    assert find((only,), (10.0, 0.25, 100.0)) == -1


def test_settings_that_are_not_there_are_one_condition() -> None:
    units = [Unit([Reading(r.id, r.unit, r.time, r.cycle, (), r.sensors) for r in unit.readings],
                  unit.left) for unit in fleet(readings(2, units=2), 400)]  # fmt: skip
    assert [each.settings for each in discover(units).known] == [()]


def test_cmapss_text_is_read_with_what_is_left_after_each_row(tmp_path) -> None:
    values = " ".join(f"{s.nominal or 1:g}" for s in ALL)
    rows = [f"{unit} {cycle} 0 0 100 {values}" for unit in (1, 2) for cycle in (1, 2, 3)]
    for kind in ("train", "test"):
        (tmp_path / f"{kind}_FD009.txt").write_text("\n".join(rows))
    (tmp_path / "RUL_FD009.txt").write_text("7\n130\n")
    assert sets(tmp_path) == ["FD009"]
    assert [u.left.tolist() for u in run_to_failure(tmp_path, "FD009")] == [[2, 1, 0]] * 2
    assert [u.left.tolist() for u in cut_before_failure(tmp_path, "FD009")] == [
        [9, 8, 7], [132, 131, 130],
    ]  # fmt: skip
    (tmp_path / "RUL_FD009.txt").write_text("7\n")
    with pytest.raises(SettingsError, match="1 lines for 2 test engines"):
        cut_before_failure(tmp_path, "FD009")


def test_a_life_that_one_feature_tells_is_learned(monkeypatch) -> None:
    monkeypatch.setattr(remaining_life, "NETWORKS", 1)
    monkeypatch.setattr(remaining_life, "FOLDS", 2)
    rng = np.random.default_rng(2)

    def engine(n: int) -> Engine:
        life = np.minimum(np.arange(n)[::-1], 125.0)
        return Engine(np.column_stack([life + rng.normal(size=n), rng.normal(size=n)]), life)

    engines = [engine(n) for n in rng.integers(100, 200, 16).tolist()]
    found = measured(engines[:12], engines[12:], 1)
    assert found.rmse < 9 and found.width < 30 and found.coverage_anywhere > 0.7


def test_the_shipped_model_marks_what_it_does_not_know_and_nothing_else() -> None:
    domain = Maintenance.load()
    unknown = turbofan_unknown.told(domain, fleet(flights(4, units=10), 2000))
    assert unknown.marked > 0.95 and unknown.silent == 0
    assert turbofan_unknown.told(domain, fleet(readings(4, units=10), 1000)).marked == 0
