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
    RULE = "rule"
    MAPPING = "mapping"
    TYPE = "type"
    MODEL = "model"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example(
            "new bolt large --topology fraud",
            "new bolt spree --topology fraud --state",
            "new topology orders --yes",
            "new feature my_shops",
            "new rule large_abroad",
            "new mapping shop_payments",
            "new type pump",
            "new model my_forest",
        ),
        short_help="Write a bolt, topology, feature, rule, mapping, … with its test.",
    )(new)


def new(
    kind: Annotated[Kind, typer.Argument(help="What is to be made; type: of equipment.")],
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
