"""Kafka in KRaft mode, broker and controller in one JVM."""

import base64
import shutil
import subprocess
import uuid
from functools import partial
from pathlib import Path

from apps.local.services import jars, ports, registry
from apps.local.services.errors import ServiceError
from apps.local.services.health import kafka_answers
from apps.local.services.home import Home, Progress
from apps.local.services.java import C1_ALONE, FRUGAL, java
from apps.local.services.java import KAFKA as NEED
from apps.local.services.plan import ServicePlan

NAME = "kafka"
_HEAP_MB = 256
_LIMIT_S = 180.0

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
controller.listener.names=CONTROLLER
log.dirs={data}

# A topic is created on purpose, with its partitions and limits, or not at all.
auto.create.topics.enable=false
# A micro-batch or an alert with its payload fits with room to spare.
message.max.bytes=12582912
replica.fetch.max.bytes=12582912
# Offsets outlive a long holiday: a group that lost them would not know where it stopped.
offsets.retention.minutes=43200

# One broker, two cores, 256 MB.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
"""


def plan(
    home: Home, progress: Progress, broker: int | None = None, controller: int | None = None
) -> ServicePlan:
    """Kafka on the ports it had, else its default ones, or others if taken; data survives."""
    its_java = java(NEED).path
    had = registry.ports(home, NAME)
    broker = broker or ports.same_as_before(had.get("broker"), 9092, NAME, progress)
    controller = controller or ports.free(had.get("controller", 9093), taken=[broker])
    classpath = jars.joined(jars.classpath(home, jars.KAFKA, progress))
    base = home.run_dir / NAME
    tmp = base / "tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    config = base / "server.properties"
    config.write_text(
        _PROPERTIES.format(
            host=ports.HOST, broker=broker, controller=controller, data=base / "data"
        )
    )
    jvm = [its_java, C1_ALONE, *FRUGAL, f"-Djava.io.tmpdir={tmp}", "-cp", classpath]
    _format(jvm, config, base / "data", progress)
    flags = ["-Xms64m", f"-Xmx{_HEAP_MB}m", "-XX:+UseSerialGC"]
    flags += ["-XX:+ExitOnOutOfMemoryError", f"-XX:ErrorFile={base}/hs_err_%p.log"]
    return ServicePlan(
        name=NAME,
        command=[
            jvm[0], *flags, "-Dlog4j2.level=INFO", *jvm[1:], "kafka.Kafka", str(config)
        ],
        ports={"broker": broker, "controller": controller},
        ready=partial(kafka_answers, ports.HOST, broker),
        waiting_for=f"the broker on port {broker}",
        limit_s=_LIMIT_S,
        settings={"kafka.bootstrap": f"{ports.HOST}:{broker}"},
    )  # fmt: skip


def _format(jvm: list[str], config: Path, data: Path, progress: Progress) -> None:
    """Once in the life of a data directory."""
    if (data / "meta.properties").exists():
        return
    progress(NAME, "formatting its storage")
    # A leading minus would be read as an option.
    cluster = "s" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
    done = subprocess.run([*jvm, *tool], check=False, capture_output=True, text=True)
    if done.returncode:
        raise ServiceError(
            f"Kafka's storage {data} could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}"
            f"\nIf that directory holds nothing you need, delete it and start again."
        )
