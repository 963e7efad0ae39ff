"""What a component that stores or sends is connected to: one store, one sink; and its metrics.

Connections are made in the background, off the thread that answers Storm's heartbeats; until they
stand, `store()` and `sink()` raise InfrastructureError and the batch comes again.
"""

import os
import socket
import time
from collections.abc import Callable

import msgspec

from stormwatch.adapters import connect
from stormwatch.adapters.threads.background import Lazy
from stormwatch.errors import InfrastructureError
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


class Connections:
    """Store, sink and metrics of one component process."""

    def __init__(self, settings: Settings, topology: str, component: str, task: int) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._topology = topology
        self._component = component
        self._started = now_ms()
        self._instance = f"{task}-{socket.gethostname()}-{os.getpid()}-{self._started}"
        self._store = Lazy(lambda: connect.store(settings), "Cassandra")
        self._sink = Lazy(lambda: connect.sink(settings), "Kafka")
        self._metered = 0.0

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
        now = time.monotonic()
        if now - self._metered < METER_EVERY_S:
            return
        self._metered = now
        seen = (cache.hits, cache.misses) if cache is not None else (0, 0)
        snapshot = self.metrics.snapshot(
            now_ms(), os.getpid(), socket.gethostname(), len(cache or ()), seen, resident(),
            self._started,
        )  # fmt: skip
        try:
            self._store.get(0).write_meter(
                self._topology, self._component, self._instance, msgspec.json.encode(snapshot)
            )
        except InfrastructureError:
            return  # told already by the batches that fail for it
