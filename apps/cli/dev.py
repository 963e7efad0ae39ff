"""`demo` and `dev`: topologies in this process, without Java."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example("demo", "demo --seconds 20 --seed 3"),
        short_help="See it work in a minute, without Java.",
    )(demo)
    app.command(
        epilog=shared.example("dev fraud", "dev fraud payments.csv", "dev fraud --processes"),
        short_help="Run one topology without Java, with hot reload.",
    )(dev)


def demo(
    seconds: Annotated[float, typer.Option(min=1, help="End after so long.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Seed of the events and of all chance.")] = 7,
) -> None:
    """Run all topologies on generated events in this process, and show their alerts.

    The generators plant frauds, failing machines and brands that everybody speaks of, so each alert
    is shown beside the truth. At the end the ledger shows that every record was decided once.
    Nothing is stored.
    Exit code: 0, 130 after Ctrl-C, 1 if a record stayed undecided.
    """
    from apps.local.dev.colours import wrapped
    from apps.local.dev.demo import Options
    from apps.local.dev.demo import demo as run

    shared.log_to(shared.settings(), "demo")
    say = wrapped(shared.colours(sys.stdout)) if sys.stdout.isatty() else _line
    raise typer.Exit(run(Options(seconds, seed), shared.ROOT, say))


def _line(text: str) -> None:
    print(text, flush=True)


def dev(
    topology: Annotated[str, typer.Argument(help="A file in topologies/, without .py.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            exists=True,
            dir_okay=False,
            help="Events, as for publish; by default generated.",
        ),
    ] = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="A process for each task, as in Storm.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0, help="Stop after this time; 0: never.")] = 0.0,
) -> None:
    """Run one topology without Java; reload when a file in src/ or topologies/ changes.

    Each start is linted first. After an error it waits for the next change or, with --seconds,
    ends with exit code 1. It uses the Kafka and Cassandra of the settings if they answer (see
    `./stormwatch up`); otherwise, and always with a FILE, both are in memory. Without a FILE,
    events are generated; those of a FILE are read from its beginning at each start. Exit code: 0,
    or 130 after Ctrl-C.
    """
    from apps.local.dev import load
    from apps.local.dev.reload import keep_running

    if topology not in load.names(shared.ROOT):
        raise load.unknown(shared.ROOT, topology)
    if file and not file.is_file():
        raise typer.BadParameter(f"{file} is a pipe, and a file is read again at each start.")
    how = "processes" if processes else "threads"
    command = [sys.executable, "-m", "apps.local.dev.once", topology, str(seconds), how]
    command += [str(file.absolute())] if file else []
    raise typer.Exit(
        keep_running(command, shared.ROOT, lambda line: print(line, flush=True), wait=not seconds)
    )
