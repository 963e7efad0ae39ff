"""`draw`: a picture of a topology, from its class."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("draw fraud", "draw fraud --out fraud.mmd",
                              "draw --out docs/topologies.md"),
        short_help="Draw topologies as Mermaid pictures.",
    )(draw)  # fmt: skip


def draw(
    topology: Annotated[
        str | None, typer.Argument(help="By default all, as one Markdown page.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of the screen.")
    ] = None,
) -> None:
    """Draw a topology from its class as Mermaid, which GitHub and most editors show.

    It shows components with their tasks, streams with their groupings, and the topics and tables
    that they read and write.
    """
    from apps.build.draw import page, picture
    from apps.local.dev.load import names

    text = picture(shared.ROOT, topology) if topology else page(shared.ROOT, names(shared.ROOT))
    if out is None:
        print(text, end="")
        return
    out.write_text(text)
    print(f"{out} is written.")
