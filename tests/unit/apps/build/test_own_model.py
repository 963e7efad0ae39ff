"""`./stormwatch model add`: what a folder is made of, and what is refused with the reason."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)

from apps.build.own_model import add as adding
from apps.build.own_model import compared, files, measured
from apps.build.own_model.add import Wanted, add, fraud, maintenance
from apps.build.training.export import telling_rows
from apps.build.training.export_sklearn import from_sklearn, score_of
from stormwatch.domains.fraud import Fraud
from stormwatch.errors import ModelError
from stormwatch.models import NoModel, load
from stormwatch.models.trees import TreesModel

NAMES = fraud().feature_names
LIMITS = {"review": 0.5, "decline": 0.9}
ONE_THREAD = {"num_threads": 1, "verbose": -1, "seed": 1}


def data(rows: int = 1_200, width: int = len(NAMES)) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(5)
    x = np.round(draw.normal(size=(rows, width)) * 3, 2)
    x[draw.random(x.shape) < 0.2] = 0.0
    return x, (x[:, 0] * x[:, 1] + x[:, 2] > 2).astype(int)


def booster(names: tuple[str, ...] = NAMES, **options: Any) -> Any:
    import lightgbm

    x, y = data(width=len(names))
    options = {"objective": "binary", "num_leaves": 8} | ONE_THREAD | options
    return lightgbm.train(options, lightgbm.Dataset(x, y, feature_name=list(names)), 6)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the process that measures; one test has it."""
    monkeypatch.setattr(measured, "of", lambda *_: measured.Cost(30.0, 2.0, 5.0))


def bring(tmp_path: Path, place: Path | str, **wanted: Any) -> adding.Added:
    options = {"thresholds": LIMITS} | wanted
    return add(Wanted(str(place), "mine", **options), fraud(), tmp_path / "made")


def saved(tmp_path: Path, **options: Any) -> Path:
    path = tmp_path / "model.txt"
    booster(**options).save_model(str(path))
    return path


def sample(tmp_path: Path, model: Any = None, off: float = 0.0) -> Path:
    x, y = data()
    columns = ["label", *NAMES] + (["score"] if model else [])
    table = np.column_stack([y, x] + ([model.predict(x) + off] if model else []))
    path = tmp_path / "rows.csv"
    np.savetxt(path, table, delimiter=",", header=",".join(columns), comments="", fmt="%.17g")
    return path


def test_lightgbm_becomes_a_folder_that_the_domain_scores_with(tmp_path: Path) -> None:
    made = bring(tmp_path, saved(tmp_path), sample=sample(tmp_path))
    folder = tmp_path / "made"
    domain = Fraud.load(folder)
    x, _ = data()
    assert domain.card == made.card and made.card.version.startswith("mine-")
    assert domain.model.predict(x) == pytest.approx(booster().predict(x).tolist(), abs=1e-9)
    told = made.card.measured
    assert told["rows_compared"] >= 500 and told["greatest_difference"] < 1e-9
    assert 0 < told["us_a_record_of_500"] < told["us_a_record_alone"]
    assert 0 <= told["adds_mb"] < 60
    assert made.card.distribution and not made.warnings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "model.txt", "rows.csv"]


@pytest.mark.usefixtures("quick")
def test_without_a_sample_it_is_taken_with_a_warning_and_marks_nothing(tmp_path: Path) -> None:
    made = bring(tmp_path, saved(tmp_path))
    assert not made.card.distribution
    assert any("no record is ever marked" in warning for warning in made.warnings)
    with pytest.raises(ModelError, match="is there already"):
        bring(tmp_path, saved(tmp_path))


