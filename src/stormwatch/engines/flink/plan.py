"""What Flink is told: how Kafka is read, its options, and from which checkpoint. Text alone.

Flink's SQL reads Kafka, for only there Python gets bytes and offsets, and gathers what comes within
WINDOW_S to one row a partition: Python is called once for many records. Rows in the making are part
of Flink's checkpoints.
"""

import re
from pathlib import Path

from stormwatch.adapters.kafka.buffered_source import certificate
from stormwatch.settings import Settings

WINDOW_S = 0.1
MAX_PARALLELISM = 128
"""Fixed, for a state is found again under it only."""

_RAISED = re.compile(r"<class 'stormwatch\.errors\.\w+'>: (.+)")
_CAUSED = re.compile(r"^Caused by: (.+)", re.MULTILINE)
_TABLE = """CREATE TABLE log (
  p INT METADATA FROM 'partition' VIRTUAL, o BIGINT METADATA FROM 'offset' VIRTUAL,
  ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  k BYTES, v BYTES, now AS PROCTIME()
) WITH ('connector' = 'kafka', 'scan.startup.mode' = 'earliest-offset',
  'scan.topic-partition-discovery.interval' = '0',
  'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY', {options})"""
BATCHES = f"""SELECT p, ARRAY_AGG(o) AS os, ARRAY_AGG(
    CAST(EXTRACT(EPOCH FROM ts) AS BIGINT) * 1000 + EXTRACT(MILLISECOND FROM ts)) AS ats,
  ARRAY_AGG(k) AS ks, ARRAY_AGG(v) AS vs
FROM TABLE(TUMBLE(TABLE log, DESCRIPTOR(now), INTERVAL '{WINDOW_S}' SECOND))
GROUP BY p, window_start, window_end"""
"""A row a partition and window: partition, offsets, times (ms), keys, values."""


def table(settings: Settings, topic: str) -> str:
    """The statement that makes the table `log` of a topic. Raises SettingsError."""
    return _TABLE.format(options=_sql(_of_kafka(settings, topic)))


def options(folder: Path, resumed: Path | None, jar: str, interval_s: float) -> dict[str, str]:
    """Flink's own. `resumed`: the checkpoint that the job goes on from."""
    found = {
        "python.execution-mode": "thread",  # in the JVM: a third of the cost of a process beside it
        "pipeline.jars": f"file://{jar}",
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        "execution.checkpointing.interval": f"{round(interval_s * 1000)}ms",
        "execution.checkpointing.dir": folder.absolute().as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "3",
        "execution.checkpointing.incremental": "true",
        # The operator waits while Cassandra is away: a checkpoint that comes late is no fault.
        "execution.checkpointing.tolerable-failed-checkpoints": "1000000",
        "state.backend.type": "rocksdb",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "3",
        "restart-strategy.fixed-delay.delay": "5s",
        "rest.bind-address": "127.0.0.1",
        "table.local-time-zone": "UTC",
        "table.optimizer.agg-phase-strategy": "ONE_PHASE",  # else local aggregates are called, too
    }
    if resumed is not None:
        found["execution.state-recovery.path"] = resumed.absolute().as_uri()
        found["execution.state-recovery.claim-mode"] = "CLAIM"  # so the old ones are deleted
    return found


def on_cluster(address: str, python: str, packages: str) -> dict[str, str]:
    """Further options of a job that is submitted to a cluster.

    `address`: HOST:PORT of the JobManager's REST. `python`, `packages`: the interpreter and the
    module path on each TaskManager.
    """
    host, _, port = address.rpartition(":")
    return {
        "execution.target": "remote",
        "rest.address": host,
        "rest.port": port,
        "python.executable": python,
        "python.pythonpath": packages,
    }


def newest(folder: Path) -> Path | None:
    """The last whole checkpoint under a folder; None where there is none."""
    whole = folder.glob("*/chk-*/_metadata")
    found = max(whole, key=lambda path: path.stat().st_mtime, default=None)
    return None if found is None else found.parent


def cause(failure: object) -> str:
    """The sentence of our own error, raised by Python inside of Flink; else Java's innermost."""
    text = str(failure)
    found: list[str] = _RAISED.findall(text)
    if found:
        return found[-1]
    causes: list[str] = _CAUSED.findall(text)
    return f"Flink ended the job: {causes[-1] if causes else text}"


def _of_kafka(settings: Settings, topic: str) -> dict[str, str]:
    """Options of the connector, and under `properties.` those of Java's client."""
    found = {
        "topic": topic,
        "properties.bootstrap.servers": settings.kafka_bootstrap,
        "properties.group.id": settings.kafka_group,
        "properties.isolation.level": "read_committed",
        "properties.client.id.prefix": "stormwatch",
        "properties.security.protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        module = "plain.Plain" if settings.kafka_sasl_mechanism == "PLAIN" else "scram.Scram"
        found["properties.sasl.mechanism"] = settings.kafka_sasl_mechanism
        found["properties.sasl.jaas.config"] = (
            f"org.apache.kafka.common.security.{module}LoginModule required "
            f"username={_quoted(settings.kafka_username)} "
            f"password={_quoted(settings.kafka_password)};"
        )
    if authority := certificate(settings):
        found["properties.ssl.truststore.type"] = "PEM"
        found["properties.ssl.truststore.location"] = authority
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sql(options: dict[str, str]) -> str:
    def literal(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    return ", ".join(f"{literal(key)} = {literal(value)}" for key, value in options.items())
