"""pytest's side of the kit: `pytest_plugins = ("stormwatch.testing.plugin",)` in a conftest.py."""

from collections.abc import Iterator

import pytest

from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.testing.clock import Clock
from stormwatch.testing.ports import Ports, memory_ports


@pytest.fixture
def ports() -> Iterator[Ports]:
    """Cassandra and Kafka in memory: what components connect to during the test."""
    with memory_ports() as made:
        yield made


@pytest.fixture
def store(ports: Ports) -> MemoryStore:
    """The store that bolts connect to."""
    return ports.store


@pytest.fixture
def broker(ports: Ports) -> MemoryBroker:
    """The Kafka that bolts connect to."""
    return ports.broker


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The wall clock of components; it stands until the test moves it."""
    with Clock().installed() as made:
        yield made
