"""The Cassandra that `./stormwatch up` starts keeps what it has confirmed, also through kill -9."""

from collections.abc import Callable

import pytest

from apps.local.services.home import Home
from apps.prove.chaos.services import OwnServices
from stormwatch.adapters.cassandra import store as adapter
from stormwatch.settings import Settings
from tests.contracts.store_rows import state

ROWS, WRITES = 20, 150


@pytest.mark.integration
@pytest.mark.timeout(180)
def test_what_cassandra_confirmed_outlives_its_kill(
    services_home: Home, keyspace: Settings, unique: Callable[[str], str]
) -> None:
    """It dies at once after the last confirmation, with many more in the moment before."""
    name, own_services = unique("d"), OwnServices(services_home)
    store = adapter.connect(keyspace)
    try:
        for n in range(WRITES):
            store.write_states(name, [state(i) for i in range(n * ROWS, (n + 1) * ROWS)])
        with own_services.down("cassandra", kill=True):
            pass
    finally:
        store.close()
    store = adapter.connect(keyspace)
    try:
        wanted = {s: [f"entity-{i}" for i in range(s, ROWS * WRITES, 4)] for s in range(4)}
        found = store.load_states(name, wanted)
    finally:
        store.close()
    lost = sorted({n for names in wanted.values() for n in names} - set(found))
    assert not lost, f"{len(lost)} of {ROWS * WRITES} confirmed rows are lost, {lost[:3]} first"
