"""Whether a run finds real Kafka and Cassandra, or gets both in memory."""

import socket
from pathlib import Path
from typing import NamedTuple

from stormwatch.settings import Settings, explain

ANSWER_S = 1.0


class Places(NamedTuple):
    """`real` or in memory, and why, in words."""

    real: bool
    why: str


def find(settings: Settings, root: Path) -> Places:
    """Real where settings name both and both answer."""
    sources = {value.key: value.source for value in explain(root=root)}
    named = [
        ("Kafka", "kafka.bootstrap", _first(settings.kafka_bootstrap)),
        (
            "Cassandra", "cassandra.contact_points",
            (settings.cassandra_contact_points.split(",")[0].strip(), settings.cassandra_port),
        ),
    ]  # fmt: skip
    for what, key, address in named:
        if sources[key] == "default":
            return Places(False, f"no setting names {what}: Kafka and the store are in memory")
        if not _answers(address):
            where = f"{address[0]}:{address[1]}"
            return Places(
                False, f"{what} at {where} ({key}, from {sources[key]}) does not answer: "
                "Kafka and the store are in memory",
            )  # fmt: skip
    return Places(True, f"Kafka at {settings.kafka_bootstrap}, Cassandra as the settings say")


def _first(bootstrap: str) -> tuple[str, int]:
    host, _, port = bootstrap.split(",", maxsplit=1)[0].strip().rpartition(":")
    return host, int(port)


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, ANSWER_S):
            return True
    except OSError:
        return False
