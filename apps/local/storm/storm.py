"""The `storm` command as `sparse run` calls it. Storm 2 as jars brings none of its own."""

import argparse
import fcntl
import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from apps.data.printable import print_in_any_encoding
from apps.local.services import jars
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, private, set_aside
from apps.local.services.prctl import adopt_orphans
from apps.local.storm import flux, local
from apps.local.storm.supervise import Supervisor
from apps.local.storm.words import SCRATCH
from stormwatch.errors import StormwatchError
from stormwatch.settings import load

_FLUX = "org.apache.storm.flux.Flux"
_LONGEST_S = 2**31
"""About 68 years; without -t streamparse asks for 2^63 - 1."""


def main(argv: Sequence[str]) -> int:
    """Exit code of `storm version` and `storm jar JAR org.apache.storm.flux.Flux --local …`."""
    print_in_any_encoding()
    arguments = _parse(argv)
    root, scratch = Path.cwd(), os.environ.pop(SCRATCH, "")
    try:
        if arguments.command == "version":
            print(f"Storm {jars.storm_version(root)}")
            return 0
        return _run(root, arguments.jar, arguments.flux, min(arguments.sleep, _LONGEST_S))
    except StormwatchError as error:
        print(f"storm: {error}", file=sys.stderr)
        return 1
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="storm",
        description="Runs a topology on this machine for `sparse run`. To speak to a cluster use "
        "`sparse submit`, `sparse list` and `sparse kill`.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="the version that project.clj names")
    jar = commands.add_parser("jar", help="run a Flux topology in local mode")
    jar.add_argument("jar", type=Path)
    jar.add_argument("main", choices=[_FLUX])
    jar.add_argument("--local", action="store_true", required=True)
    jar.add_argument("--no-splash", action="store_true")
    jar.add_argument("--sleep", type=int, default=_LONGEST_S, help="seconds")
    jar.add_argument("flux", type=Path)
    return parser.parse_args(argv)


def _run(root: Path, jar: Path, file: Path, seconds: int) -> int:
    home = Home.of(load(root=root), root)
    private(home.run_dir)
    topology = flux.read(file)
    log, out = home.log(f"storm-{topology.name}"), home.log(f"storm-{topology.name}-out")
    tmp = home.run_dir / "storm-local" / topology.name
    lock = _lock(home, topology.name)
    for path in (log, out):
        path.parent.mkdir(parents=True, exist_ok=True)
        set_aside(path)
    stderr = log.with_suffix(".stderr")
    shutil.rmtree(stderr, ignore_errors=True)
    stderr.mkdir()
    adopt_orphans()  # components of a JVM that died: waited for, or each stays as a zombie
    commands = local.commands(home, jar.resolve(), file.resolve(), log, tmp, _progress)
    print(f"{topology.name}: starting; Storm's log is {log}", file=sys.stderr, flush=True)
    launch = partial(local.LocalCluster, commands, out, tmp, stderr, lock)
    return Supervisor(topology, launch, log, out).run(seconds)


def _lock(home: Home, name: str) -> int:
    """Held by the JVM too: two runs of one topology would read the same partitions twice."""
    path = home.run_dir / "storm-local" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ServiceError(
            f"The topology {name} runs here already. Stop that `sparse run` first."
        ) from error
    return lock


def _progress(step: str, detail: str) -> None:
    print(f"{step}: {detail}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
