"""Chooses the Kafka client by the setting `kafka.client`. Drivers are imported on first use."""

from importlib.util import find_spec

from stormwatch.errors import SettingsError
from stormwatch.ports import Admin, Sink, Source
from stormwatch.settings import Settings

_CLIENTS = {"confluent": "confluent_kafka", "kafka-python": "kafka"}
"""Setting -> the package it needs, the fast one first."""
MEMORY = "memory"


def client(settings: Settings) -> str:
    """`confluent`, `kafka-python` or `memory`. Raises SettingsError if it is not installed."""
    if settings.kafka_client == MEMORY:
        return MEMORY
    wanted = list(_CLIENTS) if settings.kafka_client == "auto" else [settings.kafka_client]
    for name in wanted:
        if find_spec(_CLIENTS[name]) is not None:
            return name
    raise SettingsError(
        f"kafka.client is {settings.kafka_client}, and no such client is installed here. "
        "Run `pip install confluent-kafka` or `pip install kafka-python`."
    )


def source(settings: Settings, topic: str) -> Source:
    """A Source of the topic. kafka-python connects at once: raises BrokerUnavailable."""
    chosen = client(settings)
    if chosen == MEMORY:
        from stormwatch.adapters.memory import world

        return world.source(settings, topic)
    if chosen == "confluent":
        from stormwatch.adapters.kafka.confluent.source import ConfluentSource

        return ConfluentSource(settings, topic)
    from stormwatch.adapters.kafka.pure.source import KafkaPythonSource

    return KafkaPythonSource(settings, topic)


def sink(settings: Settings, *, paced: bool = False) -> Sink:
    """A Sink. kafka-python connects at once: raises BrokerUnavailable.

    `paced`: records are sent as they come due, and each leaves at once; else many are sent in one
    go and then flushed.
    """
    chosen = client(settings)
    if chosen == MEMORY:
        from stormwatch.adapters.memory import world

        return world.sink()
    if chosen == "confluent":
        from stormwatch.adapters.kafka.confluent.sink import ConfluentSink

        return ConfluentSink(settings, paced=paced)
    from stormwatch.adapters.kafka.pure.sink import KafkaPythonSink

    return KafkaPythonSink(settings)


def admin(settings: Settings) -> Admin:
    """An Admin. kafka-python connects at once: raises BrokerUnavailable."""
    chosen = client(settings)
    if chosen == MEMORY:
        from stormwatch.adapters.memory import world

        return world.admin()
    if chosen == "confluent":
        from stormwatch.adapters.kafka.confluent.admin import ConfluentAdmin

        return ConfluentAdmin(settings)
    from stormwatch.adapters.kafka.pure.admin import KafkaPythonAdmin

    return KafkaPythonAdmin(settings)