@pytest.mark.usefixtures("quick")
def test_thresholds_are_said_or_chosen_by_a_budget_on_the_sample(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(ModelError, match="--threshold review=0.5, or give --sample"):
        bring(tmp_path, path, thresholds={})
    with pytest.raises(ModelError, match="no threshold 'revue'; there are review, decline"):
        bring(tmp_path, path, thresholds={"revue": 1.0})
    made = bring(tmp_path, path, thresholds={}, sample=sample(tmp_path), reviews=0.1)
    x, y = data()
    score = booster().predict(x)
    limits = made.card.thresholds
    assert 0.02 < (score >= limits["review"]).mean() <= 0.1
    assert (score[y == 0] >= limits["decline"]).mean() <= 0.0001


@pytest.mark.usefixtures("quick")
def test_the_first_feature_that_differs_is_named(tmp_path: Path) -> None:
    names = (*NAMES[:3], NAMES[4], NAMES[3], *NAMES[5:])
    with pytest.raises(ModelError, match=f"feature 4: the model takes {NAMES[4]!r}, the domain "):
        bring(tmp_path, saved(tmp_path, names=names))
    with pytest.raises(ModelError, match=r"for 10 features.*feature 11: the model takes nothing"):
        bring(tmp_path, saved(tmp_path, names=NAMES[:10]))
    unnamed = saved(tmp_path, names=tuple(f"Column_{at}" for at in range(len(NAMES))))
    with pytest.raises(ModelError, match="names none. Say which they are"):
        bring(tmp_path, unnamed)
    with pytest.raises(ModelError, match=r"feature 1: the model takes 'a'"):
        bring(tmp_path, unnamed, features="a,b")
    assert bring(tmp_path, unnamed, features="domain").card.feature_names == NAMES


def test_what_is_no_model_or_a_pickle_or_cut_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelError, match="is a pickle: reading one runs whatever code"):
        bring(tmp_path, path)
    path = tmp_path / "model.bin"  # whatever it is called
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ModelError, match="is a pickle"):
        bring(tmp_path, path)
    whole = saved(tmp_path)
    text = whole.read_text()
    whole.write_text(text[: len(text) // 3])
    with pytest.raises(ModelError, match="ends before its last tree: it was cut"):
        bring(tmp_path, whole)
    (tmp_path / "model.xyz").write_bytes(b"hello")
    with pytest.raises(ModelError, match="no model that can be taken: LightGBM text"):
        bring(tmp_path, tmp_path / "model.xyz")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        bring(tmp_path, tmp_path / "nothing.txt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("cost", "why"),
    [
        (measured.Cost(900.0, 350.0, 5.0), r"takes 350 µs a record in batches of 500; at most 200"),
        (measured.Cost(9.0, 3.0, 170.0), r"adds 170 MB to each scoring process; at most 60"),
    ],
)
def test_what_is_too_slow_or_too_large_is_refused_with_the_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: measured.Cost, why: str
) -> None:
    monkeypatch.setattr(measured, "of", lambda *_: cost)
    with pytest.raises(ModelError, match=why):
        bring(tmp_path, saved(tmp_path))
    assert not (tmp_path / "made").exists()


def test_a_file_of_more_than_the_most_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_MB", 0.001)
    with pytest.raises(ModelError, match=r"has 0 MB; a model file has at most"):
        bring(tmp_path, saved(tmp_path))


@pytest.mark.usefixtures("quick")
def test_other_scores_than_the_sample_states_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    bring(tmp_path, path, sample=sample(tmp_path, booster()))
    (tmp_path / "made").rename(tmp_path / "first")
    with pytest.raises(ModelError, match="states other scores: 1200 of 1200 rows get another"):
        bring(tmp_path, path, sample=sample(tmp_path, booster(), off=1e-3))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("z_30d", "zzz", 1), "no column for 1 of 50 features, .*'z_30d'"),
        (lambda text: text.replace("\n0,", "\nmany,", 1), "something other than numbers"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_wrong_sample_is_refused(tmp_path: Path, change: Callable[[str], str], why: str) -> None:
    path = sample(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ModelError, match=why):
        bring(tmp_path, saved(tmp_path), sample=path)


@pytest.mark.usefixtures("quick")
def test_a_script_returns_the_model_and_its_errors_are_told_with_their_line(
    tmp_path: Path,
) -> None:
    saved(tmp_path)
    script = tmp_path / "mine.py"
    script.write_text(
        "from pathlib import Path\n"
        "import lightgbm\n"
        "def model():\n"
        "    return lightgbm.Booster(model_file=str(Path(__file__).with_name('model.txt')))\n"
        "def broken():\n"
        "    return 1 / 0\n"
        "def strange():\n"
        "    return {}\n"
    )
    assert bring(tmp_path, script).card.framework.startswith("LightGBM")
    with pytest.raises(ModelError, match="from its line 6: ZeroDivisionError"):
        add(Wanted(f"{script}:broken", "a", thresholds=LIMITS), fraud(), tmp_path / "a")
    with pytest.raises(ModelError, match="returned a dict; taken are"):
        add(Wanted(f"{script}:strange", "a", thresholds=LIMITS), fraud(), tmp_path / "a")
    with pytest.raises(ModelError, match="no function 'other'"):
        add(Wanted(f"{script}:other", "a", thresholds=LIMITS), fraud(), tmp_path / "a")


@pytest.mark.usefixtures("quick")
def test_a_remaining_life_model_keeps_the_conditions_that_its_features_are_of(
    tmp_path: Path,
) -> None:
    target = maintenance(None)
    path = saved(tmp_path, names=target.feature_names, objective="regression")
    made = add(Wanted(str(path), "mine"), target, tmp_path / "made").card
    assert made.thresholds == {"service": 20.0, "watch": 50.0}
    assert made.conditions == target.conditions is not None
    with pytest.raises(ModelError, match="gives no probability"):
        path = saved(tmp_path, objective="regression")
        add(Wanted(str(path), "mine", thresholds=LIMITS), fraud(), tmp_path / "other")


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(6, random_state=1),
        ExtraTreesRegressor(5, random_state=1),
        GradientBoostingClassifier(n_estimators=8, random_state=1),
        HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=None, random_state=1),
    ],
    ids=lambda one: type(one).__name__,
)
def test_tree_models_of_scikit_learn_are_scored_exactly(estimator: Any) -> None:
    x, y = data(width=6)
    estimator.fit(x, y)
    trees = from_sklearn(estimator)
    assert trees is not None
    common = [0.0, 1.0, 1e30] + ([np.nan] if "Hist" in type(estimator).__name__ else [])
    rows = np.vstack([x, telling_rows(trees, common)])
    mine = TreesModel(NoModel.card, trees).predict(rows)
    assert np.abs(np.array(mine) - score_of(estimator)(rows)).max() < 1e-9


