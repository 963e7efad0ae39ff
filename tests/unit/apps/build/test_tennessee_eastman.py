"""The protocol of the chemical plant, on a plant of 52 sensors of plain noise."""

import gzip
import random
from pathlib import Path

from apps.build.evaluate.cases.tennessee_eastman import SENSORS, read, told
from stormwatch.domains.maintenance import Maintenance


def plant(seed: int, rows: int, fault: float = 0.0) -> list[list[float]]:
    draw = random.Random(seed)
    return [[draw.gauss(10 + at, 1) + fault for at in range(SENSORS)] for _ in range(rows)]


def test_a_run_that_is_stored_with_its_sensors_as_rows_is_turned(tmp_path: Path) -> None:
    rows = plant(1, 7)
    for stored in (rows, [list(column) for column in zip(*rows, strict=True)]):
        path = tmp_path / "d00.dat.gz"
        text = "\n".join(" ".join(map(repr, row)) for row in stored)
        path.write_bytes(gzip.compress(text.encode()))
        assert read(path) == rows


def test_what_is_told_is_told_of_the_test_run_alone() -> None:
    normal = plant(1, 150)
    said = told(Maintenance.load(), normal, [*plant(2, 20), *plant(3, 10, fault=30.0)])
    assert len(said) == 30
    assert not any(said[:20])
    assert said[20]
