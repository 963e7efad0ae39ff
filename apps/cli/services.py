"""`up`, `down`, `status`, `doctor`: the services alone."""

from typing import Annotated

import typer

from apps.cli import app as shared

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

    Services that the settings name are used instead. Services that run already are left alone.
    """
    from apps.local import services
    from apps.local.run import prepare

    steps = shared.steps()
    found = services.up(shared.settings(), shared.ROOT, steps)
    prepare.topics_and_tables(found, shared.ROOT, steps)
    print(f"Kafka is at {found.kafka_bootstrap}.")
    print(f"Cassandra is at {found.cassandra_contact_points}:{found.cassandra_port}.")


def down() -> None:
    """Stop everything that ./stormwatch started: Kafka, Cassandra and the cluster."""
    from apps.local import services

    stopped = services.down(shared.ROOT, shared.steps())
    print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def status(as_json: Json = False) -> None:
    """Show the services: state, ports, memory and logs."""
    from dataclasses import asdict

    from apps.local import services

    found = services.status(shared.ROOT)
    if as_json:
        shared.print_json([asdict(service) for service in found])
        return
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
