"""Doubles of the outside for bolts, and logging left as it was."""

import logging
import os
from collections.abc import Iterator

import pytest
from pystorm.component import Component

from stormwatch.adapters import outside
from stormwatch.adapters.kafka_memory import MemorySink
from stormwatch.adapters.kafka_memory_broker import MemoryBroker
from stormwatch.adapters.store_memory import MemoryStore


@pytest.fixture(autouse=True)
def _leaves_logging_alone() -> Iterator[None]:
    before = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = before


@pytest.fixture(autouse=True)
def _exits_by_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """With threads about pystorm ends by os._exit, which would end the test run."""

    def leave(self: Component, code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(Component, "_exit", leave)
    for name in [name for name in os.environ if name.startswith("STORMWATCH_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """The store that bolts connect to."""
    made = MemoryStore()
    monkeypatch.setattr(outside, "_connect_store", lambda settings: made)
    return made


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """The Kafka that bolts connect to."""
    made = MemoryBroker()
    monkeypatch.setattr(outside, "_connect_sink", lambda settings: MemorySink(made))
    return made
