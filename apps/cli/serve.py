"""`serve`: the API and the live page."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example(
            "serve", "serve --port 0",
            "serve --host 0.0.0.0 --tls-cert c.pem --tls-key k.pem",
        ),
        short_help="The live page and the API.",
    )(serve)  # fmt: skip


def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen; not on loopback: with tokens and TLS alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8_765,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name that requests may call it by. May be given again."),
    ] = None,
    tls_cert: Annotated[str, typer.Option(help="Certificate, a PEM file.")] = "",
    tls_key: Annotated[str, typer.Option(help="Its key, a PEM file.")] = "",
    behind_tls_proxy: Annotated[
        bool, typer.Option("--behind-tls-proxy", help="A proxy in front of it does TLS.")
    ] = False,
) -> None:
    """Show what is decided, live in a browser, and answer programs (see /openapi.json).

    It listens to this machine alone unless told otherwise; for others see `token add`. Ends at
    Ctrl-C.
    """
    from apps.cli.connect import connected
    from apps.local.run.signals import Signals
    from apps.serve.front import Front
    from apps.serve.server import Outside, serving
    from stormwatch.adapters.storm.resources import now_ms

    settings = shared.settings()
    shared.log_to(settings, "serve")
    front = Front(host, tuple(name or ()), tls_cert, tls_key, behind_tls_proxy)
    if front.is_local:
        front.check(tokens=True)
    with Signals() as signals, connected(settings) as (admin, archive):
        signals.only_ask()
        front.check(any(token.holds(now_ms()) for token in archive.tokens()))
        outside = Outside(settings, admin, archive)
        listening = front.listen(port)
        with serving(shared.ROOT, outside, listening, front=front):
            print(f"The page is at {front.address(listening)} and ends at Ctrl-C.", flush=True)
            while not signals.pause(3600):
                pass
