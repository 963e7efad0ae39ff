"""Models that take a person's own features: names and hash of the set are checked."""

from itertools import islice
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from apps.build.own_model import measured
from apps.build.own_model.add import Target, Wanted, add, fraud
from apps.build.own_model.sample import read
from apps.build.training import payments, table
from stormwatch.domains.fraud import Fraud, own
from stormwatch.domains.fraud.features import FEATURE_NAMES, FEATURE_SET
from stormwatch.errors import ModelError
from stormwatch.own_features import OwnFeatures
from stormwatch.settings import Settings

TEXT = '''"""How many payments the customer made before."""

from stormwatch.features import Feature

FEATURES = (Feature("before", "payments before"),)


def advance(state, event):
    state["n"] = state.get("n", 0) + 1
    return (float(state["n"] - 1),)
'''


def features(tmp_path: Path, name: str = "mine.py", text: str = TEXT) -> OwnFeatures:
    place = tmp_path / name
    place.write_text(text)
    made = own.chosen(Settings(fraud_features=str(place)))
    assert made is not None
    return made


def booster(path: Path, names: tuple[str, ...]) -> Path:
    draw = np.random.default_rng(5)
    x = np.round(draw.normal(size=(1_200, len(names))), 2)
    y = (x[:, 0] + x[:, -1] > 1).astype(int)
    data = lightgbm.Dataset(x, y, feature_name=list(names))
    options = {"objective": "binary", "num_leaves": 6, "num_threads": 1, "verbose": -1}
    lightgbm.train(options, data, 4).save_model(str(path))
    return path


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "of", lambda *_: measured.Cost(30.0, 2.0, 5.0))


def bring(tmp_path: Path, target: Target, names: tuple[str, ...], name: str = "m") -> Path:
    path = booster(tmp_path / f"{name}.txt", names)
    wanted = Wanted(str(path), name, thresholds={"review": 0.5, "decline": 0.9})
    add(wanted, target, tmp_path / name)
    return tmp_path / name


def test_a_model_of_own_features_is_used_with_that_file_and_refused_with_another(
    tmp_path: Path,
) -> None:
    mine = features(tmp_path)
    names = (*FEATURE_NAMES, "before")
    folder = bring(tmp_path, fraud(mine), names)
    domain = Fraud.load(folder, own=mine)
    assert domain.card.feature_set == f"{FEATURE_SET}+{mine.version}"
    assert domain.card.feature_names == names
    other = features(tmp_path, "other.py", TEXT.replace("(float(state", "(0.5 + float(state"))
    with pytest.raises(ModelError, match=r"'fraud-2\+\w+'; this version .* 'fraud-2\+"):
        Fraud.load(folder, own=other)
    renamed = features(tmp_path, "new.py", TEXT.replace('"before"', '"after"'))
    with pytest.raises(ModelError, match="; not computed: before; not taken: after. Use"):
        Fraud.load(folder, own=renamed)
    with pytest.raises(ModelError, match="of 'fraud-2'; not computed: before. Use"):
        Fraud.load(folder)


def test_a_model_that_was_trained_without_them_takes_the_others_alone(tmp_path: Path) -> None:
    mine = features(tmp_path)
    folder = bring(tmp_path, fraud(mine), FEATURE_NAMES)
    assert Fraud.load(folder, own=mine).card.feature_set == FEATURE_SET


def test_a_model_of_other_names_is_refused_with_the_list(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="; not computed: x, y; not taken: before. Train it on"):
        bring(tmp_path, fraud(features(tmp_path)), (*FEATURE_NAMES, "x", "y"))
    with pytest.raises(ModelError, match="gives no more; not computed: before. Train"):
        bring(tmp_path, fraud(), (*FEATURE_NAMES, "before"))
    assert not (tmp_path / "m").exists()


def test_rows_have_them_as_in_the_stream(tmp_path: Path) -> None:
    mine = features(tmp_path)
    some = list(islice(payments.simulated(3, 20, 30), 200))
    table.write(tmp_path / "rows.csv", some, Fraud(own=mine))
    sample = read(tmp_path / "rows.csv", fraud(mine).feature_names)
    seen: dict[str, int] = {}
    for (event, _), row in zip(some, sample.rows, strict=True):
        assert row[-1] == seen.get(event.customer, 0)
        seen[event.customer] = seen.get(event.customer, 0) + 1
