"""`cluster`: a real Nimbus, ZooKeeper and supervisor on this machine."""

from typing import Annotated

import typer

from apps.cli import app as shared

app = typer.Typer(
    help="A Storm cluster on this machine, for `sparse submit`.",
    epilog=shared.example("cluster up", "cluster status", "cluster down"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    epilog=shared.example("cluster up"), short_help="Start ZooKeeper, Nimbus and a supervisor."
)
def up() -> None:
    """Start ZooKeeper, Nimbus and a supervisor (and Kafka and Cassandra, if they are not up)."""
    from apps.local import services
    from apps.local.run import prepare
    from apps.local.services import cluster

    steps = shared.steps()
    found = services.up(shared.settings(), shared.ROOT, steps)
    prepare.topics_and_tables(found, shared.ROOT, steps)
    cluster.up(found, shared.ROOT, steps)
    print("Next: .venv/bin/sparse submit -n fraud")


@app.command(epilog=shared.example("cluster down"))
def down() -> None:
    """Stop the cluster; Kafka and Cassandra stay. Kill topologies first: `sparse kill -n NAME`."""
    from apps.local.services import cluster

    stopped = cluster.down(shared.ROOT, shared.steps())
    print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


@app.command(epilog=shared.example("cluster status"))
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the cluster and its topologies."""
    from apps.local.services import cluster

    if as_json:
        return shared.print_json(
            [dict(zip(("what", "state"), line.split(": ", 1), strict=False))
             for line in cluster.status(shared.ROOT)]
        )  # fmt: skip
    for line in cluster.status(shared.ROOT):
        print(line)
