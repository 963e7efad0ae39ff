"""`dlq`: the dead-letter queue."""

from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared
from apps.data.printable import lines_shown, shown

if TYPE_CHECKING:
    from apps.operate.dlq.letters import Letter
    from apps.operate.dlq.redrive import Result, Who
    from stormwatch.archive import Archive
    from stormwatch.settings import Settings

app = typer.Typer(
    help="The dead-letter queue: rejected, dead-lettered, late, conflict.",
    epilog=shared.example("dlq list", "dlq list --reason not_json", "dlq show RECORD"),
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Code = Annotated[str | None, typer.Option("--reason", metavar="CODE", help="e.g. not_json")]
State = Annotated[str | None, typer.Option(help="rejected, dead_lettered, late, conflict")]
Component = Annotated[str | None, typer.Option(help="The component that set it aside.")]
Topology = Annotated[str, typer.Option(help="fraud, maintenance, …, or all.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[RECORD]...")]
Note = Annotated[str, typer.Option(help="Your reason, stored with the record.")]
Limit = Annotated[int, typer.Option(min=1, help="How many, newest first.")]


@app.command("list", epilog=shared.example("dlq list", "dlq list --reason not_json --limit 5"))
def list_(
    reason: Code = None,
    state: State = None,
    component: Component = None,
    topology: Topology = "all",
    limit: Limit = 20,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those re-driven or discarded.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first. RECORD is topic/partition/epoch/offset."""
    from apps.cli.connect import stored
    from apps.operate.dlq.letters import Wanted, find
    from apps.operate.domains import chosen
    from stormwatch.dead_letters import redaction

    settings = shared.settings()
    streams = chosen(settings, topology)
    with stored(settings) as archive:
        found = find(archive, streams, Wanted(reason, component, state, everything), limit)
    masked = redaction.names(settings.mask_fields)
    if as_json:
        shared.print_json([letter.shown(masked) for letter in found])
        return
    for letter in found:
        row = letter.shown(masked)
        last = str(row["reason"]).strip().split("\n")[-1]
        what = f"{row['state']}/{row['code']}"
        print(shown(f"{letter.name:<28} {letter.status:<10} {what}"))
        print(shown(f"  {last[:160]}"))
    if not found:
        print("There are no dead letters." if everything else "No dead letter is open.")


@app.command(epilog=shared.example("dlq show transactions/0/0/4711"))
def show(record: Annotated[str, typer.Argument()], as_json: Json = False) -> None:
    """Show one dead letter in full, with what was done about it."""
    from apps.cli.connect import stored
    from apps.operate.dlq.letters import by_name
    from stormwatch.dead_letters import redaction

    settings = shared.settings()
    with stored(settings) as archive:
        found = by_name(archive, settings, record).shown(redaction.names(settings.mask_fields))
    if as_json:
        shared.print_json(found)
        return
    for name, value in found.items():
        print(lines_shown(f"{name + ':':<11} {value}"))


@app.command(epilog=shared.example("dlq redrive RECORD", "dlq redrive --reason raised --dry-run"))
def redrive(
    records: Names = None,
    reason: Code = None,
    state: State = None,
    component: Component = None,
    topology: Topology = "all",
    limit: Limit = 100,
    note: Note = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send dead letters to their topic again, each once however often this is run.

    A record that would be rejected again is not sent. Name records or give a filter. Exit code 1
    if one was not sent.
    """
    from apps.cli.connect import stored
    from apps.operate.dlq.session import redrive_all

    settings = shared.answered("kafka", "store")
    with stored(settings) as archive:
        filters = (reason, component, state)
        letters = _chosen(settings, archive, records, filters, topology, limit)
        results = redrive_all(settings, archive, letters, _who(note), dry=dry_run)
    _tell(results, as_json)


@app.command(epilog=shared.example("dlq discard RECORD --note 'a test'"))
def discard(
    records: Names = None,
    reason: Code = None,
    state: State = None,
    component: Component = None,
    topology: Topology = "all",
    limit: Limit = 100,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Mark dead letters as done. They stay stored until their TTL."""
    from apps.cli.connect import stored
    from apps.operate.dlq import redrive as acts

    settings = shared.settings()
    with stored(settings) as archive:
        filters = (reason, component, state)
        letters = _chosen(settings, archive, records, filters, topology, limit)
        results = acts.discard(archive, letters, _who(note))
    _tell(results, as_json)


def _chosen(
    settings: "Settings", archive: "Archive", names: list[str] | None,
    filters: tuple[str | None, str | None, str | None], topology: str, limit: int,
) -> "list[Letter]":  # fmt: skip
    from apps.operate.dlq.letters import Wanted, by_name, find
    from apps.operate.domains import chosen
    from stormwatch.errors import SettingsError

    if names:
        return [by_name(archive, settings, name) for name in dict.fromkeys(names)]
    if not any(filters) and topology == "all":
        raise SettingsError(
            "Which records? Name them, or give --reason, --state, --component or --topology. "
            "`./stormwatch dlq list` shows what there is."
        )
    return find(archive, chosen(settings, topology), Wanted(*filters), limit)


def _who(note: str) -> "Who":
    import getpass
    import socket

    from apps.operate.dlq.redrive import Who
    from stormwatch.adapters.storm.resources import now_ms

    name = f"{getpass.getuser()}@{socket.gethostname()}"
    return Who(name, note, now_ms)


def _tell(results: "list[Result]", as_json: bool) -> None:
    if as_json:
        shared.print_json(
            [{"record": r.letter.name, "done": r.done, "told": r.told} for r in results]
        )
    else:
        for result in results:
            print(shown(f"{result.letter.name:<28} {result.done:<10} {result.told}"))
        done = sum(result.done != "left" for result in results)
        print(f"{done} done, {len(results) - done} left unchanged.")
    if any(result.done == "left" for result in results):
        raise typer.Exit(1)
