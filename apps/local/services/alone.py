"""One service in the foreground, for a container of its own.

    python -m apps.local.services.alone kafka
    python -m apps.local.services.alone wait 9092 9042

All containers of a system share one network (compose.yaml, ops/kubernetes): what listens on
loopback here is there for all of them and for nobody else. Ports are the default ones.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from apps.local.services import cassandra, jars, kafka, ports, storm
from apps.local.services.errors import ServiceError
from apps.local.services.health import listens
from apps.local.services.home import Home, Progress
from apps.local.services.java import FEW_ARENAS
from apps.local.services.plan import ServicePlan
from stormwatch.settings import load

ROOT = Path(__file__).resolve().parents[3]
KEEPER_PORT = 2181
JARS, WAIT = "jars", "wait"
_LOOK_S, _TELL_S = 0.5, 10.0


def plans(home: Home) -> Mapping[str, Callable[[Home, Progress], ServicePlan]]:
    """Every service by name."""
    return {
        kafka.NAME: kafka.plan,
        cassandra.NAME: cassandra.plan,
        storm.ZOOKEEPER: storm.zookeeper,
        **storm.daemons(home, KEEPER_PORT, storm.NIMBUS_PORT),
    }


def main(name: str, *of: str) -> None:
    """Become the service; `jars` only fetches what all of them need. Raises ServiceError.

    `wait` returns when something listens on each of the ports: what needs them begins then, and is
    not started in vain while all cores are busy with starting them.
    """
    if name == WAIT:
        for port in of:
            _wait(int(port))
        return
    home = Home(ROOT, Home.of(load(root=ROOT), ROOT).run_dir, ROOT / ".stormwatch" / JARS)
    if name == JARS:
        jars.classpath(home, jars.STORM, _tell)
        return
    known = plans(home)
    if name not in known:
        raise ServiceError(f"{name} is none of {', '.join([*known, JARS, WAIT])}.")
    home.log(name).parent.mkdir(parents=True, exist_ok=True)
    plan = known[name](home, _tell)
    environ = FEW_ARENAS | dict(plan.environ or os.environ)
    os.execve(plan.command[0], plan.command, environ)


def _wait(port: int) -> None:
    begin = told = time.monotonic()
    while not listens(ports.HOST, port):
        time.sleep(_LOOK_S)
        if (now := time.monotonic()) - told >= _TELL_S:
            told = now
            _tell(WAIT, f"{now - begin:.0f} s for what listens on port {port}")


def _tell(step: str, said: str) -> None:
    print(f"{step}: {said}", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ServiceError as error:
        sys.exit(str(error))
