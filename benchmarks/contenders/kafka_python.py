"""The loop of many a tutorial: kafka-python, record after record."""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.contenders.core import Core, Taken, arguments


def main() -> None:
    """Until it is ended."""
    asked = arguments(sys.argv)
    consumer = KafkaConsumer(bootstrap_servers=asked.servers, enable_auto_commit=False)
    producer = KafkaProducer(bootstrap_servers=asked.servers, linger_ms=2)
    places = [TopicPartition(asked.topic, p) for p in consumer.partitions_for_topic(asked.topic)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    core = Core(asked.domain)
    for m in consumer:
        for key, body in core.decide([Taken(m.topic, m.partition, m.offset, m.timestamp, m.value)]):
            producer.send(asked.out, body, key)


if __name__ == "__main__":
    main()
