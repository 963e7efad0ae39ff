"""`chaos`: do harm, and see that nothing was lost."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("chaos --list", "chaos kill-bolt --seed 7", "chaos kill-bolt --live"),
        short_help="Do harm to a topology, and prove that nothing was lost.",
    )(chaos)


def chaos(
    name: Annotated[str, typer.Argument(help="Which; kill-bolt by default.")] = "kill-bolt",
    seed: Annotated[int, typer.Option(help="The same seed does the same harm.")] = 1,
    records: Annotated[int, typer.Option(min=0, help="How many; 0: as it is made for.")] = 0,
    live: Annotated[bool, typer.Option("--live", help="In the system that runs here.")] = False,
    known: Annotated[bool, typer.Option("--list", help="Show all campaigns.")] = False,
) -> None:
    """Run one fault campaign and compare what is stored with an oracle run of the pure core.

    It starts its own Kafka, Cassandra and topology on free ports and ends them; `--live` kills in
    the topology that runs here instead. Exit code 1 when a law is broken or the run is INVALID.
    """
    from apps.prove.chaos import command
    from apps.prove.chaos.campaigns import CAMPAIGNS, named

    if known:
        for each in CAMPAIGNS:
            rows = f"rows {', '.join(map(str, each.rows))} of" if each.rows else "beyond"
            print(f"{each.name:<20} {each.what} ({rows} docs/faults.md)")
        return
    screen = command.Screen(lambda line: print(line, flush=True))
    settings = shared.settings()
    shared.log_to(settings, "chaos")
    if live:
        shared.answered("kafka", "cassandra")
        print(command.kill_live(name, settings, shared.ROOT, screen))
        return
    print(command.verdict(command.execute(named(name), seed, records, shared.ROOT, screen)))
