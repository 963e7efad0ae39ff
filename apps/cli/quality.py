"""`test`, `bench`, `train`: checks, measurements and models."""

import importlib
import importlib.util
import os
import subprocess
import sys
from enum import StrEnum
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
_DEV_TOOLS = ("pytest", "xdist", "ruff", "mypy", "hypothesis")


class Model(StrEnum):
    """Models that can be trained here."""

    FRAUD = "fraud"
    MAINTENANCE = "maintenance"
    MILLING = "milling"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        context_settings=_EXTRA,
        epilog=shared.example("test", "test --all", "test tests/unit -k ledger"),
    )(test)
    app.command(context_settings=_EXTRA, epilog=shared.example("bench", "bench bare_loop --help"))(
        bench
    )
    app.command(
        epilog=shared.example(
            "train fraud",
            "train maintenance --data CMAPSS_FOLDER --seed 7",
            "train fraud --data a.csv --mapping m.toml --labels y --out m",
        ),
        short_help="Train a model.",
    )(train)


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
    name: Annotated[str | None, typer.Argument(help="By default, list all.")] = None,
) -> None:
    """Run a benchmark of benchmarks/, or list them. Other arguments are passed on to it."""
    known = {
        path.stem: path
        for path in sorted((shared.ROOT / "benchmarks").glob("*.py"))
        if not path.name.startswith("_")
    }
    if name is None:
        for stem, path in known.items():
            print(f"{stem:<20} {_first_sentence(path)}")
        return
    if name not in known:
        raise StormwatchError(f"There is no benchmark {name!r}. Choose one of: {', '.join(known)}.")
    raise typer.Exit(_python([str(known[name]), *ctx.args]))


def train(
    model: Annotated[Model, typer.Argument(help="fraud, maintenance (remaining life) or milling")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Public data, or a FILE of yours; else generated."),
    ] = None,
    cmapss: Annotated[
        str,
        typer.Option("--set", help="Of several C-MAPSS sets in --data, such as FD002."),
    ] = "",
    mapping: Annotated[
        str, typer.Option(metavar="FILE", help="fraud: how a FILE of yours becomes payments.")
    ] = "",
    labels: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="fraud: the column that says which are frauds, or a CSV file."
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 7,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="By default the folder that the bolts load.")
    ] = None,
    reviews_a_day: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="fraud: payments that the model alone may send to people a day."
        ),
    ] = None,
    genuine_declined: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="fraud: share of the genuine payments that the model may decline.",
        ),
    ] = None,
) -> None:
    """Train a model and write it with a card: its features, metrics, seed and data."""
    domains = shared.ROOT / "src" / "stormwatch" / "domains"
    shipped = domains / model.value / "model"
    if model is Model.MILLING:
        shipped = domains / "maintenance" / "equipment" / "models" / "milling"
    folder = out or shipped
    is_own = _of_own_file(model, data, mapping, labels, out)
    print(f"training the {model.value} model with seed {seed}", file=sys.stderr)
    expect_lightgbm()
    if model is Model.FRAUD:
        from apps.build.training.fraud import Budget, train_fraud

        budget = Budget(reviews_a_day)
        if genuine_declined is not None:
            budget = budget._replace(genuine_declined=genuine_declined)
        from stormwatch.domains.fraud import own

        mine = own.chosen(shared.settings())
        if mine is not None and out is None:
            raise StormwatchError(
                "The setting fraud.features adds features of your own: name a folder for a model "
                "of them with --out DIR, and set fraud.model to it."
            )
        brought = None
        if is_own and data is not None:
            from apps.build.training.own_data import payments

            brought = payments(data, mapping, labels)
        card = train_fraud(folder, seed, data, budget=budget, own=mine, brought=brought)
        if brought is not None:
            print(f"{folder / 'report.md'} tells what each budget brings, with curves")
    elif reviews_a_day is not None or genuine_declined is not None:
        raise StormwatchError(
            "--reviews-a-day and --genuine-declined are of the fraud model. Leave them out."
        )
    elif model is Model.MILLING:
        from apps.build.training.milling import train_milling

        card = train_milling(folder, seed)
    else:
        from apps.build.training.maintenance import train_maintenance

        card = train_maintenance(folder, seed, data, cmapss)
    print(f"{card.version} is in {folder}")
    for name, value in card.metrics.items():
        print(f"  {name:<24} {value:.4f}")


def _of_own_file(
    model: Model, data: Path | None, mapping: str, labels: str, out: Path | None
) -> bool:
    """Whether --data is a file of somebody's own. Raises StormwatchError for what does not fit."""
    if data is not None and model is Model.MILLING:
        raise StormwatchError(
            "The milling model is trained on generated products: leave out --data."
        )
    if data is not None and not data.exists():
        raise StormwatchError(f"--data {data} is not there.")
    is_own = data is not None and data.is_file()
    if is_own != bool(mapping and labels) or (is_own and model is not Model.FRAUD):
        raise StormwatchError(
            f"--data {data} is {'a file' if is_own else 'no file of yours'}: a file of payments "
            "needs --mapping and --labels (./stormwatch map FILE makes a mapping), and a folder of "
            "public data takes neither. Only the fraud model is trained on a file."
        )
    if is_own and out is None:
        raise StormwatchError(
            "Name a folder for a model of your own data with --out DIR, and set fraud.model to it."
        )
    return is_own


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
