"""`publish`, `ledger`, `config`, `schema`: what goes in, what came of it, and by which settings."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from apps.data.kinds import BY_EVENTS

ENDLESS_RATE = 500.0
"""Records/s of generated events that nobody gave an end, as `run` sends them."""

Json = Annotated[bool, typer.Option("--json", help="For other programs.")]


schema = typer.Typer(
    help="Cassandra's tables.",
    epilog=shared.example("schema status", "schema apply"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example(
            "publish transactions --rate 200 --count 10000",
            "publish readings train_FD001.txt",
        ),
        short_help="Send generated events, or those of files, to Kafka.",
    )(publish)
    app.command(
        epilog=shared.example("ledger", "ledger --topic transactions --json"),
        short_help="Prove that each Kafka offset has exactly one end state.",
    )(ledger)
    app.command(
        epilog=shared.example("config", "config --json"),
        short_help="Show each setting, its value and where it comes from.",
    )(config)


def _known(events: str) -> str:
    if events not in BY_EVENTS:
        raise typer.BadParameter(f"{events!r} is none of {', '.join(BY_EVENTS)}.")
    return events


def publish(
    events: Annotated[str, typer.Argument(callback=_known, help=", ".join(BY_EVENTS))],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", exists=True, dir_okay=False)
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Records/s; 0: as fast as it goes.",
            show_default=f"0, and {ENDLESS_RATE:g} where there is no end",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many records.")] = None,
    customers: Annotated[int, typer.Option(min=1, help="Of generated transactions.")] = 5_000,
    units: Annotated[int, typer.Option(min=1, help="Of generated readings.")] = 50,
    seed: Annotated[int, typer.Option(help="Of generated events.")] = 0,
) -> None:
    """Publish generated events, or those of files, to their Kafka topic.

    Files: JSON (one object a line, or an array), CSV with a header of schema/'s fields, the
    Handbook's card transactions, C-MAPSS text; each also as .gz or through a pipe (/dev/stdin).
    Without --count generated events end with Ctrl-C. They go on in time where the topic ends.
    """
    from apps.local.run import publishing

    if rate is None:
        rate = 0.0 if files or count else ENDLESS_RATE
    asked = publishing.Asked(events, rate, count, seed, customers, units, tuple(files or ()))
    sent, interrupted = publishing.by_hand(shared.answered("kafka"), asked, shared.steps())
    print(f"{sent:,} records published.")
    if interrupted:
        raise typer.Exit(130)


def ledger(
    topic: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Recompute it from the tables.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="With --watch: end after so long.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove from Kafka and Cassandra that each offset has exactly one end state.

    --verify reads every decision and set-aside record and compares them with the ledger. --watch
    looks on; a gap or overlap older than a minute is an alarm. Exit code 1 if an offset is
    unaccounted for, has two end states, or tables and ledger disagree; with --watch if there was
    an alarm.
    """
    from apps.cli.connect import connected
    from apps.data.streams import every
    from apps.operate import ledger as proof
    from apps.operate import ledger_command as more
    from stormwatch.errors import TopicError

    settings = shared.settings()
    with connected(settings) as (admin, store):
        if topic and admin.describe(topic) is None:
            raise TopicError(
                f"There is no topic {topic!r} at {settings.kafka_bootstrap}, so nothing can be "
                f"proven. The topics are {', '.join(s.topic for s in every(settings))}; "
                "`./stormwatch up` creates them."
            )
        names = [topic] if topic else None
        if watch:
            raise typer.Exit(more.watch(settings, admin, store, names, seconds))
        found = proof.topics(settings, admin, store, names)
        verified = more.verify(settings, admin, store, names) if verify else []
    if as_json:
        more.print_json(found, verified)
    else:
        for one in found:
            states = ", ".join(f"{count:,} {state}" for state, count in one.states.items())
            print(f"{one.topic}: {states or 'nothing decided yet'}")
            print(
                f"  unaccounted {one.unaccounted:,}, with two states {one.conflicting:,}, "
                f"in flight {one.in_flight:,}"
            )
        more.tell(verified)
    if not (all(one.sound for one in found) and all(one.sound for one in verified)):
        raise typer.Exit(1)


def config(as_json: Json = False) -> None:
    """Show each setting: its value, where it comes from, and what it is for.

    Set one in stormwatch.toml or by its environment variable (kafka.bootstrap is
    STORMWATCH_KAFKA_BOOTSTRAP). Secrets are masked.
    """
    from stormwatch.settings import explain, variable

    values = explain(root=shared.ROOT)
    if as_json:
        shared.print_json(
            [{**value._asdict(), "variable": variable(value.key)} for value in values]
        )
        return
    width = max(len(value.key) for value in values)
    for value in values:
        print(f"{value.key:<{width}}  {value.value!s:<20} {value.source:<10} {value.help}")


@schema.command("status", epilog=shared.example("schema status"))
def schema_status() -> None:
    """Show which migrations are applied. Exit code 1 if one is missing."""
    from apps.local.run.prepare import SCHEMA
    from stormwatch.adapters.cassandra import migrations

    rows = migrations.status(shared.answered("cassandra"), shared.ROOT / SCHEMA)
    for name, state in rows:
        print(f"{name:<32} {state}")
    if any(state != "applied" for _, state in rows):
        raise typer.Exit(1)


@schema.command("apply", epilog=shared.example("schema apply"))
def schema_apply() -> None:
    """Apply the migrations that are missing. Safe to repeat, and with two at once."""
    from apps.local.run import prepare

    prepare.ensure_tables(shared.answered("cassandra"), shared.ROOT, shared.steps())
    print("The tables are as this version needs them.")
