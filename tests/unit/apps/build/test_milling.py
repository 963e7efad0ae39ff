"""Milling machines: the generator's rules, training that repeats itself, the protocol's splits."""

import json
from itertools import islice
from math import pi
from pathlib import Path

import numpy as np
import pytest

from apps.build.evaluate.cases import milling as case
from apps.build.training import milling
from apps.data.generate.milling import products
from stormwatch.domains.maintenance.equipment import shipped
from stormwatch.domains.maintenance.failures import SHIPPED
from stormwatch.models import load


def test_the_generator_fails_by_the_documented_rules_and_repeats_itself() -> None:
    made = list(islice(products(3, machines=2), 4000))
    assert made == list(islice(products(3, machines=2), 4000))
    wear: dict[str, float] = {}
    seen = set()
    for one in made:
        value = json.loads(one.value)
        s, modes = value["sensors"], set(one.modes)
        seen |= modes
        power = s["torque"] * s["rotational_speed"] * 2 * pi / 60
        assert ("power" in modes) == (not 3500 <= power <= 9000)
        above = s["process_temperature"] - s["air_temperature"]
        assert ("heat_dissipation" in modes) == (above < 8.6 and s["rotational_speed"] < 1380)
        limit = {1: 11_000, 2: 12_000, 3: 13_000}[s["variant"]]
        assert ("overstrain" in modes) == (s["torque"] * s["tool_wear"] > limit)
        assert "tool_wear" not in modes or 195 <= s["tool_wear"] <= 240
        assert s["tool_wear"] == 0 or s["tool_wear"] > wear[value["unit"]]
        wear[value["unit"]] = s["tool_wear"]
    assert {"power", "heat_dissipation", "overstrain", "tool_wear"} <= seen
    failed = sum(bool(one.modes) for one in made) / len(made)
    assert 0.01 < failed < 0.08


def test_the_same_seed_gives_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milling, "PRODUCTS", 3000)
    monkeypatch.setattr(milling, "HELD_OUT", 1000)
    cards = [milling.train_milling(tmp_path / name, 5) for name in ("a", "b")]
    assert cards[0] == cards[1]
    assert cards[0].metrics["f1"] > 0.5
    with pytest.raises(ValueError, match="at least 1"):
        next(products(1, machines=0))


def test_the_shipped_model_is_for_the_shipped_type_and_tells_what_it_was_trained_on() -> None:
    card = load(SHIPPED / "milling").card
    assert card.feature_names == milling.NAMES
    assert card.feature_set == f"failure-{shipped('milling').label}"
    assert card.distribution
    assert card.metrics["f1"] > 0.85


def test_f1_is_of_one_class() -> None:
    told, true = np.array([1, 1, 1, 0, 0], bool), np.array([1, 1, 0, 1, 0], bool)
    assert case.f1(told, true) == pytest.approx(2 / 3)
    assert case.f1(np.zeros(3, bool), np.zeros(3, bool)) == 0


def test_each_row_is_in_one_fold_and_each_fold_has_its_share_of_failures() -> None:
    failed = np.arange(1000) % 40 == 0
    folds = list(case.folds(failed, 1))
    assert sorted(np.concatenate(folds)) == list(range(1000))
    assert [int(failed[fold].sum()) for fold in folds] == [5] * 5
    assert not np.array_equal(folds[0], next(case.folds(failed, 2)))


def test_a_row_is_scored_by_a_model_that_has_not_seen_its_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The `model` here says of a row 1 where its label was trained on, which must not happen."""
    rows, failed = np.arange(60.0)[:, None], np.arange(60) % 6 == 0
    trained: list[list[float]] = []

    def spy(train: np.ndarray, labels: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
        trained.append(train[:, 0].tolist())
        assert len(train) == len(labels)
        return np.isin(asked[:, 0], train[:, 0]).astype(float)

    monkeypatch.setattr(case, "scored", spy)
    assert case.cross_validated(rows, failed, 1).tolist() == [0.0] * 60
    trained.clear()
    assert case.in_order(rows, failed, first=30, step=10).tolist() == [0.0] * 30
    assert trained == [list(range(n)) for n in (30, 40, 50)]
