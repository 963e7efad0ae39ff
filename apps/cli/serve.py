"""`serve`: the API and the live page."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("serve", "serve --port 0"),
        short_help="The live page and the API, for this machine.",
    )(serve)


def serve(
    host: Annotated[str, typer.Option(help="127.0.0.1, localhost or ::1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8_765,
) -> None:
    """Show what is decided, live in a browser, and answer programs (see /openapi.json).

    It reads Kafka and Cassandra and changes nothing. Ends at Ctrl-C.
    """
    from apps.cli.connect import connected
    from apps.local.run.signals import Signals
    from apps.serve.server import Outside, address, listen, serving

    settings = shared.settings()
    shared.log_to(settings, "serve")
    listening = listen(host, port)
    with Signals() as signals, connected(settings) as (admin, archive):
        signals.only_ask()
        outside = Outside(settings, admin, archive)
        with serving(shared.ROOT, outside, listening):
            print(f"The page is at {address(listening)} and ends at Ctrl-C.", flush=True)
            while not signals.pause(3600):
                pass
