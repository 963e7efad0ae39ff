"""`report`: a day of a domain, as one file that can be mailed."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("report fraud", "report maintenance --day 2026-11-30 --out r.html"),
        short_help="Write a day of a domain as one HTML file.",
    )(report)


def report(
    domain: Annotated[str, typer.Argument(help="fraud, maintenance …")],
    day: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="UTC; today by default.")] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="By default report-DOMAIN-DAY.html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Write one self-contained HTML file: figures, charts, worst alerts, data quality, the proof.

    A day is Kafka's time of the records, UTC. The table of decisions is read once, whole.
    """
    import time
    from datetime import UTC, date, datetime

    from apps.cli.connect import connected
    from apps.data.in_words import in_words
    from apps.data.streams import streams
    from apps.operate.report import report as figures
    from apps.operate.report_page import page
    from stormwatch.errors import SettingsError

    settings = shared.settings()
    (stream,) = streams(settings, domain)
    try:
        asked = date.fromisoformat(day) if day else datetime.now(UTC).date()
    except ValueError as error:
        raise SettingsError(
            f"--day {day}: no day. Write it as 2026-11-30 (year, month, day; UTC)."
        ) from error
    number = (asked - date(1970, 1, 1)).days
    with connected(settings) as (admin, archive):
        made = figures(settings, admin, archive, domain, number, list(stream.topics))
    if as_json:
        rows = [
            {"entity": row.entity, "id": row.id, "outcome": row.outcome, "score": row.score,
             "timestamp": row.timestamp, "why": in_words(row)}
            for row in made.worst
        ]  # fmt: skip
        shared.print_json(made._replace(worst=[])._asdict() | {"worst": rows})
        return
    now = time.time_ns() // 1_000_000
    file = out or Path(f"report-{domain}-{asked.isoformat()}.html")
    try:
        file.write_text(page(made, now), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--out {file} cannot be written: {error.strerror}.") from error
    print(f"{file}: {made.decided:,} decided, {sum(n for _, n in made.by_hour):,} alerts.")
    if not made.decided:
        print("Nothing was decided on that day: another one? (--day; by Kafka's time, UTC)")
