"""`chaos`: inject faults, and check that nothing was lost."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("chaos --list", "chaos kill-bolt --seed 7", "chaos kill-bolt --live"),
        short_help="Inject faults and check that nothing was lost.",
    )(chaos)


def chaos(
    name: Annotated[str, typer.Argument(help="The campaign.")] = "kill-bolt",
    seed: Annotated[int, typer.Option(help="The same seed gives the same faults.")] = 1,
    records: Annotated[
        int, typer.Option(min=0, help="How many; 0: as many as the campaign needs.")
    ] = 0,
    live: Annotated[
        bool, typer.Option("--live", help="Kill in the topology that already runs here.")
    ] = False,
    known: Annotated[bool, typer.Option("--list", help="List all campaigns.")] = False,
) -> None:
    """Run one fault campaign and compare what is stored with a run without faults.

    It starts its own Kafka, Cassandra and topology on free ports and stops them at the end. With
    --live it kills processes of the topology that already runs here. Exit code 1 if a record is
    missing, duplicated or different, or if the run is INVALID (the fault came too late to matter).
    """
    from apps.local.services.manage import on_cassandra
    from apps.prove.chaos import command
    from apps.prove.chaos.campaigns import CAMPAIGNS, named

    if known:
        for each in CAMPAIGNS:
            rows = f"rows {', '.join(map(str, each.rows))} of" if each.rows else "beyond"
            print(f"{each.name:<20} {each.what} ({rows} docs/faults.md)")
        return
    screen = command.Screen(lambda line: print(line, flush=True))
    settings = shared.settings()
    on_cassandra(settings)
    shared.log_to(settings, "chaos")
    if live:
        shared.answered("kafka", "cassandra")
        print(command.kill_live(name, settings, shared.ROOT, screen))
        return
    print(command.verdict(command.execute(named(name), seed, records, shared.ROOT, screen)))
