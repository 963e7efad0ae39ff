"""`map`: what a mapping makes of a file."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        name="map",
        epilog=shared.example("map mine.toml payments.csv", "map preset:sparkov fraudTrain.csv"),
        short_help="Show what a mapping makes of a file of your own.",
    )(check)


def check(
    mapping: Annotated[str, typer.Argument(help="A TOML file, or preset:NAME.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    events: Annotated[str, typer.Option(help="What the rows are.")] = "transactions",
) -> None:
    """Apply a mapping to the first rows of a file; show the events, and what is refused and why.

    Nothing is sent. docs/your-data.md says how a mapping is written and named in the settings. Exit
    code 1 if a row is refused.
    """
    from apps.data import mappings
    from apps.data.printable import lines_shown

    sample = mappings.look(mapping, file, events)
    for event in sample.events:
        print(lines_shown(str(event)))
    good = sample.rows - sum(sample.refused.values())
    print(f"{good:,} of {sample.rows:,} rows are {events}.")
    for code, count in sample.refused.items():
        print(
            f"{count:,} refused as {code}, for example: {lines_shown(sample.examples[code].reason)}"
        )
    if sample.refused:
        raise typer.Exit(1)
