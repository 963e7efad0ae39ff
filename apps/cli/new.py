"""`new`: a component with its test."""

from enum import StrEnum
from typing import Annotated

import typer

from apps.cli import app as shared


class Kind(StrEnum):
    """What can be made."""

    BOLT = "bolt"
    SPOUT = "spout"
    TOPOLOGY = "topology"
    FEATURE = "feature"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example(
            "new bolt large --topology fraud",
            "new bolt spree --topology fraud --state",
            "new topology orders --yes",
            "new feature my_shops",
        ),
        short_help="Write a bolt, spout, topology or feature with its test.",
    )(new)


def new(
    kind: Annotated[Kind, typer.Argument(help="bolt, spout, topology or feature (of payments)")],
    name: Annotated[str, typer.Argument(help="In lower case, words joined by _.")],
    topology: Annotated[
        str | None, typer.Option(help="Bolts: add it here, after the parser.")
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Bolts: with a state for each key.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Write a component, its test and its page, after showing all changes.

    A name that clashes with another, or would fail on workers, is refused with the reason.
    """
    from apps.build.scaffold import plan

    made = plan(kind.value, name, shared.ROOT, topology, state)
    print(made.diff())
    if not yes:
        typer.confirm(f"Write these {len(made.files)} files?", abort=True)
    made.write()
    print(made.next)
