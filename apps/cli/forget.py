"""`forget`: erase all that is stored of a customer or machine."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("forget fraud C0000014"),
        short_help="Erase all that is stored of a customer or machine.",
    )(forget)


def forget(
    domain: Annotated[str, typer.Argument(help="fraud, maintenance, … or all")],
    entity: Annotated[str, typer.Argument(help="The customer or machine.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase states, decisions, alerts and dead letters of one entity, in Cassandra.

    Stop the topology first: what its bolts hold in memory is stored again with the entity's next
    event. What Kafka has stays until its retention. The audit log keeps that it was done.
    """
    import getpass
    import socket

    from apps.cli.connect import stored
    from apps.operate import forget as operate
    from apps.operate.casework import Who
    from stormwatch.adapters.storm.resources import now_ms
    from stormwatch.people import OPERATOR

    if not yes:
        typer.confirm(f"Erase all that is stored of {entity} in {domain}?", abort=True, err=True)
    who = Who(f"{getpass.getuser()}@{socket.gethostname()}", OPERATOR, "command")
    settings = shared.settings()
    with stored(settings) as archive:
        done = operate.forget(settings, archive, domain, entity, who, now_ms())
    print(
        f"Erased: {done.states} states, {done.decisions:,} decisions, {done.set_aside:,} dead "
        f"letters; {done.audit:,} rows of the audit log no longer name it."
    )
    if done.running:
        print("A topology runs: stop it and run this again, or its memory is stored again.")
