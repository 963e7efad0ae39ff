"""Training repeats itself, and the features carry what public data has to tell."""

import os
from pathlib import Path

import pytest

from apps.build.training import maintenance
from stormwatch.domains.maintenance.domain import Maintenance
from stormwatch.errors import SettingsError
from stormwatch.settings import variable

DATA = os.environ.get(variable("data"), "")


def test_the_same_seed_gives_the_same_model(tmp_path, monkeypatch):
    monkeypatch.setattr(maintenance, "ENGINES", 9)
    cards = [maintenance.train_maintenance(tmp_path / name, 5) for name in ("a", "b")]
    assert cards[0] == cards[1]
    assert (tmp_path / "a/blend.msgpack").read_bytes() == (
        tmp_path / "b/blend.msgpack"
    ).read_bytes()
    assert Maintenance.load(tmp_path / "a").model_version == cards[0].version
    assert cards[0].split.startswith("engines in 4 folds")
    assert cards[0].metrics["rmse"] > 0


@pytest.mark.parametrize("text", [None, "1 2 3\n", "a b c\n"])
def test_what_is_not_cmapss_is_refused_by_its_name(tmp_path, text):
    if text is not None:
        (tmp_path / "train_FD001.txt").write_text(text)
    with pytest.raises(SettingsError, match="train_FD001.txt"):
        maintenance.train_maintenance(tmp_path / "out", 1, tmp_path)
    with pytest.raises(SettingsError, match="no C-MAPSS set"):
        maintenance.train_maintenance(tmp_path / "out", 1, tmp_path, "FD004")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not DATA, reason=f"{variable('data')} names no folder with cmapss/")
def test_fd001_remaining_life_within_fifteen_cycles(tmp_path):
    card = maintenance.train_maintenance(tmp_path, 1, Path(DATA) / "cmapss")
    assert card.metrics["fd001_test_rmse"] < 15
    assert card.metrics["rmse"] < 15
