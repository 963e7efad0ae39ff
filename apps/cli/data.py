"""`publish`, `ledger`, `config`, `schema`."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from apps.data.kinds import BY_EVENTS

LEARNABLE = ("transactions", "readings")
ENDLESS_RATE = 500.0
"""Records/s of generated events without an end, as in `run`."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


schema = typer.Typer(
    help="Cassandra's tables, and JSON Schemas of TOML files.",
    epilog=shared.example("schema status", "schema apply", "schema json", "schema features"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example(
            "publish transactions --rate 200 --count 10000",
            "publish readings train_FD001.txt",
            "publish transactions --learn-only last_month.csv",
        ),
        short_help="Send generated events, or events from files, to Kafka.",
    )(publish)
    app.command(
        epilog=shared.example("ledger", "ledger --topic transactions --json"),
        short_help="Check that each Kafka offset has exactly one end state.",
    )(ledger)
    app.command(
        epilog=shared.example("redecide transactions", "redecide transactions --dry-run"),
        short_help="Have acknowledged records decided again that the store has lost.",
    )(redecide)
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
            help="Records/s; 0: as fast as possible.",
            show_default=f"0; without --count or files {ENDLESS_RATE:g}",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many records.")] = None,
    customers: Annotated[
        int, typer.Option(min=1, help="Customers in generated transactions.")
    ] = 5_000,
    units: Annotated[int, typer.Option(min=1, help="Units in generated readings.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of generated events.")] = 0,
    learn_only: Annotated[
        bool, typer.Option("--learn-only", help="FILE is history: learned, and not judged.")
    ] = False,
    topic: Annotated[str, typer.Option(help="Another topic, which a mapping names.")] = "",
    labels: Annotated[
        bool,
        typer.Option(
            "--labels/--no-labels", help="Labels of generated payments, seven days late, too."
        ),
    ] = True,
) -> None:
    """Publish generated events, or events from files, to their Kafka topic.

    Files: JSON (one object per line, or an array), CSV whose header has the field names of
    schema/, the card transactions of the Fraud Detection Handbook, C-MAPSS text; also as .gz or
    through a pipe (/dev/stdin). Without --count, generated events go on until Ctrl-C. Their times
    continue after the topic's last event. Generated payments have labels, seven days late in event
    time, that go to the topic of labels on top of --count; --no-labels leaves them out.

    --learn-only, of transactions and readings, marks each record of a FILE as history: states learn
    it, it is decided as `learned`, and no alert comes of it. Publish it before what is live.
    """
    from apps.local.run import publishing

    if learn_only and (not files or events not in LEARNABLE):
        raise typer.BadParameter(
            f"--learn-only goes with a FILE of {' or '.join(LEARNABLE)}.", param_hint="--learn-only"
        )

    if rate is None:
        rate = 0.0 if files or count else ENDLESS_RATE
    asked = publishing.Asked(
        events,
        rate,
        count,
        seed,
        customers,
        units,
        tuple(files or ()),
        learn_only,
        topic,
        labels,
    )
    sent, interrupted = publishing.by_hand(shared.answered("kafka"), asked, shared.steps())
    print(f"{sent:,} records published.")
    if interrupted:
        raise typer.Exit(130)


