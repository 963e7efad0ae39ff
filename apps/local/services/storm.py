"""How ZooKeeper, Nimbus and the supervisor of a cluster on this machine are started."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from apps.local.services import jars, java, ports, registry, workers
from apps.local.services.environment import for_components
from apps.local.services.errors import ServiceError
from apps.local.services.health import zookeeper_answers
from apps.local.services.home import Home, Progress
from apps.local.services.plan import ServicePlan
from apps.operate import nimbus

ZOOKEEPER, NIMBUS, SUPERVISOR = "zookeeper", nimbus.NAME, "supervisor"
ALL = (ZOOKEEPER, NIMBUS, SUPERVISOR)
NIMBUS_PORT = 6627
"""As config.json has it; sparse does not look elsewhere."""

_RESOURCES = Path(__file__).parent / "resources"
_LIMIT_S = 90.0
_SLOTS = 4
ZOOKEEPER_MAIN = "org.apache.storm.shade.org.apache.zookeeper.server.ZooKeeperServerMain"
_ZOO_CFG = """\
clientPort={port}
clientPortAddress={host}
dataDir={data}
tickTime=2000
admin.enableServer=false
maxClientCnxns=0
"""


def zookeeper(home: Home, progress: Progress) -> ServicePlan:
    """ZooKeeper of Storm's own jars; its data survives (DevZookeeper deletes it)."""
    had = registry.ports(home, ZOOKEEPER).get("client")
    port = ports.free(had or 2181)
    daemons = [name for name in (NIMBUS, SUPERVISOR) if registry.running(home, name)]
    if had and port != had and daemons:
        raise ServiceError(
            f"ZooKeeper's port {had} is taken by another program by now, and "
            f"{' and '.join(daemons)} look for it there. Stop that program (`ss -ltnp 'sport = :"
            f"{had}'` shows it) and start again; or begin anew on other ports: `./stormwatch "
            "cluster down`, then `./stormwatch cluster up`, and submit your topologies again."
        )
    config = zookeeper_config(home.storm / ZOOKEEPER, port)
    return ServicePlan(
        name=ZOOKEEPER,
        command=[*_jvm(home, ZOOKEEPER, 128, progress), ZOOKEEPER_MAIN, str(config)],
        ports={"client": port},
        ready=partial(zookeeper_answers, ports.HOST, port),
        waiting_for=f"ZooKeeper on port {port}",
        limit_s=_LIMIT_S,
    )


def zookeeper_config(directory: Path, port: int) -> Path:
    """The file that leads ZooKeeper to loopback and to the data in this directory."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "zoo.cfg"
    config.write_text(_ZOO_CFG.format(port=port, host=ports.HOST, data=directory / "data"))
    return config


def daemons(
    home: Home, client: int, thrift: int
) -> dict[str, Callable[[Home, Progress], ServicePlan]]:
    """Nimbus and supervisor over the ZooKeeper on port `client`, in the order of their start."""
    return {
        NIMBUS: partial(_nimbus, client=client, thrift=thrift),
        SUPERVISOR: partial(_supervisor, client=client, thrift=thrift),
    }


def _nimbus(home: Home, progress: Progress, client: int, thrift: int) -> ServicePlan:
    if not ports.is_free(thrift):
        raise ServiceError(
            f"Port {thrift} is taken, and config.json has Nimbus there. Stop what listens on it "
            f"(`ss -ltnp 'sport = :{thrift}'` shows it); if that is a Nimbus you want to use, "
            "start no cluster and submit to it."
        )
    _write(home, client, thrift, progress)

    def leads() -> bool:
        found = nimbus.ask(ports.HOST, thrift)
        return found is not None and found.leader

    return ServicePlan(
        name=NIMBUS,
        command=[*_daemon(home, NIMBUS, progress), "org.apache.storm.daemon.nimbus.Nimbus"],
        ports={"thrift": thrift},
        ready=leads,
        waiting_for=f"Nimbus to lead on port {thrift}",
        limit_s=_LIMIT_S,
        environ=for_components(),
    )


def _supervisor(home: Home, progress: Progress, client: int, thrift: int) -> ServicePlan:
    own, slots = _write(home, client, thrift, progress)

    def registered() -> bool:
        found = nimbus.ask(ports.HOST, thrift)
        return found is not None and found.supervisors > 0

    return ServicePlan(
        name=SUPERVISOR,
        command=[
            *_daemon(home, SUPERVISOR, progress),
            "org.apache.storm.daemon.supervisor.Supervisor",
        ],
        ports={"thrift": own} | {f"slot{n}": port for n, port in enumerate(slots)},
        ready=registered,
        waiting_for="the supervisor to report to Nimbus",
        limit_s=_LIMIT_S,
        environ=for_components(),
    )


def _write(home: Home, client: int, thrift: int, progress: Progress) -> tuple[int, list[int]]:
    """Configuration and worker jars; the supervisor's port and its slots.

    A supervisor that comes back has the slots it had, which its workers hold: where it found
    another's port in a slot's place, it would kill the worker that is none of its slots.
    """
    directory = home.storm
    had = registry.ports(home, SUPERVISOR)
    held = {worker.port for worker in workers.running(home)}
    slots: list[int] = []
    for number in range(_SLOTS):
        wanted = had.get(f"slot{number}", 6700 + number)
        slots.append(wanted if wanted in held else ports.free(wanted, slots))
    own = ports.free(had.get("thrift", 6628), taken=[*slots, thrift])
    for part in ("conf", "log4j2", "local", "logs", "tmp"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    template = (_RESOURCES / "storm.yaml").read_text()
    (directory / "conf" / "storm.yaml").write_text(
        template.format(
            host=ports.HOST,
            zookeeper=client,
            nimbus=thrift,
            supervisor=own,
            slots=slots,
            home=directory,
            frugal=" ".join(java.FRUGAL),
        )
    )
    shutil.copy(_RESOURCES / "worker.xml", directory / "log4j2" / "worker.xml")
    library = directory / "lib-worker"
    shutil.rmtree(library, ignore_errors=True)
    library.mkdir()
    for jar in jars.classpath(home, jars.WORKER, progress):
        (library / jar.name).symlink_to(jar)
    return own, slots


def _daemon(home: Home, name: str, progress: Progress) -> list[str]:
    directory = home.storm
    *jvm, classpath = _jvm(home, name, 512, progress)
    return [
        *jvm,
        f"{classpath}:{directory / 'conf'}",
        f"-Dstorm.home={directory}",
        f"-Dstorm.log.dir={directory / 'logs'}",
        "-Dstorm.conf.file=storm.yaml",
        f"-Djava.io.tmpdir={directory / 'tmp'}",
    ]


def _jvm(home: Home, name: str, heap_mb: int, progress: Progress) -> list[str]:
    return [
        java.java(java.storm(home.root)).path,
        "-Xms64m",
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        *java.FRUGAL,
        f"-XX:ErrorFile={home.run_dir}/logs/hs_err_{name}_%p.log",
        f"-Dlog4j2.configurationFile={_RESOURCES / 'daemon.xml'}",
        "-cp",
        jars.joined(jars.classpath(home, jars.STORM, progress)),
    ]
