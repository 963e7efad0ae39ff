"""`flink`: the same decisions on Apache Flink."""

from typing import Annotated

import typer

from apps.cli import app as shared

app = typer.Typer(
    help="Decide on Apache Flink what a topology decides on Storm.",
    epilog=shared.example("flink run fraud", "flink run maintenance --once"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """So that `run` stays a command of its own."""


@app.command(
    epilog=shared.example(
        "flink run fraud", "flink run fraud --once", "flink run maintenance --parallelism 2"
    )
)
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="fraud or maintenance.")],
    once: Annotated[
        bool, typer.Option("--once", help="End when what is in the topic now is decided.")
    ] = False,
    parallelism: Annotated[
        int, typer.Option(min=1, max=128, help="Tasks; more than partitions are of no use.")
    ] = 1,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between checkpoints.")] = 10.0,
    recorded: Annotated[
        str,
        typer.Option(
            metavar="KEYSPACE",
            help="Tell payments of their terminals what the decisions of this keyspace recorded.",
        ),
    ] = "",
    jobmanager: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Submit to the Flink cluster whose JobManager's REST is there.",
        ),
    ] = "",
    heap: Annotated[int, typer.Option(min=256, help="Heap of Flink's JVM, MB.")] = 1_024,
) -> None:
    """Decide a topic in Flink's keyed state (docs/on-flink.md). Ends at Ctrl-C.

    The first call makes a virtualenv with apache-flink under the run directory (900 MB). A job goes
    on from its last checkpoint; without one it begins with the topic's oldest record.
    """
    from apps.local.flink import Options
    from apps.local.flink import run as decide
    from apps.local.run.signals import Signals

    settings = shared.answered("kafka", "cassandra")
    shared.log_to(settings, "flink")
    options = Options(name, once, parallelism, interval, heap, recorded, jobmanager)

    def running(begin: str) -> None:
        print(f"Flink decides {name} from {begin}.", flush=True)
        print("See ./stormwatch alerts and ./stormwatch ledger. Ends at Ctrl-C.", flush=True)

    with Signals() as signals:
        signals.only_ask()
        decide(settings, shared.ROOT, options, shared.steps(), running, signals.pause)
