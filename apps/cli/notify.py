"""`notify`: alerts to a webhook."""

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("notify"), short_help="Send alerts to a webhook as they come."
    )(notify)


def notify() -> None:
    """Send each new alert to notify.url, signed with notify.secret (docs/notify.md).

    It goes on where it was; an alert is sent at least once, with one id. Ends at Ctrl-C.
    """
    from contextlib import closing
    from dataclasses import replace

    from apps.local.run.signals import Signals
    from apps.operate.notify import MOST_S, Notifier, Target
    from stormwatch.adapters import connect
    from stormwatch.adapters.storm.resources import now_ms
    from stormwatch.errors import InfrastructureError

    Target.of(shared.settings())
    settings = shared.answered("kafka")
    shared.log_to(settings, "notify")
    own = replace(settings, kafka_group=f"{settings.kafka_group}.notify")
    with Signals() as signals, closing(connect.source(own, settings.topic_alerts)) as source:
        signals.only_ask()
        notifier = Notifier(settings, source, now_ms, signals.pause)
        notifier.begin()
        print(f"New alerts go to {Target.of(settings).host}. Ends at Ctrl-C.", flush=True)
        while not signals.asked:
            try:
                notifier.step()
            except InfrastructureError as error:
                shared.complain(str(error))
                signals.pause(MOST_S / 10)
    print(f"{notifier.sent:,} alerts were sent, {notifier.passed_over:,} passed over.")
