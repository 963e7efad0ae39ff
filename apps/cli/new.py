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


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        short_help="Write a component, its test and its page.",
        epilog=shared.example(
            "new bolt large --topology fraud",
            "new bolt spree --topology fraud --state",
            "new topology orders --yes",
        ),
    )(new)


def new(
    kind: Annotated[Kind, typer.Argument(help="bolt, spout or topology")],
    name: Annotated[str, typer.Argument(help="Lower-case words joined by _.")],
    topology: Annotated[
        str | None, typer.Option(help="Of a bolt: wire it in there, behind the parsed events.")
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Of a bolt: it remembers something of each key.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Write a component, its test and its page; show everything before it is written.

    A name that would clash, or break on the workers, is refused with the reason.
    """
    from apps.build.scaffold import plan

    made = plan(kind.value, name, shared.ROOT, topology, state)
    print(made.diff())
    if not yes:
        typer.confirm(f"Write these {len(made.files)} files?", abort=True)
    made.write()
    print(made.next)
