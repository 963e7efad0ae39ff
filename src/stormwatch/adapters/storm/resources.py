"""What a component that stores or sends is connected to: one store, one sink; and its metrics.

Connections are made in the background, off the thread that answers Storm's heartbeats; until they
stand, `store()` and `sink()` raise InfrastructureError and the batch comes again.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from stormwatch.adapters import connect
from stormwatch.adapters.threads.background import Lazy
from stormwatch.errors import BrokerUnavailable, InfrastructureError, StoreUnavailable
from stormwatch.metrics import Metrics
from stormwatch.ports import Sink, Store
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache

CONNECT_WAIT_S = 5.0
"""How long one batch waits for a connection before it is given back."""
METER_EVERY_S = 1.0

wall_ns: Callable[[], int] = time.time_ns
"""The clock behind `now_ms`; the test kit sets another."""


def now_ms() -> int:
    """The wall clock. It dates latencies, ledger rows, and records that Kafka has no credible time
    of (`stormwatch.ingest.dating`); nothing else is decided by it."""
    return wall_ns() // 1_000_000


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say it as Linux does."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


class Meter:
    """What one component process counts and measures of itself."""

    def __init__(self, topology: str, component: str, task: int, passes_on: bool = False) -> None:
        """`passes_on`: it decides nothing and stores nothing, as spouts and parse bolts."""
        self.metrics = Metrics()
        self.topology, self.component = topology, component
        self._started = now_ms()
        self.instance = f"{task}-{socket.gethostname()}-{os.getpid()}-{self._started}"
        self._passes_on = passes_on
        self._told = 0.0

    def is_due(self) -> bool:
        """Whether a second has passed since this was so."""
        now = time.monotonic()
        if now - self._told < METER_EVERY_S:
            return False
        self._told = now
        return True

    def body(self, cache: StateCache | None = None) -> bytes:
        """The figures of now, as the store keeps them."""
        seen = (cache.hits, cache.misses) if cache is not None else (0, 0)
        return msgspec.json.encode(self.metrics.snapshot(
            now_ms(), os.getpid(), socket.gethostname(), len(cache or ()), seen, resident(),
            self._started, self._passes_on, time.process_time_ns() // 1000,
        ))  # fmt: skip


class Connections:
    """Store and sink of one component process, by which its figures are told, too."""

    def __init__(self, settings: Settings, meter: Meter) -> None:
        self.settings = settings
        self.meter = meter
        self._store = Lazy(
            lambda: connect.store(settings), settings.store.title(), StoreUnavailable
        )
        self._sink = Lazy(lambda: connect.sink(settings), "Kafka", BrokerUnavailable)

    @property
    def metrics(self) -> Metrics:
        """What is counted."""
        return self.meter.metrics

    def store(self) -> Store:
        """Raises StoreUnavailable while there is no connection, SchemaError if tables are wrong."""
        return self._store.get(CONNECT_WAIT_S)

    def sink(self) -> Sink:
        """Raises BrokerUnavailable while there is no connection."""
        return self._sink.get(CONNECT_WAIT_S)

    def close(self) -> None:
        """Leave both; waits for no connection that is being made. Idempotent."""
        self._store.close()
        self._sink.close()

    def report(self, cache: StateCache | None = None) -> None:
        """Write the figures, at most once a second; a store that is down is no matter."""
        if self.meter.is_due():
            self.note(self.meter.component, self.meter.instance, self.meter.body(cache))

    def note(self, component: str, instance: str, body: bytes) -> None:
        """Write figures of this topology."""
        note(self._store, self.meter.topology, component, instance, body)


def note(store: Lazy[Store], topology: str, component: str, instance: str, body: bytes) -> None:
    """Write figures; a store that is down is no matter."""
    with suppress(InfrastructureError):  # told already by the batches that fail for it
        store.get(0).write_meter(topology, component, instance, body)
