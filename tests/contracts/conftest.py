"""All stores, behind one fixture, for the tests that import it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from stormwatch.adapters.cassandra import store as adapter
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ports import Store
from stormwatch.settings import Settings
from tests.contracts import spanner_emulator
from tests.models import fake_sources
from tests.models.kinesis_cluster import Kinesis

NEEDS_SPANNER = "needs `pip install -r requirements/spanner.txt`"
SPANNER_TABLES = Path(__file__).parents[2] / "schema" / "spanner"
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


@pytest.fixture(scope="module")
def kinesalite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Kinesis server of this module's own."""
    with fake_sources.kinesalite(tmp_path_factory.mktemp("kinesis")) as url:
        yield url


@pytest.fixture
def kinesis(kinesalite: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinesis]:
    """That server as the contract's tests of sources have their Kafkas."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with ExitStack() as stack:
        yield Kinesis(stack, kinesalite)


@pytest.fixture(scope="session")
def spanner() -> Iterator[Settings]:
    """Settings that lead to Google's emulator, on a port of its own."""
    pytest.importorskip("google.cloud.spanner_v1", reason=NEEDS_SPANNER)
    if (binary := spanner_emulator.binary()) is None:
        pytest.skip("needs Google's Spanner emulator (google-cloud-cli-spanner-emulator)")
    with spanner_emulator.running(binary) as address:
        yield Settings(
            store="spanner", spanner_project="test", spanner_instance="test",
            spanner_emulator=address,
        )  # fmt: skip


@pytest.fixture(scope="module")
def on_spanner(spanner: Settings) -> Iterator[Store]:
    """A store in a database of this module's own, with all tables."""
    pytest.importorskip("google.cloud.spanner_v1", reason=NEEDS_SPANNER)
    from stormwatch.adapters.spanner import schema, store

    mine = replace(spanner, spanner_database=f"d{uuid.uuid4().hex[:12]}", layout_stripes=4)
    schema.apply(mine, SPANNER_TABLES)
    found = store.connect(mine)
    yield found
    found.close()


@pytest.fixture(
    params=["memory", *(pytest.param(each, marks=pytest.mark.integration)
                        for each in ("cassandra", "spanner"))]
)  # fmt: skip
def store(request: pytest.FixtureRequest) -> Store:
    """Each of the three; names in a test are its own, so nothing of another test is seen."""
    if request.param == "memory":
        return MemoryStore()
    found: Store = request.getfixturevalue(f"on_{request.param}")
    return found
