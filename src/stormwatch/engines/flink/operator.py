"""What runs inside Flink: keyed by Kafka's partition, a call a micro-batch."""

import logging
import secrets
from collections.abc import Iterator
from typing import Any

from stormwatch.adapters import connect
from stormwatch.adapters.storm.resources import Connections, Meter
from stormwatch.engines.flink import use_case
from stormwatch.engines.flink.deciding import Decider
from stormwatch.engines.flink.log import Log
from stormwatch.errors import PackageMissing
from stormwatch.records import Record
from stormwatch.settings import Settings
from stormwatch.state.recorded import Recall

try:
    from pyflink.common import Time, Types
    from pyflink.common.time import Duration
    from pyflink.datastream import KeyedProcessFunction, RuntimeContext
    from pyflink.datastream.state import (
        MapStateDescriptor,
        StateTtlConfig,
        ValueStateDescriptor,
    )
except ImportError as error:
    raise PackageMissing(
        "apache-flink is not installed here. `./stormwatch flink run` makes a virtualenv that has "
        "it; by hand: pip install -r requirements/flink.txt (Python 3.11 or 3.12)."
    ) from error

logger = logging.getLogger(__name__)

COMPONENT = "flink"
"""Names this engine's figures beside those of the topology's components."""
_ENTRIES = 1_000
"""Flink's default: after so many entries a compaction looks at the clock again."""


class Decide(KeyedProcessFunction):  # type: ignore[misc]
    """(partition, offsets, times, keys, values) of a micro-batch -> nothing: what follows is
    stored and published by `Decider`, and what is remembered lies in Flink's state."""

    def __init__(self, settings: Settings, name: str, log: Log, recorded: str) -> None:
        """`recorded`: the keyspace whose decisions say what was known of second keys, or ""."""
        self._settings, self._name, self._log, self._recorded = settings, name, log, recorded

    def open(self, context: RuntimeContext) -> None:
        """Once a subtask: the model, the connections, the state. Raises ModelError."""
        settings, name = self._settings, self._name
        # Any number: in thread mode Flink 2.3 raises where it is asked for the subtask's.
        task = secrets.randbits(16)
        source = connect.source(settings, self._log.topic)
        self._source = source
        case = use_case.of(settings, name)
        self._others = other = use_case.recording(settings, self._recorded)
        self._decider = Decider(
            settings, case, self._log, Connections(settings, Meter(name, COMPONENT, task)),
            lambda partition: source.watermarks(partition).low, tell=logger.warning,
            recall=Recall(other, case.domain, settings.layout_stripes) if other else None,
        )  # fmt: skip
        states = MapStateDescriptor("states", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        states.enable_time_to_live(_kept_for(settings.ttl_states_d))
        self._states = context.get_map_state(states)
        self._next = context.get_state(ValueStateDescriptor("next", Types.LONG()))

    def process_element(self, batch: Any, context: Any) -> Iterator[Any]:
        """One micro-batch of one partition."""
        partition, offsets, times, keys, values = batch
        first = self._next.value()
        if first is None:
            first = self._decider.begin(partition)
        records = [
            Record(offset, at, key, value)
            for offset, at, key, value in zip(offsets, times, keys, values, strict=True)
            if offset >= first
        ]
        if records:
            records.sort(key=lambda record: record.offset)
            self._next.update(self._decider.work(partition, first, records, self._states))
        yield from ()

    def close(self) -> None:
        """Leave Kafka and Cassandra."""
        self._decider.close()
        if self._others:
            self._others.close()
        self._source.close()


def _kept_for(days: int) -> StateTtlConfig:
    """Flink's default of cleaning up, in compactions of RocksDB, said by hand: the default asks
    for a Duration, for which PyFlink 2.3 starts a second JVM beside each task in thread mode. It is
    never used there, so an empty one does."""
    made = StateTtlConfig.new_builder(Time.days(days)).disable_cleanup_in_background()
    return made.cleanup_in_rocksdb_compact_filter(_ENTRIES, Duration(None)).build()
