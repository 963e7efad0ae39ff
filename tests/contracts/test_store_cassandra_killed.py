"""The Cassandra that `./stormwatch up` starts keeps what it has confirmed, also through kill -9."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from apps.local.services import cassandra, manage, ports, registry
from apps.local.services.home import Home, Progress, silent
from apps.local.services.plan import ServicePlan
from apps.prove.chaos.services import OwnServices
from stormwatch.adapters.cassandra import store as adapter
from stormwatch.settings import Settings
from tests.contracts.store_rows import state

ROWS, WRITES = 20, 150
MIGRATIONS = Path(__file__).parents[2] / "schema" / "cql"


@pytest.fixture
def own(
    services_home: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, OwnServices]]:
    """A Cassandra as `up` starts it: the session's keeps its tables in memory."""
    home = Home(services_home.root, tmp_path_factory.mktemp("own"), services_home.jars)
    native = ports.free()
    storage = ports.free(taken=[native])

    def plan(home: Home, progress: Progress) -> ServicePlan:
        return replace(cassandra.plan(home, progress, native, storage), with_parent=True)

    entries = manage.ensure(home, {cassandra.NAME: plan}, silent)
    try:
        mine = Settings(run_dir=str(home.run_dir), layout_stripes=4)
        yield manage.with_entries(mine, entries), OwnServices(home)
    finally:
        with registry.locked(home):
            manage.halt(home, list(registry.read(home)), silent)


@pytest.mark.integration
@pytest.mark.timeout(180)
def test_what_cassandra_confirmed_outlives_its_kill(
    own: tuple[Settings, OwnServices], unique: Callable[[str], str]
) -> None:
    """It dies at once after the last confirmation, with many more in the moment before."""
    name = unique("d")
    settings, own_services = own
    adapter.apply(settings, MIGRATIONS)
    store = adapter.connect(settings)
    try:
        for n in range(WRITES):
            store.write_states(name, [state(i) for i in range(n * ROWS, (n + 1) * ROWS)])
        with own_services.down("cassandra", kill=True):
            pass
    finally:
        store.close()
    store = adapter.connect(settings)
    try:
        wanted = {s: [f"entity-{i}" for i in range(s, ROWS * WRITES, 4)] for s in range(4)}
        found = store.load_states(name, wanted)
    finally:
        store.close()
    lost = sorted({n for names in wanted.values() for n in names} - set(found))
    assert not lost, f"{len(lost)} of {ROWS * WRITES} confirmed rows are lost, {lost[:3]} first"
