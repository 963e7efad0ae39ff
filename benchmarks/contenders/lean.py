"""A lean loop: confluent-kafka in, one model call a batch, out to Kafka or, with `cassandra`, to
the project's tables of decisions and alerts. No guarantees.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from benchmarks.contenders.core import Arguments, Core, Taken, arguments
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.records import DecisionRow, Fragment, LedgerRow, Outcomes
from stormwatch.settings import load

Write = Callable[[Sequence[Taken]], None]


def into_kafka(asked: Arguments, core: Core) -> Write:
    """A record a decision."""
    producer = Producer({"bootstrap.servers": asked.servers, "linger.ms": 2})

    def write(taken: Sequence[Taken]) -> None:
        for key, body in core.decide(taken):
            while True:
                try:
                    producer.produce(asked.out, body, key)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)

    return write


def into_cassandra(asked: Arguments, core: Core) -> Write:
    """Decisions and alerts alone. When each batch was confirmed is told in a file, from which rate
    and latency are read."""
    store = cassandra.connect(load())
    store._decided = lambda o: iter(())  # type: ignore[method-assign]  # no index by time
    told = open(f"{asked.out}.{asked.task}", "a", buffering=1, encoding="utf-8")  # noqa: SIM115

    def write(taken: Sequence[Taken]) -> None:
        if not taken:
            return
        decided: dict[int, list[DecisionRow]] = defaultdict(list)
        places: dict[int, tuple[int, int]] = {}
        for at, row in core.rows(taken):
            decided[at.partition].append(row)
        for one in taken:
            first, _ = places.get(one.partition, (one.offset, 0))
            places[one.partition] = first, one.offset
        store.write_outcomes(*(_outcomes(asked, decided, p, *place) for p, place in places.items()))
        now = round(time.time() * 1000)
        told.writelines(f"{p} {first} {last} {now}\n" for p, (first, last) in places.items())

    return write


def _outcomes(
    asked: Arguments, decided: dict[int, list[DecisionRow]], partition: int, first: int, last: int
) -> Outcomes:
    fragment = Fragment(asked.topic, partition, 1, first, last, 1, 0)
    none = LedgerRow(fragment, "lean", {}, 0)  # without bitmaps no row is written
    return Outcomes(fragment, asked.domain, 1, decided[partition], [], [], none, [], [])


def main() -> None:
    """Until it is ended."""
    asked = arguments(sys.argv)
    consumer = Consumer({"bootstrap.servers": asked.servers, "group.id": asked.group,
                         "enable.auto.commit": False})  # fmt: skip
    partitions = consumer.list_topics(asked.topic).topics[asked.topic].partitions
    mine = [p for p in partitions if p % asked.tasks == asked.task]
    consumer.assign([TopicPartition(asked.topic, p, OFFSET_BEGINNING) for p in mine])
    into = into_cassandra if "cassandra" in asked.more else into_kafka
    write = into(asked, Core(asked.domain))
    while True:
        messages = consumer.consume(500, 0.01)
        if not messages:
            write([])
            time.sleep(0.001)
            continue
        write([
            Taken(asked.topic, m.partition(), m.offset(), m.timestamp()[1], m.value())
            for m in messages
            if m.error() is None
        ])  # fmt: skip
        if into is into_cassandra:
            # Named: by itself it would commit what is only just being worked on, too.
            ends = {m.partition(): m.offset() + 1 for m in messages}
            offsets = [TopicPartition(asked.topic, p, end) for p, end in ends.items()]
            consumer.commit(offsets=offsets, asynchronous=True)


if __name__ == "__main__":
    main()
