"""`land`: receive what has no log of its own, and append it to Kafka."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared

if TYPE_CHECKING:
    from apps.land.intake import Intake

app = typer.Typer(
    help="Receive events by HTTP, MQTT, Pub/Sub, files; append them to Kafka, then acknowledge.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=shared.example(
        "land http",
        "land mqtt readings --filter 'plant/#'",
        "land pubsub labels --subscription projects/p/subscriptions/s",
        "land files transactions inbox",
    ),
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


Metrics = Annotated[
    int, typer.Option("--metrics", min=0, max=65_535, help="Port of /metrics; 0: none.")
]


@app.command(epilog=shared.example("land mqtt readings --filter 'plant/#' --host broker"))
def mqtt(
    topic: Annotated[str, typer.Argument(help="Kafka's topic that messages are appended to.")],
    filter_: Annotated[str, typer.Option("--filter", help="MQTT topics to read.")] = "#",
    host: Annotated[str, typer.Option(help="Of the MQTT broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Of the MQTT broker.")] = 1_883,
    client: Annotated[
        str, typer.Option(help="Names the session; one process a name.", show_default="by TOPIC")
    ] = "",
    username: Annotated[str, typer.Option(help="Password: STORMWATCH_MQTT_PASSWORD.")] = "",
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS (port 8883).")] = False,
    tls_ca: Annotated[str, typer.Option(help="PEM file of another authority.")] = "",
    metrics: Metrics = 0,
) -> None:
    """Read an MQTT broker with QoS 1 and a persistent session (docs/on-mqtt.md).

    A message is acknowledged when Kafka has confirmed it. Ends at Ctrl-C.
    """
    import os

    from apps.land.mqtt import Broker, MqttIntake

    broker = Broker(
        host, port, filter_, client or f"stormwatch-{topic}", username,
        os.environ.get("STORMWATCH_MQTT_PASSWORD", ""), tls_ca, tls,
    )  # fmt: skip
    _carry(topic, metrics, f"{filter_} of {host}:{port}", lambda: MqttIntake(broker))


@app.command(epilog=shared.example("land pubsub labels --subscription projects/p/subscriptions/s"))
def pubsub(
    topic: Annotated[str, typer.Argument(help="Kafka's topic that messages are appended to.")],
    subscription: Annotated[
        str, typer.Option(help="projects/PROJECT/subscriptions/NAME, read by nobody else.")
    ],
    metrics: Metrics = 0,
) -> None:
    """Pull a Google Pub/Sub subscription (docs/on-pubsub.md).

    A message is acknowledged when Kafka has confirmed it. Ends at Ctrl-C.
    """
    from apps.land.pubsub import PubSubIntake

    _carry(topic, metrics, subscription, lambda: PubSubIntake(subscription))


@app.command(
    epilog=shared.example("land files transactions inbox", "land files readings in --once")
)
def files(
    topic: Annotated[str, typer.Argument(help="Kafka's topic that records are appended to.")],
    folder: Annotated[Path, typer.Argument(help="It is watched; files are moved within it.")],
    once: Annotated[bool, typer.Option("--once", help="Land what is there, then end.")] = False,
    metrics: Metrics = 0,
) -> None:
    """Append the records of files that come into a folder (docs/on-files.md).

    JSON, CSV, Parquet. A file is moved to landed/ when Kafka has confirmed all of it.
    """
    from apps.land import files as land
    from apps.land import streams
    from apps.land.service import working
    from apps.local.run.signals import Signals
    from stormwatch.errors import SettingsError

    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder: make it, or name another one.")
    settings = shared.answered("kafka")
    shared.log_to(settings, "land")
    with Signals() as signals:
        stream = streams.of_topics(settings, [topic])[topic]
        signals.only_ask()
        with working(
            settings, metrics, lambda: None,
            lambda appender, figures, stop: land.carry(
                settings, folder, stream, appender, figures, stop.wait, once
            ),
        ) as ended:  # fmt: skip
            print(f"Files in {folder} are appended to {topic}. Ends at Ctrl-C.", flush=True)
            while not ended() and not signals.pause(0.2):
                pass


def _carry(topic: str, metrics: int, what: str, connect: "Callable[[], Intake]") -> None:
    from apps.land import streams
    from apps.land.service import carrying
    from apps.local.run.signals import Signals

    settings = shared.answered("kafka")
    shared.log_to(settings, "land")
    with Signals() as signals:
        stream = streams.of_topics(settings, [topic])[topic]
        intake = connect()
        signals.only_ask()
        with carrying(settings, stream, intake, metrics) as ended:
            print(f"{what} is appended to {topic}. Ends at Ctrl-C.", flush=True)
            while not ended() and not signals.pause(0.5):
                pass
