"""A lean loop: confluent-kafka in, one model call a batch, confluent-kafka out. No guarantees."""

import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from benchmarks.contenders.core import Core, Taken, arguments


def main() -> None:
    """Until it is ended."""
    asked = arguments(sys.argv)
    consumer = Consumer({"bootstrap.servers": asked.servers, "group.id": asked.group,
                         "enable.auto.commit": False})  # fmt: skip
    producer = Producer({"bootstrap.servers": asked.servers, "linger.ms": 2})
    partitions = consumer.list_topics(asked.topic).topics[asked.topic].partitions
    mine = [p for p in partitions if p % asked.tasks == asked.task]
    consumer.assign([TopicPartition(asked.topic, p, OFFSET_BEGINNING) for p in mine])
    core = Core()
    while True:
        messages = consumer.consume(500, 0.01)
        if not messages:
            producer.poll(0)
            time.sleep(0.001)
            continue
        taken = [
            Taken(asked.topic, m.partition(), m.offset(), m.timestamp()[1], m.value())
            for m in messages
            if m.error() is None
        ]
        for key, body in core.decide(taken):
            while True:
                try:
                    producer.produce(asked.out, body, key)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)


if __name__ == "__main__":
    main()
