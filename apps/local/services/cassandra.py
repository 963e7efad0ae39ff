"""Cassandra 5.0, one node."""

import shutil
from functools import partial
from pathlib import Path

from apps.local.services import jars, ports, registry
from apps.local.services.health import cassandra_answers
from apps.local.services.home import Home, Progress
from apps.local.services.java import CASSANDRA, FRUGAL, LATE_C2, Java, cassandra_options, java
from apps.local.services.plan import ServicePlan
from stormwatch.settings import load

NAME = "cassandra"
_HEAP_MB = 384
_LIMIT_S = 300.0
_RESOURCES = Path(__file__).parent / "resources"


def plan(
    home: Home, progress: Progress, native: int | None = None, storage: int | None = None
) -> ServicePlan:
    """Cassandra on the ports it had, else its default ones, or others if taken; data survives."""
    its_java = java(CASSANDRA, load(root=home.root).cassandra_java_home)
    had = registry.ports(home, NAME)
    native = native or ports.same_as_before(had.get("native"), 9042, NAME, progress)
    storage = storage or ports.free(had.get("storage", 7000), taken=[native])
    classpath = jars.joined(jars.classpath(home, jars.CASSANDRA, progress))
    base = home.run_dir / NAME
    tmp = base / "tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    config = base / "cassandra.yaml"
    template = (_RESOURCES / "cassandra.yaml").read_text()
    config.write_text(template.format(host=ports.HOST, native=native, storage=storage))
    return ServicePlan(
        name=NAME,
        command=[
            its_java.path,
            f"-Xms{_HEAP_MB // 2}m",
            f"-Xmx{_HEAP_MB}m",
            *_jvm_options(base, its_java),
            f"-Djava.io.tmpdir={tmp}",
            f"-Djna.tmpdir={tmp}",
            f"-Dcassandra.config=file://{config}",
            f"-Dcassandra.storagedir={base / 'data'}",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.shutdown_announce_in_ms=0",  # there is nobody to announce it to
            f"-Dlogback.configurationFile={_RESOURCES / 'logback.xml'}",
            "-cp",
            classpath,
            "org.apache.cassandra.service.CassandraDaemon",
        ],
        ports={"native": native, "storage": storage},
        ready=partial(cassandra_answers, ports.HOST, native),
        waiting_for=f"CQL on port {native}",
        limit_s=_LIMIT_S,
        settings={"cassandra.contact_points": ports.HOST, "cassandra.port": native},
    )


def _jvm_options(base: Path, its_java: Java) -> list[str]:
    return [
        *cassandra_options(its_java.version),
        f"@{_RESOURCES / 'cassandra-jvm17.options'}",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=50",
        "-XX:+ExitOnOutOfMemoryError",
        *LATE_C2,
        *FRUGAL,
        f"-XX:ErrorFile={base}/hs_err_%p.log",
    ]
