"""The spout: micro-batches of one Kafka topic, one in flight a partition. A thin shell.

Everything that decides is in `stormwatch.ingest.reader` and `stormwatch.ingest.partition`.
"""

import logging
import signal
import sys
import time
from functools import cached_property, partial
from random import Random
from time import perf_counter_ns
from typing import Any, ClassVar

from streamparse import Spout, Stream

from stormwatch import settings
from stormwatch.adapters import connect
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.adapters.storm.resources import Meter, note, now_ms
from stormwatch.adapters.threads.background import Lazy
from stormwatch.codec import BATCH_FIELDS, to_values
from stormwatch.errors import PackageMissing, StoreUnavailable, TopicError
from stormwatch.ingest.buffer import BufferLimits
from stormwatch.ingest.dating import Dating
from stormwatch.ingest.in_flight import BATCHES, NOTICES
from stormwatch.ingest.partition import Rules
from stormwatch.ingest.reader import IDLE_POLL_S, SHARED_POLL_S, Reader
from stormwatch.ingest.start import Subscription
from stormwatch.parsing.mapping import is_rekeyed, label_topic, topics
from stormwatch.ports import Source, Store
from stormwatch.settings import Settings

logger = logging.getLogger(__name__)

RESEND_AFTER_TIMEOUTS = 3
LABELS_EVERY_S = 0.1
"""How often an idle topic of labels is looked at: they come days late, and payments do not wait for
them."""
STORE_WAIT_S = 5.0
"""How long a turn waits for the store to be connected."""


