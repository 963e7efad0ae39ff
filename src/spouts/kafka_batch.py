"""The spout: micro-batches of one Kafka topic, one in flight a partition. A thin shell.

Everything that decides is in `stormwatch.ingest.reader` and `stormwatch.ingest.partition`.
"""

import signal
import sys
import time
from functools import partial
from random import Random
from typing import Any, ClassVar

from streamparse import Spout, Stream

from stormwatch import settings
from stormwatch.adapters import connect
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.adapters.threads.background import Lazy
from stormwatch.codec import BATCH_FIELDS, to_values
from stormwatch.errors import PackageMissing
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.dating import Dating
from stormwatch.ingest.in_flight import BATCHES, NOTICES
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import Reader
from stormwatch.ingest.start import Subscription
from stormwatch.ports import Source, Store
from stormwatch.settings import Settings

RESEND_AFTER_TIMEOUTS = 3
STORE_WAIT_S = 5.0
"""How long a turn waits for the store to be connected."""


class KafkaBatchSpout(StrictComponent, Spout):
    """Reads the topic that the setting `topic_setting` names.

    Batches go to the default stream (payload `codec.RECORDS`); what the spout itself ends (start
    of reading, expired offsets, quarantined records) to `notices` (payload `codec.Asides`).
    """

    outputs: ClassVar = [
        Stream(fields=list(BATCH_FIELDS), name=BATCHES),
        Stream(fields=list(BATCH_FIELDS), name=NOTICES),
    ]
    topic_setting: ClassVar[str]

    def initialize(self, storm_conf: dict[str, Any], context: dict[str, Any]) -> None:
        """Reads settings only: Kafka is met in `next_tuple`, off the start's time limit."""
        values = settings.load(conf=storm_conf)
        topic: str = getattr(values, self.topic_setting)
        dating = Dating(now_ms, values.lateness_s * 1000)
        limits = BufferLimits(
            values.batch_max_records, values.batch_max_bytes, values.record_max_bytes, dating
        )
        rules = Rules(
            limits, values.quarantine_after,
            RESEND_AFTER_TIMEOUTS * values.message_timeout_s, str(self.component_name),
            values.message_timeout_s,
        )  # fmt: skip
        self._asked_to_end = False
        if self.own_process:
            signal.signal(signal.SIGTERM, self._ask_to_end)
        task, tasks = place(context)
        log = Subscription(topic, values.kafka_group, values.expired, self.topic_setting)
        store = Lazy(lambda: self.store(values), "Cassandra")
        self.reader = Reader(
            lambda: self.source(values, topic), partial(store.get, STORE_WAIT_S), log, rules,
            task, tasks, time.monotonic, Random(),
        )  # fmt: skip

    def source(self, values: Settings, topic: str) -> Source:
        """Connect to Kafka. Raises BrokerUnavailable while it does not answer."""
        return connect.source(values, topic)

    def store(self, values: Settings) -> Store:
        """Connect to the store, off the thread that Storm talks to. Raises StoreUnavailable."""
        return connect.store(values)

    def next_tuple(self) -> None:
        """One turn of the reader; returns within milliseconds while Kafka answers.

        After a SIGTERM it commits instead, leaves Kafka and ends the process: Storm's local mode
        stops without a `deactivate`, and what is in flight then would be suspected of having killed
        it.
        """
        if self._asked_to_end:
            self.reader.close()
            sys.exit(0)
        try:
            items = self.reader.step()
        except PackageMissing:
            self.reader.rest()  # no record in work is to blame for the end of this process
            raise
        for item in items:
            values = to_values(item.fragment, item.payload)
            self.emit(values, tup_id=item.tup_id, stream=item.stream)
        if not items:
            time.sleep(self.reader.pause_s)

    def _ask_to_end(self, number: int, frame: object) -> None:
        self._asked_to_end = True

    def ack(self, tup_id: str) -> None:
        self.reader.ack(tup_id)

    def fail(self, tup_id: str) -> None:
        self.reader.fail(tup_id)

    def deactivate(self) -> None:
        """Storm stops the topology in order: the next start need not be slow."""
        self.reader.rest()


def place(context: dict[str, Any]) -> tuple[int, int]:
    """Index of this task among those of its component, and how many they are."""
    own = str(context["taskid"])
    components: dict[str, str] = context["task->component"]
    peers = sorted(int(task) for task, name in components.items() if name == components[own])
    return peers.index(int(own)), len(peers)
