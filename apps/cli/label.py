"""`label`: tell what became known of a payment."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example(
            "label r1-4711 fraud", "label transactions/0/4711 cleared", "label r1-4711 chargeback"
        ),
        short_help="Tell what a payment was: fraud, chargeback or cleared.",
    )(label)


def label(
    payment: Annotated[
        str, typer.Argument(help="Its id; or topic/partition/offset, as `alerts` shows it.")
    ],
    kind: Annotated[str, typer.Argument(help="fraud, chargeback or cleared.")],
    id_: Annotated[
        str, typer.Option("--id", help="Of the label.", show_default="of kind, time and payment")
    ] = "",
) -> None:
    """Write the label of a decided payment to the topic of labels.

    The topology learns it of the customer and of the terminal, and it counts from now on: for
    payments after it, never for one before. Of several labels of a payment the newest counts.
    """
    from contextlib import closing
    from datetime import UTC, datetime
    from threading import Event

    from apps.cli.connect import stored
    from apps.data.publish import publish
    from apps.operate import label as operate

    settings = shared.answered("kafka", "store")
    with stored(settings) as archive:
        event = operate.payment(settings, archive, payment)
    made = operate.record(settings, datetime.now(UTC), event, kind, id_)
    from stormwatch.adapters import connect

    with closing(connect.sink(settings)) as sink:
        publish(sink, settings.topic_labels, [made], 0, None, Event(), lambda _: None)
    print(f"{event.customer}, payment {event.id}: {kind} is written to {settings.topic_labels}.")
