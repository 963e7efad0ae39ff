"""A model of failures of one's own machines: trained or brought, and used by the stream."""

import json
import re
from collections import Counter
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from apps.build.own_model import measured
from apps.build.own_model.add import Wanted, add, failures
from apps.build.own_model.sample import read as read_sample
from apps.build.training import own_machines, table
from apps.build.training.failures import by_day, parts_of, train_failures
from apps.cli.__main__ import main
from apps.data import mapped_rows
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.equipment import EquipmentError, Types, chosen, texts_of
from stormwatch.domains.maintenance.event import Reading
from stormwatch.errors import SettingsError
from stormwatch.features import names
from stormwatch.models import load
from stormwatch.settings import Settings
from tests.models import pumps

HOUR = own_machines.HOUR_MS


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pumps.Files:
    return pumps.write(tmp_path_factory.mktemp("pumps"))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> pumps.Files:
    return pumps.write(tmp_path_factory.mktemp("few"), units=2, hours=60)


@pytest.fixture(scope="module")
def types(files: pumps.Files) -> Types:
    return chosen(Settings(maintenance_equipment=str(files.kind)))


@pytest.fixture(scope="module")
def rows(files: pumps.Files, types: Types) -> own_machines.Rows:
    return own_machines.rows(files.data, str(files.mapping), str(files.failures), types, 24)


def test_the_model_of_ones_own_pumps_decides_in_the_stream(
    files: pumps.Files, types: Types, rows: own_machines.Rows
) -> None:
    """As the commands do it: train, then the domain by the settings; the same rows, bit for bit."""
    folder = files.kind.parent / "models" / "pump"
    card = train_failures(folder, types.default, rows, "readings of p.csv", 7, 8.0, 24)
    assert card.metrics["auc"] > 0.8 and card.metrics["watch_found"] > 0.5
    assert 0 < card.thresholds["watch"] <= card.thresholds["service"] <= 1
    report = (folder / "report.md").read_text()
    assert "days of a unit" in (folder / "report.svg").read_text()
    assert f"service from {card.thresholds['service']:.6f}" in report

    domain = Maintenance.from_settings(Settings(maintenance_equipment=str(files.kind)))
    mapped = own_machines.made(str(files.mapping), own_machines.Readings(types).target)
    states, seen, outcomes = {}, [], Counter[str]()
    told = ""
    for line in mapped_rows.read([files.data], mapped):
        event = mapped.parse(line.value, -1, future_skew_ms=0)
        assert isinstance(event, Reading)
        if event.unit not in ("P-0", "P-1"):
            continue
        state = states.setdefault(event.unit, domain.new_state())
        row, carry = domain.advance(state, event)
        (verdict,) = domain.decide([event], [row], [carry])
        outcomes[verdict.outcome] += 1
        seen.append(row)
        assert verdict.by == ("failure-pump-1", card.version, "pump-1")
        assert len(row) == len(domain.other_features["failure-pump-1"])
        if verdict.outcome == "service" and not told:
            (reason,), (explanation,) = verdict.why() if verdict.why else ((), ())
            told = reason.text
            assert abs(explanation.total - np.log(verdict.score / (1 - verdict.score))) < 1e-3
    assert outcomes["service"] and outcomes["watch"] and outcomes["healthy"] > 250
    assert told.startswith("vibration velocity")
    kept = {tuple(row) for row in rows.features[np.isin(rows.unit, (0, 1))].tolist()}
    assert kept <= set(seen) and len(kept) > 450


def test_parts_share_no_unit_and_no_time(rows: own_machines.Rows) -> None:
    parts = parts_of(rows, 7, 24)
    for one, other in ((parts.train, parts.choose), (parts.train, parts.test)):
        assert one.time.max() < other.time.min() - 24 * HOUR
        assert not set(one.unit.tolist()) & set(other.unit.tolist())
    assert not set(parts.choose.unit.tolist()) & set(parts.test.unit.tolist())
    few = rows.where(rows.unit < 8)
    by_time = parts_of(few, 7, 24)
    assert by_time.words.startswith("by time alone, of 8 units")
    assert by_time.train.time.max() < by_time.choose.time.min() - 24 * HOUR
    assert by_time.choose.time.max() < by_time.test.time.min() - 24 * HOUR
    with pytest.raises(SettingsError, match="failures to learn from, and 8 are needed"):
        parts_of(rows.where(rows.unit < 2), 7, 24)


def test_a_reading_is_labelled_by_when_its_unit_failed(
    files: pumps.Files, rows: own_machines.Rows
) -> None:
    """By counting: the hours until the unit's next failure; at the end that is not known."""
    ends: dict[str, list[int]] = {}
    for line in files.failures.read_text().splitlines()[1:]:
        unit, when = line.split(",")
        ends.setdefault(unit, []).append(own_machines._ms(when, ""))
    known = {f"P-{at}": at for at in range(20)}
    numbers = dict(zip(sorted(known), range(20), strict=True))  # of one time in order of name
    for unit, number in numbers.items():
        own = rows.where(rows.unit == number)
        for time, failing in zip(own.time.tolist(), own.failing.tolist(), strict=True):
            near = any(time <= end <= time + 24 * HOUR for end in ends[unit])
            assert failing == near
    assert rows.failure.max() == len({(u, e) for u, es in ends.items() for e in es})
    last = pumps.START.timestamp() * 1000 + 279 * HOUR
    assert rows.where(~rows.failing).time.max() <= last - 24 * HOUR


