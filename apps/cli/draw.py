"""`draw`: a picture of a topology, from its class."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        short_help="Draw a topology as Mermaid, from its class.",
        epilog=shared.example("draw fraud", "draw fraud --out fraud.mmd",
                              "draw --out docs/topologies.md")
    )(draw)  # fmt: skip


def draw(
    topology: Annotated[
        str | None, typer.Argument(help="Else all, as a Markdown page of pictures.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write there; else to the screen.")] = None,
) -> None:
    """Draw a topology from its class as Mermaid, which GitHub and most editors show.

    Components with their tasks, streams with their groupings, topics read, tables written.
    """
    from apps.build.draw import page, picture
    from apps.local.dev.load import names

    text = picture(shared.ROOT, topology) if topology else page(shared.ROOT, names(shared.ROOT))
    if out is None:
        print(text, end="")
        return
    out.write_text(text)
    print(f"{out} is drawn")
