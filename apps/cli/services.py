"""`up`, `down`, `status`, `doctor`: the services alone."""

from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared

if TYPE_CHECKING:
    from apps.operate.health import Health

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog=shared.example("up"))(up)
    app.command(epilog=shared.example("down"), short_help="Stop Kafka, Cassandra and the cluster.")(
        down
    )
    app.command(epilog=shared.example("status", "status --json"))(status)
    app.command(
        epilog=shared.example("doctor"),
        short_help="Check whether this machine is ready, and what to do if not.",
    )(doctor)


def up() -> None:
    """Start Kafka and Cassandra, and create topics and tables.

    Services that the settings name are used instead; with store = "spanner" no Cassandra is
    started. Services that run already are left alone.
    """
    from apps.local import services
    from apps.local.run import prepare
    from stormwatch.settings import SPANNER

    steps = shared.steps()
    found = services.up(shared.settings(), shared.ROOT, steps)
    prepare.topics_and_tables(found, shared.ROOT, steps)
    print(f"Kafka is at {found.kafka_bootstrap}.")
    if found.store == SPANNER:
        where = f"{found.spanner_instance}/{found.spanner_database}"
        print(f"Spanner's database is {where} of project {found.spanner_project}.")
    else:
        print(f"Cassandra is at {found.cassandra_contact_points}:{found.cassandra_port}.")


def down() -> None:
    """Stop everything that ./stormwatch started: Kafka, Cassandra and the cluster."""
    from apps.local import services

    stopped = services.down(shared.ROOT, shared.steps())
    print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def status(as_json: Json = False) -> None:
    """Show the services, and whether each topology is well; exit code 1 where something is not.

    A topology runs, is idle (not started, and nothing waits), behind (10,000 records wait), stands
    (nothing runs, and records wait) or is unsound: see `./stormwatch ledger`.
    """
    from dataclasses import asdict

    from apps.local import services

    found = services.status(shared.ROOT)
    health = _health()
    well = all(each.well for each in health) and all(each.state != "stale" for each in found)
    if as_json:
        topologies = [{**each._asdict(), "well": each.well} for each in health]
        shared.print_json([*(asdict(service) for service in found), *topologies])
        raise typer.Exit(0 if well else 1)
    for service in found:
        line = f"{service.name:<12} {service.state:<9}"
        if service.ports:
            line += " " + ", ".join(f"{name} {port}" for name, port in service.ports.items())
        if service.memory_mb is not None:
            line += f", {service.memory_mb:,.0f} MB"
        if service.uptime_s is not None:
            line += f", up {service.uptime_s / 60:,.0f} min"
        print(f"{line} {service.detail}".rstrip())
        if service.log:
            print(f"{'':<12} log: {service.log}")
    for each in health:
        print(f"{each.name:<12} {each.state:<9} {each.waiting:,} records wait, {each.tasks} tasks")
    raise typer.Exit(0 if well else 1)


def _health() -> "list[Health]":
    """Of the topologies; none where Kafka or Cassandra does not answer."""
    from apps.cli.connect import connected
    from apps.operate.health import topologies
    from apps.serve.server import Outside
    from stormwatch.adapters.storm.resources import now_ms
    from stormwatch.errors import StormwatchError

    settings = shared.settings()
    try:
        with connected(settings) as (admin, archive):
            return topologies(Outside(settings, admin, archive), now_ms())
    except StormwatchError:  # the list of services says that they are away
        return []


def doctor(as_json: Json = False) -> None:
    """Check Java, jars, Python, disk, ports, versions, Kafka, Cassandra and mappings.

    Each finding says what, why and the next command. Exit code 1 if something has to be fixed.
    """
    from dataclasses import asdict

    from apps.local.doctor import examine

    findings = examine(shared.settings(), shared.ROOT)
    if as_json:
        shared.print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{finding.level:<4} {finding.check}: {finding.what}")
            for more in filter(None, (finding.why, finding.next)):
                print(f"     {more}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