def test_labels_may_be_a_column(few: pumps.Files, types: Types) -> None:
    by_column = own_machines.rows(few.data, str(few.mapping), "failing", types, 24)
    table_ = [line.rsplit(",", 1) for line in few.data.read_text().splitlines()[1:]]
    assert by_column.failing.tolist() == [label == "1" for _, label in table_]
    with pytest.raises(SettingsError, match=r"no such column; there are: .*failing"):
        own_machines.rows(few.data, str(few.mapping), "broken", types, 24)


def test_a_unit_is_visited_once_a_day(rows: own_machines.Rows) -> None:
    score = np.random.default_rng(2).random(len(rows.time))
    days = by_day(score, rows)
    told = {}
    for value, failing, day, unit in zip(score, rows.failing, rows.day, rows.unit, strict=True):
        most, bad = told.get((day, unit), (0.0, False))
        told[day, unit] = (max(most, value), bad or failing)
    assert sorted(told.values()) == sorted(zip(days.score, days.fraud, strict=True))
    assert rows.units_a_day == len(told) / len(set(rows.day.tolist()))


def test_rows_of_readings_are_what_model_add_takes(
    files: pumps.Files, types: Types, rows: own_machines.Rows, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(measured, "of", lambda *_: measured.Cost(30.0, 2.0, 5.0))
    told = table.write_readings(tmp_path / "rows.csv", rows, names(types.default.failure_features))
    target = failures(types.default)
    sample = read_sample(tmp_path / "rows.csv", target.feature_names)
    assert np.array_equal(sample.rows, rows.features) and told.rows == len(rows.time)
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 8, "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(
            rows.features, rows.failing.astype(float), feature_name=list(target.feature_names)
        ),
        10,
    )
    booster.save_model(str(tmp_path / "m.txt"))
    made = add(
        Wanted(str(tmp_path / "m.txt"), "own", sample=tmp_path / "rows.csv"), target,
        tmp_path / "own",
    )  # fmt: skip
    scores = np.asarray(booster.predict(rows.features))
    assert (scores >= made.card.thresholds["service"]).mean() <= 0.01
    assert made.card.thresholds["watch"] <= made.card.thresholds["service"]
    assert made.card.feature_set == "failure-pump-1"
    assert load(tmp_path / "own").predict(rows.features[:50]) == pytest.approx(scores[:50].tolist())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('model = "failure"\n', "", 'stands with model = "failure"'),
        ("over = [6, 24]", "over = [24, 6]", "`failure.over` is .24, 6.: from few readings to"),
        ("over = [6, 24]", "over = [6, 65]", "`failure"),
        ('model = "models/pump"\n', "", "`failure` names no model; set model ="),
    ],
)
def test_a_type_that_cannot_be_meant_so_is_refused(
    files: pumps.Files, tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = tmp_path / "pump.toml"
    path.write_text(files.kind.read_text().replace(old, new, 1))
    with pytest.raises(EquipmentError, match=said):
        chosen(Settings(maintenance_equipment=str(path)))


def test_the_folder_of_the_model_is_told_from_the_file_and_travels_whole(
    files: pumps.Files,
) -> None:
    """Workers get the text alone, and stand elsewhere."""
    text = texts_of(str(files.kind))
    wanted = str((files.kind.parent / "models" / "pump").resolve())
    assert re.search(rf"^model = {re.escape(json.dumps(wanted))}$", text, re.M)
    assert 'model = "failure"' in text
    kind = chosen(Settings(maintenance_equipment=text)).default
    assert kind.failure is not None and kind.failure.model == wanted


def test_readings_of_another_type_or_without_failures_are_refused(
    few: pumps.Files, types: Types, tmp_path: Path
) -> None:
    mapping = tmp_path / "any.toml"
    mapping.write_text(pumps.MAPPING.replace('equipment = "pump"\n', ""))
    with pytest.raises(SettingsError, match=r'are of the type any; name equipment = "pump"'):
        own_machines.rows(few.data, str(mapping), "failing", types, 24)
    none = tmp_path / "none.csv"
    none.write_text("unit,time\nQ-1,2026-01-01T00:00:00Z\n")
    with pytest.raises(SettingsError, match=r"None of .* readings speaks of a failure"):
        own_machines.rows(few.data, str(few.mapping), str(none), types, 24)
    none.write_text("unit,time\nQ-1,yesterday\n")
    with pytest.raises(SettingsError, match="line 2 says 'yesterday'; a time is such as 2026"):
        own_machines.rows(few.data, str(few.mapping), str(none), types, 24)
    any_type = chosen(Settings(maintenance_equipment="rotating"))
    with pytest.raises(SettingsError, match=r'Add to its file: model = "failure"'):
        own_machines.rows(few.data, str(few.mapping), "failing", any_type, 24)


def test_what_does_not_go_together_is_refused_by_the_commands(
    files: pumps.Files, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (["train", "maintenance", "--data", str(files.data)], "needs --mapping and --labels"),
        (["train", "maintenance", "--reviews-a-day", "3"], "--reviews-a-day is of payments, or"),
        (["train", "fraud", "--equipment", "x"], "--equipment is of maintenance"),
        (["model", "rows", "maintenance", "--out", "x.csv"], "Rows of readings are of your own"),
        (["model", "features", "fraud", "--equipment", "x"], "--equipment is of the domain main"),
    ):
        assert main(arguments) == 1
        assert said in capsys.readouterr().err.replace("\n", " ")
