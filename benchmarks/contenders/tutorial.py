"""The tutorial-style topology of streamparse: a tuple a record, four components, kafka-python.

Built as a project of its own, for `sparse run`.
"""

import shutil
from pathlib import Path

_COMPONENTS = '''"""A spout, two bolts and a sink, a record a tuple."""

import itertools

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from streamparse import Bolt, Spout

from contender_core import Core, Taken

SERVERS, TOPIC, OUT = {servers!r}, {topic!r}, {out!r}


class KafkaSpout(Spout):
    outputs = ["partition", "offset", "timestamp", "value"]

    def initialize(self, conf, context):
        consumer = KafkaConsumer(bootstrap_servers=SERVERS, enable_auto_commit=False)
        places = [TopicPartition(TOPIC, p) for p in consumer.partitions_for_topic(TOPIC)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        self.consumer, self.waiting = consumer, iter(())

    def next_tuple(self):
        m = next(self.waiting, None)
        if m is None:
            polled = self.consumer.poll(timeout_ms=10, max_records=500)
            self.waiting = itertools.chain(*polled.values())
            m = next(self.waiting, None)
            if m is None:
                return
        values = [m.partition, m.offset, m.timestamp, m.value.decode()]
        self.emit(values, tup_id=f"{{m.partition}}:{{m.offset}}")


class ParseBolt(Bolt):
    outputs = ["customer", "partition", "offset", "timestamp", "value"]

    def process(self, tup):
        import json

        self.emit([json.loads(tup.values[3])["customer"], *tup.values])


class FraudBolt(Bolt):
    outputs = ["customer", "body"]

    def initialize(self, conf, context):
        self.core = Core()

    def process(self, tup):
        customer, partition, offset, timestamp, value = tup.values
        taken = Taken(TOPIC, partition, offset, timestamp, value.encode())
        for _, body in self.core.decide([taken]):
            self.emit([customer, body.decode()])


class SinkBolt(Bolt):
    def initialize(self, conf, context):
        self.producer = KafkaProducer(bootstrap_servers=SERVERS, linger_ms=2)

    def process(self, tup):
        self.producer.send(OUT, tup.values[1].encode(), tup.values[0].encode())
'''

_TOPOLOGY = '''"""One task of each, as a tutorial has it."""

from streamparse import Grouping, Topology

from tutorial_components import FraudBolt, KafkaSpout, ParseBolt, SinkBolt


class Tutorial(Topology):
    spout = KafkaSpout.spec()
    parse = ParseBolt.spec(inputs={spout: Grouping.SHUFFLE})
    fraud = FraudBolt.spec(inputs={parse: Grouping.fields("customer")})
    sink = SinkBolt.spec(inputs={fraud: Grouping.SHUFFLE})
'''


def build(root: Path, servers: str, topic: str, out: str) -> Path:
    """Make the project under the run directory; returns its folder."""
    folder = root / ".stormwatch" / "bench-tutorial"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("core.py"), folder / "src" / "contender_core.py")
    for name in ("topologies", "virtualenvs"):
        (folder / name).mkdir()
    for name in ("project.clj", "config.json"):
        shutil.copy(root / name, folder / name)
    shutil.copy(root / "virtualenvs" / "fraud.txt", folder / "virtualenvs" / "tutorial.txt")
    made = _COMPONENTS.format(servers=servers, topic=topic, out=out)
    (folder / "src" / "tutorial_components.py").write_text(made)
    (folder / "topologies" / "tutorial.py").write_text(_TOPOLOGY)
    return folder
