"""`doctor` and a real Spanner, the emulator's: way in, database, tables."""

import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from apps.local.doctor import spanner_check
from apps.local.doctor.finding import FAIL, OK
from stormwatch.adapters import connect
from stormwatch.settings import Settings

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def found(settings: Settings) -> list[tuple[str, str, str]]:
    return [(one.check, one.level, one.what) for one in spanner_check.check(settings, ROOT)]


def test_tables_are_told_before_and_after_they_are_made(spanner: Settings) -> None:
    mine = replace(spanner, store="spanner", spanner_database=f"d{uuid.uuid4().hex[:12]}")
    where = f"{mine.spanner_instance}/{mine.spanner_database}"
    before = f"Not all tables are in {where} yet; `up` and `schema apply` make them."
    assert found(mine) == [("Spanner tables", OK, before)]
    tables = connect.tables(mine)
    tables.apply(mine, ROOT / tables.files, lambda *_: None)
    assert found(mine) == [("Spanner tables", OK, f"All tables are in {where}.")]


def test_a_spanner_that_is_away_is_told(spanner: Settings) -> None:
    away = replace(
        spanner, store="spanner", spanner_emulator="127.0.0.1:9", spanner_request_timeout_s=3.0
    )
    ((check, level, _),) = found(away)
    assert (check, level) == ("Spanner", FAIL)
