#!/usr/bin/env bash
# confluent-kafka 2.16.1 (librdkafka): an idempotent producer with a short linger spins.
#
# Guessed: messages whose linger is over, and whose partition has a request in flight, wait for the
# answer asleep. Seen: the broker's thread goes round in circles, at a whole core, until the answer
# comes. An idempotent producer sends no further request of a partition while five or more messages
# (not requests) of it are in flight, so that a batch of which some messages left early takes two
# round trips, the first of them spinning. With a linger that outlasts the sending and a flush()
# (which sends at once) it takes one and no CPU.
#
# The broker is librdkafka's own mock, with a round trip of one second.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q confluent-kafka==2.16.1
"$dir/venv/bin/python" - <<'PY'
import glob, sys, time
import confluent_kafka
from confluent_kafka import Producer

print("confluent-kafka", confluent_kafka.__version__, "librdkafka", confluent_kafka.libversion()[0])
mock = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "test.mock.broker.rtt": 1000})
(broker,) = mock.list_topics(timeout=10).brokers.values()


def spent():
    """CPU seconds of the threads that serve brokers."""
    ticks = 0
    for path in glob.glob("/proc/self/task/*/stat"):
        name, _, rest = open(path).read().partition("(")[2].rpartition(")")
        if name.startswith("rdk:broker"):
            ticks += sum(map(int, rest.split()[11:13]))
    return ticks / 100


def run(linger):
    producer = Producer({
        "bootstrap.servers": f"{broker.host}:{broker.port}",
        "enable.idempotence": True,
        "linger.ms": linger,
    })
    producer.produce("t", b"first", b"k")
    producer.flush(30)
    began, before = time.monotonic(), spent()
    for _ in range(5):
        for _ in range(10):
            producer.produce("t", b"early", b"k")
        time.sleep(0.02)
        producer.produce("t", b"late", b"k")
        producer.flush(30)
    wall, cpu = time.monotonic() - began, spent() - before
    print(f"linger.ms {linger:>3}: {wall:.1f} s for 5 flushes, {cpu:.2f} s of CPU in broker threads")
    return cpu


short, long = run(1), run(100)
sys.exit(0 if short > 10 * max(long, 0.02) else 1)
PY
