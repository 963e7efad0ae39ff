"""Bytewax: `flat_map_batch` in batches of 500, or record after record (`natural`)."""

import sys
from collections.abc import Iterable
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

from benchmarks.contenders.core import Core, Taken, arguments


def flow(argv: list[str]) -> Dataflow:
    """The dataflow."""
    asked, natural = arguments(argv), argv[7:8] == ["natural"]
    cores: list[Core] = []

    def decide(messages: Iterable[Any]) -> Iterable[Any]:
        if not cores:
            cores.append(Core())
        taken = [Taken(m.topic, m.partition, m.offset, m.timestamp[1], m.value) for m in messages]
        return [KafkaSinkMessage(key, body) for key, body in cores[0].decide(taken)]

    made = Dataflow("bench")
    source = KafkaSource([asked.servers], [asked.topic], batch_size=500, tail=True)
    came = op.input("in", made, source)
    if natural:
        out = op.flat_map("decide", came, lambda message: decide([message]))
    else:
        out = op.flat_map_batch("decide", came, decide)
    op.output("out", out, KafkaSink([asked.servers], asked.out))
    return made


if __name__ == "__main__":
    run_main(flow(sys.argv))
