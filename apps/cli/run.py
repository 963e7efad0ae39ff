"""`run`: everything with one command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from apps.data.kinds import TOPOLOGIES


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("run", "run --seconds 90 --report r.json", "run --rate 0"),
        short_help="Start everything, publish generated events, show the alerts.",
    )(run)


def run(
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="Stop this long after the first decision."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="Records/s per topic; 0: as fast as possible.")
    ] = 500.0,
    topology: Annotated[
        str, typer.Option(help=f"{TOPOLOGIES}; all: fraud and maintenance.")
    ] = "all",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated events.")] = 0,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels/--no-labels", help="Labels of generated payments, seven days late, too."
        ),
    ] = True,
) -> None:
    """Start Kafka, Cassandra and the topologies, publish generated events and show the decisions.

    At Ctrl-C, or after --seconds, it waits until all published records are decided and stops what
    it started. Exit code: 0, or 130 after Ctrl-C; 1 if a topology gave up or a record stayed
    undecided.
    """
    from rich.console import Console

    from apps.data.streams import streams
    from apps.local.run.engine import Options, execute
    from apps.local.run.present import Presenter
    from stormwatch.errors import SettingsError

    if report is not None and not report.resolve().parent.is_dir():
        raise SettingsError(f"--report {report}: there is no folder {report.resolve().parent}.")
    plain = not shared.colours(sys.stdout)
    console = Console(no_color=plain, force_terminal=None, highlight=False)
    settings = shared.settings()
    shared.log_to(settings, "run")
    names = [stream.topology for stream in streams(settings, topology)]
    options = Options(seconds, rate, topology, report and report.resolve(), seed, labels)

    def lint() -> None:  # takes as long as a JVM needs to start
        from apps.build.lint import check

        check(shared.ROOT, names, lambda finding: print(finding, file=sys.stderr))

    raise typer.Exit(execute(options, settings, shared.ROOT, Presenter(console), lint))
