"""What `bench curves` fits to its points."""

import pytest

from benchmarks.side_by_side.cores import Worked, payments, with_rules, with_trees
from benchmarks.side_by_side.growth import fitted


def test_a_power_is_found_exactly() -> None:
    found = fitted([(x, 3 * x**0.5) for x in (1, 10, 100, 1000)])
    assert found is not None
    assert (found.exponent, found.least, found.most) == pytest.approx((0.5, 0.5, 0.5))


def test_the_interval_is_students() -> None:
    # By hand: x = ln 1, e, e^2; y = 0, 1, 0 around their mean: b = 0, residuals -1/3, 2/3, -1/3.
    e = 2.718281828459045
    found = fitted([(1, 1), (e, e), (e * e, 1)])
    assert found is not None
    assert found.exponent == pytest.approx(0)
    assert found.most == pytest.approx(12.706 * ((6 / 9) / 1 / 2) ** 0.5)
    assert found.least == pytest.approx(-found.most)


@pytest.mark.parametrize("points", [[], [(1, 1), (2, 2)], [(1, 1), (1, 2), (1, 3)]])
def test_of_too_little_nothing_is_said(points: list[tuple[float, float]]) -> None:
    assert fitted(points) is None


def test_the_work_of_curves_decides_every_record() -> None:
    plain, many = Worked(), Worked(with_rules(20))
    for worked in (plain, many, Worked(with_trees(3))):
        assert worked.take(payments(60, 10, zipf=1.0, padding=50), 25) > 0  # asserts it itself
        assert len(worked.cache) <= 10


def test_zipf_makes_few_keys_frequent() -> None:
    def most(values: list[bytes]) -> int:
        names = [value.partition(b'"customer":"')[2].partition(b'"')[0] for value in values]
        return max(map(names.count, names))

    assert most(payments(300, 100, zipf=1.0)) > 3 * most(payments(300, 100))
