"""Rows unlike the training rows are told, by range and jointly; rows like them are not."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.domain import SHIPPED
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.sensors import WEARING
from stormwatch.errors import ModelError
from stormwatch.metrics import MUCH_DRIFT
from stormwatch.models import NoModel, distribution
from stormwatch.models.card import Card
from stormwatch.models.distribution import Distribution
from stormwatch.records import OUT_OF_DISTRIBUTION

NAMES = ("amount", "mean", "count", "never")


def rows(seed: int, count: int = 20_000) -> NDArray[np.float64]:
    """Amounts near their mean, small counts with many ties, a feature that never varies."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(3, 0.7, count)
    amount = mean * rng.lognormal(0, 0.2, count)
    return np.column_stack([amount, mean, rng.poisson(1.5, count), np.zeros(count)])


def card_of(data: NDArray[np.float64]) -> Card:
    told = distribution.describe(data, data[:, 0] / data[:, 0].max())
    return msgspec.structs.replace(NoModel.card, feature_names=NAMES, distribution=told)


@pytest.fixture(scope="module")
def trained() -> Distribution:
    found = distribution.of(card_of(rows(1)))
    assert found is not None
    return found


def test_other_rows_of_the_same_world_are_hardly_ever_outside(trained: Distribution) -> None:
    assert trained.outside(rows(2)).mean() < 0.003


def test_a_value_far_beyond_the_range_is_outside_and_named(trained: Distribution) -> None:
    row = np.array([20.0, 20.0, 40.0, 0.0])
    assert trained.outside([row]).tolist() == [True]
    assert NAMES[trained.oddest(row)] == "count"
    low, high = trained.usual(2)
    assert (low, 6 <= high <= 9) == (0.0, True)


def test_values_that_are_usual_alone_are_outside_together(trained: Distribution) -> None:
    low, high = np.quantile(rows(1)[:, 0], [0.03, 0.97])
    assert not trained.outside([[low, low, 1.0, 0.0], [high, high, 1.0, 0.0]]).any()
    together = [high, low, 1.0, 0.0]
    assert trained.outside([together]).all()
    assert NAMES[trained.oddest(together)] in ("amount", "mean")


def test_a_feature_that_never_varied_is_not_looked_at(trained: Distribution) -> None:
    assert not trained.outside([[20.0, 20.0, 1.0, 1e6]]).any()


def test_a_row_is_judged_by_itself_alone(trained: Distribution) -> None:
    mixed = np.vstack([rows(3, 300), rows(4, 50) * 7])
    whole = trained.outside(mixed)
    assert whole.any()
    assert whole.tolist() == [bool(trained.outside([row])[0]) for row in mixed]


def test_no_rows_are_fine(trained: Distribution) -> None:
    assert trained.outside(np.zeros((0, 4))).tolist() == []


def test_stability_is_low_for_the_same_world_and_high_where_a_feature_moved(
    trained: Distribution,
) -> None:
    now = rows(5)
    features, score = trained.stability(trained.counted(now, now[:, 0] / rows(1)[:, 0].max()))
    assert max(*features, score) < 0.01
    moved = now * [1, 1.8, 1, 1]
    features, _ = trained.stability(trained.counted(moved, now[:, 0]))
    assert features[1] > MUCH_DRIFT
    assert max(features[0], features[2], features[3]) < 0.01


def test_an_index_is_computed_as_defined() -> None:
    """Ten bins of a tenth each; now all in the first: (1 - .1) ln 10 + 9 (1e-4 - .1) ln 1e-3."""
    data = np.arange(10_000, dtype=float)[:, None]
    told = distribution.describe(data, data[:, 0])
    found = distribution.of(
        msgspec.structs.replace(NoModel.card, feature_names=("x",), distribution=told)
    )
    assert found is not None
    (index,), _ = found.stability(found.counted(np.zeros((1000, 1)), np.zeros(1000)))
    assert index == pytest.approx(0.9 * np.log(10) + 9 * (1e-4 - 0.1) * np.log(1e-3), rel=0.01)


@pytest.mark.parametrize("bad", [np.zeros((10, 2)), np.full((2000, 2), np.nan)])
def test_too_few_or_broken_rows_are_refused(bad: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="1,000 finite rows"):
        distribution.describe(bad, np.zeros(len(bad)))


def test_a_card_without_one_marks_nothing_and_a_broken_one_is_refused() -> None:
    assert distribution.of(NoModel.card) is None
    good = card_of(rows(1, 2000))
    with pytest.raises(ModelError, match="cannot be read"):
        distribution.of(msgspec.structs.replace(good, distribution=good.distribution[:-9]))
    with pytest.raises(ModelError, match="4 features for 3"):
        distribution.of(msgspec.structs.replace(good, feature_names=NAMES[:3]))


def test_a_model_without_one_is_taken_with_a_warning_and_marks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(SHIPPED, tmp_path / "model")
    made = Maintenance.load(folder)
    event = Reading("1", "u", 1, 5000, (0.0, 0.0, 100.0), {s.name: s.nominal for s in WEARING})

    def noted(domain: Maintenance) -> str:
        row, _ = domain.advance(domain.new_state(), event)
        return domain.decide([event], [row], [None])[0].noted

    assert noted(made) == OUT_OF_DISTRIBUTION, "no unit of the training became so old"
    card = msgspec.structs.replace(made.card, distribution=b"")
    (folder / "card.json").write_bytes(msgspec.json.encode(card))
    with caplog.at_level("WARNING"):
        bare = Maintenance.load(folder)
    assert f"the card of model {card.version} does not tell what it was trained on" in caplog.text
    assert "./stormwatch train" in caplog.text
    assert noted(bare) == ""


def test_a_card_carries_it_through_its_file(tmp_path: Path) -> None:
    card = card_of(rows(1, 2000))
    path = tmp_path / "card.json"
    path.write_bytes(msgspec.json.encode(card))
    assert msgspec.json.decode(path.read_bytes(), type=Card) == card


def test_few_rows_and_many_have_the_same_normal_scores_to_the_bit(trained: Distribution) -> None:
    """Of values between quantiles, on them and beyond them; one by one and all at once."""
    draw = np.random.default_rng(5)
    low, high = trained._quantiles[:, 0], trained._quantiles[:, -1]
    rows = low + (high - low) * draw.uniform(-0.3, 1.3, (400, trained.features))
    on = trained._quantiles[np.arange(trained.features), draw.integers(0, 19, rows.shape)]
    rows = np.where(draw.random(rows.shape) < 0.4, on, rows)
    many = distribution._normal_scores(trained._curves, rows)
    few = [
        distribution._normal_scores(trained._curves, rows[at : at + 3]) for at in range(0, 400, 3)
    ]
    assert np.concatenate(few).tobytes() == many.tobytes()
    assert trained._curves.features.size and np.ptp(many) > 1
