"""`soak`: hours of steady load with kills in between."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from stormwatch.errors import SettingsError


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("soak --hours 2 --out docs/reports/soak", "soak --minutes 5"),
        short_help="Run steady load with kills, and report what grows.",
    )(soak)


def soak(
    hours: Annotated[float, typer.Option(min=0, help="Length, added to --minutes.")] = 0.0,
    minutes: Annotated[float, typer.Option(min=0, help="Length, added to --hours.")] = 0.0,
    rate: Annotated[float, typer.Option(min=1, help="Records/s.")] = 200.0,
    every: Annotated[
        float, typer.Option(min=10, help="Seconds between kills, on average.")
    ] = 240.0,
    seed: Annotated[int, typer.Option(help="Seed of the load and the kills.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the report; an interrupted soak continues there."
        ),
    ] = None,
) -> None:
    """Publish steadily, kill processes now and then, sample memory, handles and latency.

    It starts its own Kafka, Cassandra and topology and stops them at the end. It begins with a
    flood. Thirty kills come close together, then none for a while; growth is measured in these calm
    periods, without the first quarter of the soak. The JVMs get their whole heap at the start and
    compile early, so that neither looks like growth. The live objects of a heap are measured every
    ten minutes. DIR gets samples.jsonl, soak.json (slopes with 95 % intervals) and soak.svg. If
    interrupted, start it again with the same DIR to continue. Exit code 1 if a record is missing,
    duplicated or different, or if something grows.
    """
    from apps.local.services.manage import on_cassandra
    from apps.prove.soak.course import Options, Soak
    from apps.prove.soak.report import JUDGED_S

    seconds = hours * 3600 + minutes * 60
    if not seconds:
        raise SettingsError("A soak needs a length: --hours 2, or --minutes 5 to try it.")
    settings = shared.settings()
    on_cassandra(settings)
    shared.log_to(settings, "soak")
    folder = out or shared.ROOT / settings.run_dir / "soak" / f"seed-{seed}"
    options = Options(seconds, rate, seed, every, folder, shared.ROOT)
    made = Soak(options, lambda words: print(words, flush=True)).run()
    for name, live in made.heaps.items():
        print(f"heap: {name}, MB of live objects: {', '.join(f'{each:g}' for each in live)}")
    for each in made.slopes:
        word = "holds" if each.holds else "GROWS"
        print(
            f"{word}: {each.component} {each.figure} {each.slope.per_hour:+.2f}/h "
            f"[{each.slope.low:+.2f}, {each.slope.high:+.2f}], {each.slope.points} points"
        )
    if made.seconds < JUDGED_S:
        print(f"shorter than {JUDGED_S / 60:g} minutes: slopes are shown, but not judged")
    print(f"report: {folder}/soak.json, {folder}/soak.svg")
    if not made.holds:
        raise typer.Exit(1)
