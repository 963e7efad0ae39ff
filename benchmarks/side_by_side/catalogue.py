"""Who takes part: this project, loops of one's own, and what a user would pick instead."""

from typing import NamedTuple

KAFKA, CASSANDRA = "Kafka", "Cassandra"


class Contender(NamedTuple):
    """One way to do the work."""

    name: str
    script: str  # a module of benchmarks.contenders, or one of the words of `running`
    domain: str = "fraud"
    into: str = KAFKA
    processes: int = 1
    needs: str = ""  # what its own environment has to install
    more: tuple[str, ...] = ()  # arguments
    share: float = 1.0  # of the backlog that it is asked for: slow ones decide less of it
    brief: bool = False  # whether it is among those of a short run

    @property
    def group(self) -> str:
        """Whom it is compared with: the same events into the same place."""
        return f"{self.domain} into {self.into}"


BYTEWAX, QUIX, FLINK = "bytewax==0.21.1", "quixstreams==3.28.1", "apache-flink"


def contenders(cores: int) -> list[Contender]:
    """All of them. The first of each group is what the others of it are held against."""
    whole = f", {cores} processes"
    slow = 0.1
    fraud = [
        Contender("lean loop", "lean", brief=True),
        Contender(f"lean loop{whole}", "lean", processes=cores),
        Contender("fraud topology, no store", "topology", brief=True),
        Contender(f"bare loop{whole}", "bare", processes=cores),
        Contender("Bytewax, batched", "bytewax_flow", needs=BYTEWAX, brief=True),
        Contender(f"Bytewax, batched{whole}", "bytewax_flow", processes=cores, needs=BYTEWAX),
        Contender("Bytewax, a record at a time", "bytewax_flow", needs=BYTEWAX,
                  more=("natural",), share=0.3),
        Contender("Quix Streams, batched", "quix", needs=QUIX),
        Contender(f"Quix Streams, batched{whole}", "quix", processes=cores, needs=QUIX),
        Contender("Quix Streams, a record at a time", "quix", needs=QUIX, more=("natural",),
                  share=slow),
        Contender("PyFlink, a record at a time", "flink", processes=cores, needs=FLINK, share=slow),
        Contender("kafka-python loop", "kafka_python", share=slow),
        Contender("tutorial-style streamparse", "tutorial", share=slow, brief=True),
    ]  # fmt: skip
    stored = [
        Contender("lean loop into Cassandra", "lean", into=CASSANDRA, more=("cassandra",),
                  brief=True),
        Contender(f"lean loop into Cassandra{whole}", "lean", into=CASSANDRA, processes=cores,
                  more=("cassandra",)),
        Contender("fraud topology", "topology", into=CASSANDRA, brief=True),
        Contender(f"bare loop into Cassandra{whole}", "bare", into=CASSANDRA, processes=cores),
        Contender("fraud on Flink", "on_flink", into=CASSANDRA, processes=cores),
    ]  # fmt: skip
    machines = [
        Contender("lean loop of machines", "lean", "maintenance", brief=True),
        Contender("maintenance topology, no store", "topology", "maintenance"),
    ]
    machines_stored = [
        Contender("lean loop of machines into Cassandra", "lean", "maintenance", CASSANDRA,
                  more=("cassandra",)),
        Contender("maintenance topology", "topology", "maintenance", CASSANDRA, brief=True),
        Contender("maintenance on Flink", "on_flink", "maintenance", CASSANDRA, cores),
    ]  # fmt: skip
    return [*fraud, *stored, *machines, *machines_stored]
