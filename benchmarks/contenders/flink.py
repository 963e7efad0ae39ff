"""PyFlink in its natural form: the topic as a table, `key_by`, a `KeyedProcessFunction` whose state
is a `ValueState`, Kafka's sink. Python runs beside the JVM, as is Flink's default."""

import sys
from collections.abc import Iterator
from typing import Any

from pyflink.common import Configuration, Types
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.table import StreamTableEnvironment

from benchmarks.contenders.core import Core, Taken, arguments

_TABLE = """CREATE TABLE log (
  p INT METADATA FROM 'partition' VIRTUAL, o BIGINT METADATA FROM 'offset' VIRTUAL,
  ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, k STRING, v BYTES
) WITH ('connector' = 'kafka', 'scan.startup.mode' = 'earliest-offset', 'topic' = '{topic}',
  'properties.bootstrap.servers' = '{servers}', 'properties.group.id' = '{group}',
  'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY')"""
_ROWS = """SELECT k, p, o,
  CAST(EXTRACT(EPOCH FROM ts) AS BIGINT) * 1000 + EXTRACT(MILLISECOND FROM ts) AS ms, v FROM log"""


class Decide(KeyedProcessFunction):  # type: ignore[misc]
    """A record at a time; the state of its key is read and written for each."""

    def __init__(self, topic: str, domain: str) -> None:
        self._topic, self._domain = topic, domain

    def open(self, runtime_context: Any) -> None:
        """In the worker."""
        described = ValueStateDescriptor("state", Types.PICKLED_BYTE_ARRAY())
        self._kept = runtime_context.get_state(described)
        self._core = Core(self._domain)

    def process_element(self, value: Any, ctx: Any) -> Iterator[str]:
        """Decisions as text."""
        key, partition, offset, at, raw = value
        states, kept = self._core.states, self._kept.value()
        states.clear()
        if kept is not None:
            states[key] = kept
        taken = Taken(self._topic, partition, offset, at, bytes(raw))
        for _, body in self._core.decide([taken]):
            yield body.decode()
        if key in states:
            self._kept.update(states[key])


def main() -> None:
    """Until it is ended."""
    asked = arguments(sys.argv)
    jar, cores = asked.more
    configuration = Configuration()
    for key, value in {
        "pipeline.jars": f"file://{jar}", "python.executable": sys.executable,
        "python.client.executable": sys.executable, "rest.bind-address": "127.0.0.1",
        "table.local-time-zone": "UTC", "parallelism.default": cores,
    }.items():  # fmt: skip
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    tables = StreamTableEnvironment.create(environment)
    tables.execute_sql(_TABLE.format(topic=asked.topic, servers=asked.servers, group=asked.group))
    rows = tables.to_data_stream(tables.sql_query(_ROWS))
    decided = rows.key_by(lambda row: row[0], key_type=Types.STRING()).process(
        Decide(asked.topic, asked.domain), output_type=Types.STRING()
    )
    schema = KafkaRecordSerializationSchema.builder().set_topic(asked.out)
    schema = schema.set_value_serialization_schema(SimpleStringSchema()).build()
    sink = KafkaSink.builder().set_bootstrap_servers(asked.servers)
    decided.sink_to(sink.set_record_serializer(schema).build())
    environment.execute("bench")


if __name__ == "__main__":
    main()
