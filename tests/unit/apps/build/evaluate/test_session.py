"""Cases are run or say why not; figures are compared the right way round."""

from pathlib import Path

import pytest

from apps.build.evaluate import report, session
from apps.build.evaluate.case import Case, Figure, figure
from stormwatch.errors import SettingsError

QUIET = [].append


def case(needs: str = "", *figures: Figure) -> Case:
    return Case("one", "fraud", "One case", needs, lambda data, say: figures)


def test_a_figure_is_the_mean_of_its_runs_with_their_standard_deviation() -> None:
    made = figure("AUC", [0.8, 0.9, 1.0], reach=0.85)
    assert (made.ours, made.runs) == (pytest.approx(0.9), 3)
    assert made.spread == pytest.approx(0.1)
    assert made.reached


@pytest.mark.parametrize(
    ("ours", "reach", "up", "reached"),
    [
        (0.9, 0.9, True, True), (0.89, 0.9, True, False), (10.2, 10.2, False, True),
        (10.3, 10.2, False, False), (1.0, None, True, None),
    ],
)  # fmt: skip
def test_more_is_better_or_less(
    ours: float, reach: float | None, up: bool, reached: bool | None
) -> None:
    assert Figure(metric="x", ours=ours, reach=reach, up=up).reached is reached


def test_a_case_without_its_data_is_skipped_and_says_what_it_needs(tmp_path: Path) -> None:
    (result,) = session.run([case("cmapss")], tmp_path, QUIET)
    assert not result.figures
    assert "cmapss" in result.skipped
    (result,) = session.run([case("cmapss")], None, QUIET)
    assert "--data" in result.skipped


def test_a_case_is_given_the_folder_that_it_needs(tmp_path: Path) -> None:
    (tmp_path / "nab").mkdir()
    given = []

    def run(data: Path | None, say: object) -> tuple[Figure, ...]:
        given.append(data)
        return (Figure(metric="score", ours=50.0),)

    (result,) = session.run([Case("one", "fraud", "t", "nab", run)], tmp_path, QUIET)
    assert given == [tmp_path / "nab"]
    assert result.figures[0].ours == 50.0


def test_every_case_has_a_name_of_its_own_and_tells_its_protocol() -> None:
    found = session.known()
    assert len({(one.domain, one.name) for one in found}) == len(found)
    assert {one.domain for one in found} <= {"fraud", "maintenance"}


def test_an_unknown_case_names_those_that_are_there() -> None:
    with pytest.raises(SettingsError, match="no case 'nothing' of fraud"):
        session.chosen("fraud", "nothing")


def test_the_table_says_what_was_reached() -> None:
    good = Figure(metric="AP", ours=0.7561, reach=0.755, published=0.687, note="four weeks")
    bad = Figure(metric="RMSE", ours=11.0, reach=10.2, up=False)
    result = session.Result(case="one", title="One", figures=(good, bad))
    text = "\n".join(report.lines(result))
    assert ">= 0.755  yes" in text
    assert "<= 10.2   NO" in text
    assert "AP: four weeks" in text
    assert "| 0.7561 |" in report.markdown([result])
