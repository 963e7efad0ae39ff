"""Bytewax: `flat_map_batch` in batches of 500, or record after record (`natural`).

Several processes are a cluster of Bytewax's: each reads its share of the partitions.
"""

import sys
from collections.abc import Iterable
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from benchmarks.contenders.core import Arguments, Core, Taken, arguments


def flow(asked: Arguments) -> Dataflow:
    """The dataflow."""
    cores: list[Core] = []

    def decide(messages: Iterable[Any]) -> Iterable[Any]:
        if not cores:
            cores.append(Core(asked.domain))
        taken = [Taken(m.topic, m.partition, m.offset, m.timestamp[1], m.value) for m in messages]
        return [KafkaSinkMessage(key, body) for key, body in cores[0].decide(taken)]

    made = Dataflow("bench")
    source = KafkaSource([asked.servers], [asked.topic], batch_size=500, tail=True)
    came = op.input("in", made, source)
    if "natural" in asked.more:
        out = op.flat_map("decide", came, lambda message: decide([message]))
    else:
        out = op.flat_map_batch("decide", came, decide)
    op.output("out", out, KafkaSink([asked.servers], asked.out))
    return made


def main() -> None:
    """Until it is ended."""
    asked = arguments(sys.argv)
    port = int(next(word for word in asked.more if word.isdigit()))
    hosts = [f"127.0.0.1:{port + nth}" for nth in range(asked.tasks)]
    if asked.tasks == 1:
        cli_main(flow(asked), workers_per_process=1)
    else:
        cli_main(flow(asked), workers_per_process=1, process_id=asked.task, addresses=hosts)


if __name__ == "__main__":
    main()
