"""Training on payments of one's own: read by a mapping, split by time, thresholds by a budget."""

import csv
from pathlib import Path

import numpy as np
import pytest

from apps.build.training import own_data, table
from apps.build.training.curves import at, ladder
from apps.build.training.fraud import Budget, train_fraud
from stormwatch.domains.fraud import Fraud
from stormwatch.errors import SettingsError
from stormwatch.models import load

DAYS, CUSTOMERS = 20, 40
MAPPING = """event = "transactions"
[fields.id]
path = "number"
[fields.customer]
path = "card"
[fields.terminal]
path = "shop"
[fields.time]
path = "when"
form = "epoch_s"
[fields.amount]
path = "amt"
unit = "major"
[fields.currency]
constant = "EUR"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Payments of everyone's usual size, and some frauds of several times as much; not in order."""
    made, draw = tmp_path_factory.mktemp("own"), np.random.default_rng(3)
    (made / "map.toml").write_text(MAPPING)
    with (made / "data.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("number", "card", "shop", "when", "amt", "is_fraud"))
        for number in draw.permutation(5_500).tolist():
            when = 1_700_000_000 + int(number / 5_500 * DAYS * 86_400)
            is_fraud = int(draw.random() < 0.02)
            amount = draw.uniform(5, 40) * (draw.uniform(1.5, 7) if is_fraud else 1)
            lines.writerow(
                (number, number % CUSTOMERS, number % 7, when, f"{amount:.2f}", is_fraud)
            )
    return made


def payments(folder: Path, labels: str = "is_fraud") -> list[own_data.Labelled]:
    return list(own_data.payments(folder / "data.csv", str(folder / "map.toml"), labels))


def test_a_model_of_ones_own_payments_keeps_the_budget_and_tells_what_it_brings(
    folder: Path, tmp_path: Path
) -> None:
    made = payments(folder)
    times = [event.time for event, _ in made]
    assert len(made) == 5_500 and times == sorted(times)
    card = train_fraud(
        tmp_path / "m", 7, folder / "data.csv", brought=made, budget=Budget(reviews_a_day=4)
    )
    assert card.split.startswith("by time: 15 days train") and "the last 3 are" in card.split
    assert 0 < card.metrics["flagged_a_day"] < 8 and card.metrics["recall"] > 0.2
    assert card.metrics["auc"] > 0.8
    assert Fraud.load(tmp_path / "m").card == card == load(tmp_path / "m").card
    report = (tmp_path / "m" / "report.md").read_text()
    assert f"review from {card.thresholds['review']:.6f}" in report
    assert f"{card.metrics['recall']:.1%} of all frauds" in report
    assert "data.csv" in report and str(folder) not in report
    curves = (tmp_path / "m" / "report.svg").read_text()
    assert curves.startswith("<svg") and "review" in curves and "NaN" not in curves.upper()


def test_labels_are_a_column_or_a_file(folder: Path, tmp_path: Path) -> None:
    by_column = payments(folder)
    path = tmp_path / "labels.csv"
    told = [event.id for event, label in by_column if label]
    path.write_text("payment,label\n" + "".join(f"{one},chargeback\n" for one in told))
    assert payments(folder, str(path)) == by_column
    path.write_text("payment,label\n1,perhaps\n")
    with pytest.raises(SettingsError, match=r"line 2 says 'perhaps'; a label is one of 1, 0"):
        payments(folder, str(path))
    path.write_text("id,label\n")
    with pytest.raises(SettingsError, match="needs the columns payment and label"):
        payments(folder, str(path))
    path.write_text("payment,label\n")
    with pytest.raises(SettingsError, match="None of 5,500 payments"):
        payments(folder, str(path))
    with pytest.raises(SettingsError, match=r"no such column; there are: .*is_fraud"):
        payments(folder, "fraud")


def test_too_little_or_other_data_is_refused_with_what_is_needed(
    folder: Path, tmp_path: Path
) -> None:
    made = payments(folder)
    with pytest.raises(SettingsError, match="span 7 days; 14 are needed"):
        train_fraud(tmp_path, 7, folder / "data.csv", brought=made[:1_500])
    with pytest.raises(SettingsError, match=r"have 1,\d+ payments; 3,000 are needed"):
        train_fraud(tmp_path, 7, folder / "data.csv", brought=made[::3])
    genuine = [(event, label if at < 3_000 else 0) for at, (event, label) in enumerate(made)]
    with pytest.raises(SettingsError, match="3 days to choose thresholds on have 0 frauds; 3 are"):
        train_fraud(tmp_path, 7, folder / "data.csv", brought=genuine)
    (tmp_path / "other.csv").write_text("number,card\n1,2\n")
    with pytest.raises(SettingsError, match="refuses 1 of 1 records .* the first: record 1"):
        list(own_data.payments(tmp_path / "other.csv", str(folder / "map.toml"), "is_fraud"))


def test_rows_are_those_of_the_stream_and_read_back_as_they_were(
    folder: Path, tmp_path: Path
) -> None:
    from apps.build.own_model.sample import read
    from apps.build.training.payments import rows_of

    some = payments(folder)[:400]
    for name in ("rows.csv", "rows.csv.gz"):
        told = table.write(tmp_path / name, some)
        sample = read(tmp_path / name, Fraud.feature_names)
        assert told == (400, sum(label for _, label in some))
        assert np.array_equal(sample.rows, rows_of(some).features)
        assert sample.label is not None and sample.label.sum() == told.frauds
        assert sample.entity is not None and len(set(sample.entity)) == CUSTOMERS


def test_a_ladder_of_thresholds_is_what_counting_says() -> None:
    draw = np.random.default_rng(2)
    score = np.round(draw.random(3_000), 3)
    positive = draw.random(3_000) < score / 10
    for step in ladder(score, positive, 10):
        above = score >= step.score
        assert step.a_day == pytest.approx(above.sum() / 10)
        assert step.precision == pytest.approx(positive[above].mean())
        assert step.recall == pytest.approx(positive[above].sum() / positive.sum())
        assert at(step.score, score, positive, 10) == pytest.approx(step)
    assert at(2.0, score, positive, 10) == (2.0, 0.0, 0.0, 0.0)