class KafkaBatchSpout(StrictComponent, Spout):
    """Reads the topic that the setting `topic_setting` names, and those of its events' mappings.

    Batches go to the default stream (payload `codec.RECORDS`); what the spout itself ends (start
    of reading, expired offsets, quarantined records) to `notices` (payload `codec.Asides`).
    """

    outputs: ClassVar = [
        Stream(fields=list(BATCH_FIELDS), name=BATCHES),
        Stream(fields=list(BATCH_FIELDS), name=NOTICES),
    ]
    topic_setting: ClassVar[str]
    _slept = 0  # ns

    def initialize(self, storm_conf: dict[str, Any], context: dict[str, Any]) -> None:
        """Reads settings only: Kafka is met in `next_tuple`, off the start's time limit."""
        values = settings.load(conf=storm_conf)
        events = self.topic_setting.removeprefix("topic_")
        self._rekeyed = is_rekeyed(values, events)
        dating = Dating(now_ms, values.lateness_s * 1000)
        limits = BufferLimits(
            values.batch_max_records, values.batch_max_bytes, values.record_max_bytes, dating
        )
        rules = Rules(
            limits, values.quarantine_after,
            RESEND_AFTER_TIMEOUTS * values.message_timeout_s, str(self.component_name),
            values.message_timeout_s,
        )  # fmt: skip
        labels = label_topic(values, events)
        self._labels, self._labels_at, self._told_widths = labels, 0.0, False
        self._asked_to_end = False
        if self.own_process:
            signal.signal(signal.SIGTERM, self._ask_to_end)
        task, tasks = place(context)
        self._traces = connect.traces(values, str(self.topology_name), str(self.component_name))
        self._store = store = Lazy(
            lambda: self.store(values), values.store.title(), StoreUnavailable
        )
        named = topics(values, events)
        idle_poll_s = IDLE_POLL_S if len({*named} - {labels}) == 1 else SHARED_POLL_S
        self.readers = {
            topic if nth else "": Reader(
                partial(self.source, values, topic), partial(store.get, STORE_WAIT_S),
                Subscription(
                    topic, values.kafka_group, values.expired, self.topic_setting,
                    values.source.title(),
                ),
                rules, task, tasks, time.monotonic, Random(),
                0.0 if topic == labels else idle_poll_s,
            )
            for nth, topic in enumerate(named)
        }  # fmt: skip
        """The first topic's under "", the others' under their names, which begin their tuples' ids.
        """

    @cached_property
    def _meter(self) -> Meter:
        return Meter(self.topology_name, self.component_name, self.task_id, passes_on=True)

    def source(self, values: Settings, topic: str) -> Source:
        """Connect to the log. Raises BrokerUnavailable while it does not answer."""
        return connect.source(values, topic, lambda: self._store.get(STORE_WAIT_S))

    def store(self, values: Settings) -> Store:
        """Connect to the store, off the thread that Storm talks to. Raises StoreUnavailable."""
        return connect.store(values)

    def next_tuple(self) -> None:
        """One turn of each reader; returns within IDLE_POLL_S and some ms while Kafka answers.

        After a SIGTERM it commits instead, leaves Kafka and ends the process: Storm's local mode
        stops without a `deactivate`, and what is in flight then would be suspected of having killed
        it.
        """
        if self._asked_to_end:
            for reader in self.readers.values():
                reader.close()
            sys.exit(0)
        sent, busy = 0, []
        try:
            for name, reader in self.readers.items():
                if self._is_labels(name) and not self._is_their_turn(reader):
                    continue
                sent += self._emit(name, reader)
                busy.append(reader)
        except PackageMissing:
            self.deactivate()  # no record in work is to blame for the end of this process
            raise
        if len(busy) > 1:
            self._check_widths()
        self._report()
        if not sent:
            began = perf_counter_ns()
            time.sleep(min(reader.pause_s for reader in busy))
            self._slept += perf_counter_ns() - began

    def _is_labels(self, name: str) -> bool:
        return bool(name) and name == self._labels

    def _is_their_turn(self, labels: Reader) -> bool:
        """Whether the topic of labels is read now: one that was looked at a moment ago, and had
        nothing, can wait; and so does one with other partitions than the payments have, for their
        customers' states would be in two processes."""
        now = time.monotonic()
        if now < self._labels_at and labels.is_idle:
            return False
        self._labels_at = now + LABELS_EVERY_S
        labels.look()
        width = self.readers[""].width
        if labels.width and not self._rekeyed and labels.width != width:
            if width and not self._told_widths:
                self._told_widths = True
                logger.warning(
                    "labels are not read: the topic %s has %d partitions, that of %s has %d. Give "
                    "them the same number, or make the topic of labels again.",
                    self._labels, labels.width, self.topic_setting, width,
                )  # fmt: skip
            return False
        self._told_widths = False
        return labels.width > 0

    def _emit(self, name: str, reader: Reader) -> int:
        began = perf_counter_ns()
        items = reader.step()
        metrics = self._meter.metrics
        metrics.spent["poll"] += perf_counter_ns() - began
        for item in items:
            began = perf_counter_ns()
            values = to_values(item.fragment, item.payload)
            metrics.spent["encode"] += perf_counter_ns() - began
            metrics.sized(max(1, item.fragment.last - item.fragment.first + 1))
            tup_id = f"{name}/{item.tup_id}" if name else item.tup_id
            if self._traces is not None and item.stream == BATCHES:
                self._traces.opened(tup_id, item.fragment)
            self.emit(values, tup_id=tup_id, stream=item.stream)
        return len(items)

    def _report(self) -> None:
        """Its figures, once a second; a store that is down is no matter."""
        if not self._meter.is_due():
            return
        spent, pipe = self._meter.metrics.spent, self.serializer
        spent["wait"], spent["emit"] = pipe.waited + self._slept, pipe.written
        spent["read"] = pipe.decoded
        own = self._meter
        note(self._store, own.topology, own.component, own.instance, own.body())

    def _check_widths(self) -> None:
        """Raises TopicError where an entity's partition, and so its process, is not the same in all
        topics."""
        payments = [reader for name, reader in self.readers.items() if not self._is_labels(name)]
        widths = {reader.width for reader in payments} - {0}
        if len(widths) > 1 and not self._rekeyed:
            raise TopicError(
                f"the topics of {self.topic_setting} have different numbers of partitions "
                f"({', '.join(map(str, sorted(widths)))}): an entity of several of them would have "
                "two states. Say rekey = true in one of the mappings, or give them the same number."
            )

    def _ask_to_end(self, number: int, frame: object) -> None:
        self._asked_to_end = True

    def ack(self, tup_id: str) -> None:
        name, _, own = tup_id.rpartition("/")
        self._meter.metrics.batches += 1
        if self._traces is not None:
            self._traces.closed(tup_id)
        self.readers[name].ack(own)

    def fail(self, tup_id: str) -> None:
        name, _, own = tup_id.rpartition("/")
        self._meter.metrics.failed += 1
        if self._traces is not None:
            self._traces.closed(tup_id, "given back: it comes again")
        self.readers[name].fail(own)

    def leave(self) -> None:
        """The store is left. Kafka is not told: what is in flight was not stopped in order."""
        if "_store" in vars(self):
            self._store.close()

    def deactivate(self) -> None:
        """Storm stops the topology in order: the next start need not be slow."""
        for reader in self.readers.values():
            reader.rest()


def place(context: dict[str, Any]) -> tuple[int, int]:
    """Index of this task among those of its component, and how many they are."""
    own = str(context["taskid"])
    components: dict[str, str] = context["task->component"]
    peers = sorted(int(task) for task, name in components.items() if name == components[own])
    return peers.index(int(own)), len(peers)
