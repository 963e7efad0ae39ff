"""`doctor` and a real Cassandra: its clock, its tables, the right to write them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from apps.local.doctor import cassandra_check
from apps.local.doctor.finding import FAIL, OK, WARN, Finding
from stormwatch.adapters.cassandra import store as adapter
from stormwatch.adapters.cassandra.session import open_session
from stormwatch.settings import Settings

pytestmark = pytest.mark.integration
MIGRATIONS = Path(__file__).parents[2] / "schema" / "cql"


def found(settings: Settings) -> dict[str, Finding]:
    return {each.check: each for each in cassandra_check.check(settings)}


def test_a_keyspace_that_is_not_there_or_may_be_written_is_well(
    cassandra: Settings, unique: Callable[[str], str]
) -> None:
    mine = replace(cassandra, cassandra_keyspace=unique("doctor"))
    tables = found(mine)["Cassandra tables"]
    assert (tables.level, "no keyspace" in tables.what) == (OK, True)
    adapter.apply(mine, MIGRATIONS)
    assert [(each.check, each.level) for each in cassandra_check.check(mine)] == [
        ("Cassandra tables", OK)
    ]


def test_tables_that_cannot_be_written_and_a_clock_that_is_apart_are_told(
    cassandra: Settings, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = replace(cassandra, cassandra_keyspace=unique("doctor"))
    session = open_session(mine)
    session.execute(
        f"CREATE KEYSPACE {mine.cassandra_keyspace} WITH replication = "
        "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    )
    session.cluster.shutdown()
    now = cassandra_check.time()
    monkeypatch.setattr(cassandra_check, "time", lambda: now - 3600)
    said = found(mine)
    assert said["Cassandra tables"].level == FAIL
    assert "./stormwatch schema apply" in said["Cassandra tables"].what
    assert said["clock"].level == WARN
    assert "s ahead of this machine's" in said["clock"].what
