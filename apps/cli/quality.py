"""`test`, `bench`: checks and measurements."""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from apps.cli import app as shared
from stormwatch.errors import StormwatchError

_EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}
_CHECKED = ("src/stormwatch", "src/bolts", "src/spouts", "apps", "benchmarks")
_MENDS = {
    "ruff check": ".venv/bin/ruff check --fix .",
    "ruff format": ".venv/bin/ruff format .",
}
_SHOWN = ("peers", "curves")
"""Benchmarks that a plain `bench` runs."""
_DEV_TOOLS = ("pytest", "xdist", "ruff", "mypy", "hypothesis")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        context_settings=_EXTRA,
        epilog=shared.example("test", "test --all", "test tests/unit -k ledger"),
    )(test)
    app.command(
        context_settings=_EXTRA,
        epilog=shared.example("bench", "bench --list", "bench peers --help"),
    )(bench)


def test(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also the slow campaigns.")] = False,
) -> None:
    """Run what every change must pass: ruff, mypy, pytest.

    Arguments are passed on to pytest, which then runs alone.
    """
    missing = [name for name in _DEV_TOOLS if importlib.util.find_spec(name) is None]
    if missing:
        raise StormwatchError(
            f"{', '.join(missing)} is not installed in {sys.prefix}, so nothing can be tested. "
            "Run: .venv/bin/pip install -r requirements-dev.txt -c constraints.txt"
        )
    chosen = [] if everything else ["-m", "not slow"]
    steps = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy", "--strict", *_CHECKED],
        "pytest": ["pytest", "-n", "2", "--dist", "loadfile", "--durations=30", *chosen],
    }
    if ctx.args:
        steps = {"pytest": ["pytest", *chosen, *ctx.args]}
    failed = [name for name, command in steps.items() if not _step(name, command)]
    for name in failed:
        if name in _MENDS:
            print(f"{name}: to fix what can be fixed automatically: {_MENDS[name]}")
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    if failed:
        raise typer.Exit(1)


def bench(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="By default peers and curves, in their short form.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List all.")] = False,
    full: Annotated[bool, typer.Option("--full", help="All of it: hours.")] = False,
) -> None:
    """Run a benchmark of benchmarks/. Other arguments are passed on to it.

    Without a name the tables of docs/reports are made in short: this project beside loops of one's
    own and other engines, and how the cost of a record grows. Some minutes.
    """
    known = {
        path.stem: path
        for path in sorted((shared.ROOT / "benchmarks").glob("*.py"))
        if not path.name.startswith("_")
    }
    if listed:
        for stem, path in known.items():
            print(f"{stem:<20} {_first_sentence(path)}")
        return
    more = [*(["--full"] if full else []), *ctx.args]
    if name is None:
        codes = [_python([str(known[each]), *more]) for each in _SHOWN]
        raise typer.Exit(max(codes))
    if name not in known:
        raise StormwatchError(f"There is no benchmark {name!r}. Choose one of: {', '.join(known)}.")
    raise typer.Exit(_python([str(known[name]), *more]))


def expect_lightgbm() -> None:
    """Raises StormwatchError where the system lacks what LightGBM's wheel does not bring."""
    try:
        importlib.import_module("lightgbm")
    except OSError as error:
        raise StormwatchError(
            f"LightGBM, which trains the models, cannot be loaded: {error}. Where that names "
            "libgomp: Debian, Ubuntu: `apt-get install libgomp1`; Fedora: `dnf install libgomp`."
        ) from error


def _step(name: str, command: list[str]) -> bool:
    print(f"== {name}", flush=True)
    began = monotonic()
    good = _python(["-m", *command]) == 0
    print(f"== {name}: {'passed' if good else 'FAILED'} in {monotonic() - began:.0f} s", flush=True)
    return good


def _python(arguments: list[str]) -> int:
    path = os.pathsep.join([str(shared.ROOT), str(shared.ROOT / "src")])
    environ = {**os.environ, "PYTHONPATH": path}
    return subprocess.call([sys.executable, *arguments], cwd=shared.ROOT, env=environ)


def _first_sentence(path: Path) -> str:
    import ast

    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.splitlines()[0] if text else ""
