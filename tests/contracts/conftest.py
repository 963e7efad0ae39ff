"""Both stores, behind one fixture, for the tests that import it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stormwatch.adapters.cassandra import store as adapter
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ports import Store
from stormwatch.settings import Settings

MIGRATIONS = Path(__file__).parents[2] / "schema" / "cql"


@pytest.fixture(scope="module")
def keyspace(cassandra: Settings, unique: Callable[[str], str]) -> Settings:
    """A keyspace of this module's own, with all tables."""
    mine = replace(cassandra, cassandra_keyspace=unique("store"), layout_stripes=4)
    adapter.apply(mine, MIGRATIONS)
    return mine


@pytest.fixture(scope="module")
def on_cassandra(keyspace: Settings) -> Iterator[adapter.CassandraStore]:
    """A store on that keyspace."""
    store = adapter.connect(keyspace)
    yield store
    store.close()


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each of the two; names in a test are its own, so nothing of another test is seen."""
    if request.param == "memory":
        return MemoryStore()
    found: Store = request.getfixturevalue("on_cassandra")
    return found
