"""`demo` and `dev`: topologies in this process, without Java."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example("demo", "demo --seconds 20 --seed 7"),
        short_help="See it work in a minute: no Java, no Kafka, no Cassandra.",
    )(demo)


def demo(
    seconds: Annotated[float, typer.Option(min=1, help="End after so long.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of the generated events and of chance.")] = 1,
) -> None:
    """Run both topologies on generated events in this process, and show what is caught.

    Frauds and failing machines are planted, so that each alert is shown with the truth beside it.
    At the end the ledger proves that every record was decided once. Nothing is kept.
    Exit code: 0, 130 after Ctrl-C, 1 if a record stayed undecided.
    """
    from apps.dev.demo import Options
    from apps.dev.demo import demo as run

    shared.log_to(shared.settings(), "demo")
    raise typer.Exit(run(Options(seconds, seed), shared.ROOT, lambda line: print(line, flush=True)))