@pytest.mark.parametrize(
    "options",
    [
        {"objective": "binary:logistic"},
        {"objective": "binary:logistic", "max_depth": 12, "min_child_weight": 0.0},
        {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.3},
        {"objective": "reg:squarederror"},
        {"objective": "reg:absoluteerror"},
    ],
)
@pytest.mark.parametrize("lacking", [False, True])
def test_xgboost_is_scored_exactly_missing_values_too(
    options: dict[str, object], lacking: bool
) -> None:
    xgboost = pytest.importorskip("xgboost", reason="requirements/xgboost.txt is not installed")
    from apps.build.training.export_xgboost import from_xgboost

    x, y = data(width=6)
    if lacking:
        x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    made = xgboost.train(options | {"nthread": 1}, xgboost.DMatrix(x, y), 8)
    trees, rounds = from_xgboost(made)
    rows = np.vstack([x, telling_rows(trees, [0.0, -0.0, np.nan, 1e-40, -1e-40, 1e30])])
    found = TreesModel(NoModel.card, trees).predict(rows)
    assert rounds == 8 and np.isnan(rows).any()
    assert np.abs(np.array(found) - made.predict(xgboost.DMatrix(rows))).max() < 1e-6


@pytest.mark.usefixtures("quick")
def test_xgboost_that_stopped_early_is_scored_with_its_best_rounds(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost", reason="requirements/xgboost.txt is not installed")
    x, y = data()
    model = xgboost.XGBClassifier(
        n_estimators=60, early_stopping_rounds=2, learning_rate=0.9, n_jobs=1
    )
    model.fit(x[:600], y[:600], eval_set=[(x[600:], y[600:])], verbose=False)
    best, rounds = model.best_iteration + 1, model.get_booster().num_boosted_rounds()
    assert best < rounds
    for name in ("model.json", "model.ubj"):
        model.save_model(tmp_path / name)
        made = add(
            Wanted(str(tmp_path / name), "mine", features="domain", thresholds=LIMITS),
            fraud(), tmp_path / f"made-{name}",
        )  # fmt: skip
        assert made.card.notes == (
            f"Training stopped early: scored with the first {best} of {rounds} rounds.",
        )
        scores = load(tmp_path / f"made-{name}").predict(x)
        assert scores == pytest.approx(model.predict_proba(x)[:, 1].tolist(), abs=1e-6)
    (tmp_path / "cut.json").write_bytes((tmp_path / "model.json").read_bytes()[:-500])
    with pytest.raises(ModelError, match="cannot be read by XGBoost: .* It was cut or changed"):
        bring(tmp_path, tmp_path / "cut.json")


def test_a_conversion_that_scores_otherwise_is_refused_with_the_row() -> None:
    source = files.of_object(booster(), "here", None)

    class Off(TreesModel):
        def predict(self, rows: Any) -> list[float]:
            return [s + (1e-4 if np.isnan(r).any() else 0) for s, r in
                    zip(super().predict(rows), np.asarray(rows), strict=True)]  # fmt: skip

    rows = compared.rows_for(source, None)
    assert source.trees is not None
    with pytest.raises(ValueError, match=r"rows get another score, most of all row .*amount="):
        compared.compare(source, Off(NoModel.card, source.trees), rows, NAMES)


def test_a_score_that_depends_on_the_batch_is_refused() -> None:
    source = files.of_object(booster(), "here", None)

    class Leaning(TreesModel):
        def predict(self, rows: Any) -> list[float]:
            return [score + 1e-9 * len(rows) for score in super().predict(rows)]

    rows = compared.rows_for(source, None)
    assert source.trees is not None
    with pytest.raises(ValueError, match="may not depend on the batch"):
        compared.compare(source, Leaning(NoModel.card, source.trees), rows, NAMES)


@pytest.mark.usefixtures("quick")
def test_the_card_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    made = bring(tmp_path, saved(tmp_path))
    card = json.loads((tmp_path / "made" / "card.json").read_text())
    assert card["version"] == made.card.version and card["window"] == 1
