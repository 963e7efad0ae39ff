"""`export`: stored alerts, decisions and dead letters to a file."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example(
            "export alerts fraud > alerts.csv", "export letters fraud --format jsonl",
            "export decisions fraud --entity C0000014 --out c.csv",
        ),
        short_help="Write alerts, decisions or dead letters as CSV, JSON or Parquet.",
    )(export)  # fmt: skip


def export(
    what: Annotated[str, typer.Argument(help="alerts, decisions, decided, fleet or letters")],
    domain: Annotated[str, typer.Argument(help="fraud, maintenance, …")],
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or parquet")] = "csv",
    entity: Annotated[str, typer.Option(help="Whose decisions.")] = "",
    days: Annotated[int, typer.Option(min=1, max=92, help="Of decisions: to look back.")] = 92,
    outcome: Annotated[str, typer.Option(help="Alerts of this outcome alone.")] = "",
    out: Annotated[Path | None, typer.Option(help="A file; else on the screen.")] = None,
) -> None:
    """Write what is stored, as the API does (GET /v1/export): in CSV no cell is a formula."""
    import sys
    from threading import Lock

    import msgspec

    from apps.cli.connect import stored
    from apps.serve.export import Export, exported
    from apps.serve.reader import Reader
    from stormwatch.adapters import connect
    from stormwatch.errors import SettingsError

    settings = shared.settings()
    fields = {"what": what, "domain": domain, "format": form, "entity": entity, "days": days,
              "outcome": outcome}  # fmt: skip
    try:
        asked = msgspec.convert(fields, Export)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{error}. See `./stormwatch export --help`.") from error
    with stored(settings) as archive:
        reader = Reader(archive, settings, lambda topic: connect.source(settings, topic), Lock())
        chunks = exported(reader, asked).chunks
        if out is None:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            return
        with out.open("wb") as file:
            file.writelines(chunks)
    print(f"{out} is written.")
