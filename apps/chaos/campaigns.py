"""The campaigns by name. Rows are those of docs/faults.md."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from apps.chaos import harm, traffic
from apps.chaos.errors import ChaosFailed
from apps.chaos.play import Play
from apps.chaos.traffic import KeyValue

SMALL: Mapping[str, object] = {"batch_max_records": 40}
"""Records in a batch: hundreds of batches leave time for a fault."""
IMPATIENT: Mapping[str, object] = {**SMALL, "cassandra_request_timeout_s": 3.0}


@dataclass(frozen=True)
class Campaign:
    """What is done to a run over `count` records, and how soon all has to be decided after."""

    name: str
    rows: tuple[int, ...]
    what: str
    harm: Callable[[Play], None]
    count: int = 20_000
    settings: Mapping[str, object] = field(default_factory=lambda: SMALL)
    limit_s: float = 240.0
    records: Callable[[int, int], Iterable[KeyValue]] = traffic.mixed


CAMPAIGNS = (
    Campaign("kill-bolt", (1, 2, 5, 6), "kill -9 of a bolt", harm.kill_bolt),
    Campaign("kill-spout", (3,), "kill -9 of a spout with a batch in flight", harm.kill_spout),
    Campaign("kill-jvm", (4,), "kill -9 of Storm's worker JVM", harm.kill_jvm),
    Campaign("kill-three", (1, 3, 4), "three kills -9 of any process of Storm", harm.kill_three),
    Campaign(
        "kafka-killed", (9,), "kill -9 of Kafka, three times",
        partial(harm.kill_kafka, seconds=2, times=3), settings=IMPATIENT,
    ),
    Campaign(
        "kafka-down", (10,), "Kafka killed and down for 70 s", partial(harm.kill_kafka, seconds=70),
        settings=IMPATIENT,
    ),
    Campaign(
        "cassandra-stopped", (21,), "Cassandra stopped for 60 s",
        partial(harm.stop_cassandra, seconds=60), settings=IMPATIENT,
    ),
    Campaign(
        "cassandra-hung", (23,), "Cassandra hung (SIGSTOP) for 20 s",
        partial(harm.hang_cassandra, seconds=20), settings=IMPATIENT,
    ),
)  # fmt: skip


def named(name: str) -> Campaign:
    """The campaign of that name. Raises ChaosFailed with the names that there are."""
    for each in CAMPAIGNS:
        if each.name == name:
            return each
    raise ChaosFailed(
        f"There is no campaign {name!r}. Choose one of: {', '.join(c.name for c in CAMPAIGNS)}."
    )
