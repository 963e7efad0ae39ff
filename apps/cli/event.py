"""`event`: tell what happened to a unit."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example(
            "event pump-7 overhaul --equipment any",
            "event pump-7 window --until 2026-11-21T12:00:00Z",
            "event pump-7 sensor_replaced --sensor vibration",
        ),
        short_help="Tell what happened to a unit: overhaul, window, failure, …",
    )(event)


def event(
    unit: Annotated[str, typer.Argument(help="The machine, as its readings name it.")],
    kind: Annotated[
        str,
        typer.Argument(help="maintenance, overhaul, sensor_replaced, failure, window or check."),
    ],
    sensor: Annotated[str | None, typer.Option(help="Which one was replaced.")] = None,
    until: Annotated[str | None, typer.Option(help="When a window ends, RFC 3339.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When it happened, RFC 3339.", show_default="now")
    ] = None,
    words: Annotated[str | None, typer.Option(help="What a person should read.")] = None,
    equipment: Annotated[
        str | None,
        typer.Option(help="The unit's type.", show_default="that of maintenance.equipment"),
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Its id.", show_default="of kind and time")
    ] = None,
) -> None:
    """Write an event of a unit to the readings topic, in order with its readings.

    After an overhaul or a failure what was learned of the unit begins again, after sensor_replaced
    what was learned of that sensor; within a window nothing is an alert; maintenance is noted. A
    check is an alert if the unit has been silent for longer than its type allows.
    """
    from contextlib import closing
    from datetime import UTC, datetime
    from threading import Event

    from apps.data.publish import publish
    from apps.operate import unit_event

    settings = shared.settings()
    made = unit_event.record(
        settings, datetime.now(UTC), unit, kind, id=id_, time=at, sensor=sensor, until=until,
        words=words, equipment=equipment,
    )  # fmt: skip
    shared.answered("kafka")
    from stormwatch.adapters import connect

    with closing(connect.sink(settings)) as sink:
        publish(sink, settings.topic_readings, [made], 0, None, Event(), lambda _: None)
    print(f"{unit}: {kind} is written to {settings.topic_readings}.")
