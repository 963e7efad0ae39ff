"""`land`: receive what has no log of its own, and append it to Kafka."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared

app = typer.Typer(
    help="Receive events over HTTP, append them to Kafka, then acknowledge.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=shared.example("land http", "land http --topic transactions --port 8770"),
)

Topics = Annotated[
    list[str] | None, typer.Option("--topic", help="Topics that may be written; else all.")
]


@app.command(epilog=shared.example("land http", "land http --topic transactions --port 8770"))
def http(
    topic: Topics = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8_770,
    tokens: Annotated[Path | None, typer.Option(help="File with tokens, one a line.")] = None,
) -> None:
    """Take events by POST /v1/streams/<topic>, one or a batch of JSON lines (docs/on-http.md).

    Each record is parsed as the topology will: what is no event is refused with the reason, and not
    written. An answer comes when Kafka has confirmed the others. Ends at Ctrl-C, when all that was
    received is written.
    """
    import os

    from apps.land import streams
    from apps.land.service import landing
    from apps.land.tokens import tokens as known
    from apps.local.run.signals import Signals
    from apps.serve.front import bound

    settings = shared.answered("kafka")
    shared.log_to(settings, "land")
    allow, where = known(shared.ROOT / settings.run_dir, tokens, dict(os.environ))
    listening = bound(host, port)
    with Signals() as signals:
        made = streams.of_topics(settings, topic or [])
        signals.only_ask()
        with landing(settings, made, [listening], allow) as answers:
            name, number = listening.getsockname()[:2]
            print(f"POST records to http://{name}:{number}/v1/streams/<topic>", flush=True)
            print(f"Topics: {', '.join(made)}. The token is {where}. Ends at Ctrl-C.", flush=True)
            while answers() and not signals.pause(1):
                pass
