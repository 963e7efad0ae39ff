"""`sparse` of the virtualenv: streamparse's own, made safe to start twice and without -e.

streamparse builds the jar by Leiningen in `_build` and `_resources` of the project and deletes both
first: two `sparse run` at once would take the jar from under each other. Here each builds its own.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import psutil

from apps.data.printable import print_in_any_encoding
from apps.local.services import environment, java, prctl
from apps.local.services.home import private
from apps.local.services.jars import storm_version
from apps.local.storm import passed_through
from apps.local.storm.jar import builder
from apps.local.storm.words import CHECKED, SCRATCH
from stormwatch.errors import StormwatchError
from stormwatch.settings import load, to_environ

_ROOT = Path(__file__).resolve().parents[3]
_STARTING = ("run", "submit")
_HELP = {"-h", "--help"}
_CHILDREN_S = 10.0
_SCRATCH = re.compile(r"([0-9]{1,9})-.+", re.ASCII)


def main() -> int:
    """Hand over to streamparse; exit code 130 or 143 when interrupted or terminated."""
    print_in_any_encoding()
    if told := of_another(Path.cwd()):
        print(f"sparse: {told}", file=sys.stderr)
    try:
        settings = load(root=Path.cwd())
        run_dir = Path.cwd() / settings.run_dir
        if sys.argv[1:2] and sys.argv[1] in _STARTING and not _HELP & set(sys.argv):
            java.java(java.storm(Path.cwd()))
            private(run_dir)
    except StormwatchError as error:
        print(f"sparse: {error}", file=sys.stderr)
        return 2
    is_checked = os.environ.pop(CHECKED, "") == "yes"
    # Components read no file: passwords of stormwatch.toml reach them as environment only.
    _become(environment.for_components() | to_environ(settings))
    os.environ["LEIN_ROOT"] = (
        "1"  # as root, Leiningen (see apps.local.storm.jar) else waits for a key
    )
    warnings.filterwarnings("ignore")  # paramiko and pkg_resources announce their old age
    environments = passed_through.environments(Path.cwd())
    sys.argv[1:] = passed_through.with_environment(sys.argv[1:], environments)
    if why := passed_through.cannot_work(sys.argv[1:], environments):
        print(f"sparse: {why}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _terminated)
    prctl.adopt_orphans()
    from streamparse.cli import jar, run, slot_usage, sparse, stats, submit, worker_uptime
    from streamparse.cli import list as listing

    environment.leave_import_path()
    try:
        if not is_checked:
            _lint(sys.argv[1:], Path.cwd())
    except StormwatchError as error:
        print(f"sparse: {error}", file=sys.stderr)
        return 1
    scratches = run_dir / "sparse"
    _sweep(scratches)
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=scratches) as scratch:
        tempfile.tempdir = scratch  # streamparse leaves its files behind
        # streamparse would ask Leiningen, in three JVMs one after the other.
        place = Path.cwd() / "_build" if sys.argv[1:2] == ["jar"] else Path(scratch)
        build = builder(Path.cwd(), jar.jar_for_deploy, run_dir, place)
        run.jar_for_deploy = submit.jar_for_deploy = jar.jar_for_deploy = build
        run.local_storm_version = run.storm_lib_version = lambda: storm_version(Path.cwd())
        for module in (stats, slot_usage, worker_uptime):
            module.storm_lib_version = lambda: stats.parse_version(storm_version(Path.cwd()))
        run.local = become_storm
        listing.list_topologies = passed_through.list_topologies
        try:
            return handed_over(sparse.main, sys.argv[1] if sys.argv[1:] else "")
        finally:
            psutil.wait_procs(psutil.Process().children(recursive=True), timeout=_CHILDREN_S)


def become_storm(command: str) -> None:
    """In place of this process, with its pid: all that streamparse brought into memory goes.

    What was built for the run stays in the folder that is named by this pid; `storm` removes it.
    """
    sys.stdout.flush()
    os.environ[SCRATCH] = tempfile.gettempdir()
    program, *arguments = shlex.split(command)
    os.execvp(program, [program, *arguments])


def of_another(project: Path) -> str:
    """What to tell where the project has a `sparse` of its own, and this is not it; else ""."""
    if project.resolve() == _ROOT or not (project / ".venv" / "bin" / "sparse").exists():
        return ""
    return (
        f"this is the `sparse` of {_ROOT}: bolts and spouts are looked for there. Use .venv/bin/"
        "sparse. If it came by `source .venv/bin/activate`, the virtualenv was copied or moved: "
        "delete .venv, and ./stormwatch makes it anew."
    )


def handed_over(streamparse: Callable[[], object], command: str) -> int:
    """The exit code; what a subcommand ends with is told without a traceback."""
    try:
        streamparse()
    except KeyboardInterrupt:
        return 130
    except StormwatchError as error:
        print(f"sparse: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if told := passed_through.in_words(command, error):
            print(f"sparse: {told}", file=sys.stderr)
            return 1
        raise
    return 0


def named(argv: list[str]) -> str | None:
    """The topology that `run` or `submit` starts, None if it is not named or nothing starts."""
    if not argv or argv[0] not in _STARTING:
        return None
    for option, value in zip(argv, [*argv[1:], ""], strict=True):
        if option in ("-n", "--name"):
            return value
        if option.startswith(("-n=", "--name=")):
            return option.partition("=")[2]
    return None


def _lint(argv: list[str], root: Path) -> None:
    """Print what is wrong with the topology. Raises StormwatchError if it must not start."""
    name = named(argv)
    if name and (root / "topologies" / f"{name}.py").exists():
        from apps.build.lint import check

        check(root, [name], lambda finding: print(finding, file=sys.stderr))


def _sweep(scratches: Path) -> None:
    """Remove what killed ones left behind."""
    scratches.mkdir(parents=True, exist_ok=True)
    for left in scratches.iterdir():
        owner = _SCRATCH.fullmatch(left.name)  # what else is there is not ours
        if owner and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(left, ignore_errors=True)


def _become(environ: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)


def _terminated(number: int, frame: object) -> None:
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
