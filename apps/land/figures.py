"""What a lander counts, in Prometheus' text format. Labels are topics and codes, never a record."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest


class Figures:
    """Counts since the start of the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.landed = Counter(
            "stormwatch_landed_records", "Records that Kafka has confirmed", ["topic"],
            registry=self.registry,
        )  # fmt: skip
        self.refused = Counter(
            "stormwatch_land_refused_records", "Records that the sender was told are no event",
            ["topic", "code"], registry=self.registry,
        )  # fmt: skip
        self.turned_away = Counter(
            "stormwatch_land_turned_away", "Requests that were answered with an error, by status",
            ["status"], registry=self.registry,
        )  # fmt: skip
        self.again = Counter(
            "stormwatch_land_failed_appends", "Appends that Kafka did not confirm in time",
            registry=self.registry,
        )  # fmt: skip
        self.memory = Gauge(
            "stormwatch_land_memory_bytes", "Records in memory, not yet confirmed",
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "stormwatch_land_append_seconds", "From receiving records to Kafka's confirmation",
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """For `GET /metrics`."""
        return generate_latest(self.registry)