def redecide(
    topic: Annotated[str, typer.Argument(help="Its records are decided again.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
) -> None:
    """Have records decided again that were acknowledged but have no end state in the store.

    That is the case after Cassandra was restored from a backup. Stop the topology first: while it
    runs this command refuses. It sets the consumer group back, and the next start of the topology
    decides what is missing; what has an end state is passed over.
    """
    from contextlib import closing

    from apps.cli.connect import connected
    from apps.operate import redecide as again
    from apps.operate.domains import of_topic
    from stormwatch.adapters import connect

    settings = shared.settings()
    with connected(settings) as (admin, store):
        some = again.lost(settings, admin, store, topic)
        if not some:
            print(f"{topic}: every acknowledged offset has an end state; there is nothing to do.")
            return
        if not dry_run:
            again.check_stopped(store, of_topic(settings, topic).topology)
            with closing(connect.source(settings, topic)) as source:
                again.redecide(settings, admin, source, store, topic, some)
    for each in some:
        print(
            f"{topic}[{each.partition}]: {each.offsets:,} offsets from {each.first:,} on have no "
            f"end state; the group is at {each.committed:,}"
        )
    print("Nothing was changed." if dry_run else "Start the topology: it decides them.")


def ledger(
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also compare it with every stored row.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl-C.")] = False,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="With --watch: stop after this time.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check, from Kafka and Cassandra, that each offset has exactly one end state.

    --verify reads every decision and dead letter and compares them with the ledger. --watch
    repeats the check; a gap or overlap that lasts a minute is an alarm. Exit code 1 if an offset
    is unaccounted for or has two end states, if tables and ledger disagree, or, with --watch, if
    there was an alarm.
    """
    from apps.cli.connect import connected
    from apps.data.streams import all_topics
    from apps.operate import ledger as proof
    from apps.operate import ledger_command as more
    from stormwatch.errors import TopicError

    settings = shared.settings()
    with connected(settings) as (admin, store):
        if topic and admin.describe(topic) is None:
            raise TopicError(
                f"There is no topic {topic!r} at {settings.kafka_bootstrap}, so nothing can be "
                f"proven. The topics are {', '.join(all_topics(settings))}; `./stormwatch up` "
                "creates those of Kafka."
            )
        names = [topic] if topic else None
        if watch:
            raise typer.Exit(more.watch(settings, admin, store, names, seconds))
        found = proof.topics(settings, admin, store, names)
        if not found:
            raise TopicError(
                f"None of {', '.join(all_topics(settings))} is there, so there is nothing to "
                "prove. `./stormwatch up` creates topics of Kafka, AWS's tools a Kinesis stream."
            )
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
            for line in more.remarks(one):
                print(f"  {line}")
        more.tell(verified)
    if not (all(one.sound for one in found) and all(one.sound for one in verified)):
        raise typer.Exit(1)


def config(as_json: Json = False) -> None:
    """Show each setting: its value, where it comes from, and what it means.

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
def schema_status(as_json: Json = False) -> None:
    """Show which migrations are applied. Exit code 1 if one is missing."""
    from stormwatch.adapters import connect

    settings = shared.answered("store")
    tables = connect.tables(settings)
    rows = tables.status(settings, shared.ROOT / tables.files)
    if as_json:
        shared.print_json([{"migration": name, "state": state} for name, state in rows])
    for name, state in () if as_json else rows:
        print(f"{name:<32} {state}")
    if any(state != "applied" for _, state in rows):
        raise typer.Exit(1)


@schema.command("apply", epilog=shared.example("schema apply"))
def schema_apply() -> None:
    """Apply missing migrations. Safe to repeat, and safe if two run at once."""
    from apps.local.run import prepare

    prepare.ensure_tables(shared.answered("store"), shared.ROOT, shared.steps())
    print("The tables are up to date.")


@schema.command("features", epilog=shared.example("schema features"))
def schema_features() -> None:
    """Write docs/features.md: what each feature means, from the code that computes them."""
    from apps.build.feature_page import page

    (shared.ROOT / "docs" / "features.md").write_text(page())
    print("docs/features.md is written.")


@schema.command("json", epilog=shared.example("schema json"))
def schema_json() -> None:
    """Write the JSON Schemas of TOML files, and schema/openapi.json, from the code behind them.

    Editors complete and check mappings, equipment types and stormwatch.toml by them: name one in
    the file's first line, such as `#:schema schema/mapping.schema.json`.
    """
    from apps.build.toml_schemas import schemas
    from apps.serve import document

    for name, text in {**schemas(), "openapi.json": document.text()}.items():
        (shared.ROOT / "schema" / name).write_text(text)
        print(f"schema/{name} is written.")
