"""Whether a run finds real Kafka and Cassandra, or gets both in memory."""

import socket
from pathlib import Path
from typing import NamedTuple

from stormwatch.addresses import KAFKA_PORT, Address, parse
from stormwatch.settings import Settings, explain

ANSWER_S = 1.0


class Places(NamedTuple):
    """`real` or in memory, and why, in words."""

    real: bool
    why: str


def find(settings: Settings, root: Path) -> Places:
    """Real where settings name both and both answer."""
    sources = {value.key: value.source for value in explain(root=root)}
    hosts = settings.cassandra_contact_points.split(",")
    named = [
        ("Kafka", "kafka.bootstrap", parse(settings.kafka_bootstrap, KAFKA_PORT)),
        (
            "Cassandra", "cassandra.contact_points",
            [Address(host, settings.cassandra_port) for host in hosts],
        ),
    ]  # fmt: skip
    for what, key, listed in named:
        if sources[key] == "default":
            return Places(False, f"no setting names {what}: Kafka and the store are in memory")
        if not any(map(_answers, listed)):
            where = ", ".join(map(str, listed))
            return Places(
                False, f"{what} at {where} ({key}, from {sources[key]}) does not answer: "
                "Kafka and the store are in memory",
            )  # fmt: skip
    return Places(True, f"Kafka at {settings.kafka_bootstrap}, Cassandra as the settings say")


def _answers(address: Address) -> bool:
    try:
        with socket.create_connection(address, ANSWER_S):
            return True
    except OSError:
        return False
