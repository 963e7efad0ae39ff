"""The composition root: what Kafka and the store are, by the settings `kafka.client` and `store`.

Nobody else chooses. Drivers are imported on first use, or every component would load them all. What
runs without services (`demo`, `dev`, tests) gives `use` what takes their place.
"""

from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.migration_files import FOLDERS
from stormwatch.archive import Archive
from stormwatch.errors import PackageMissing, SettingsError
from stormwatch.parsing.mapping.framing import Schemas, no_registry
from stormwatch.ports import Admin, Sink, Source, Store
from stormwatch.settings import KINESIS, SPANNER, Settings

if TYPE_CHECKING:
    from stormwatch.adapters.otel import Traces

_CLIENTS = {"confluent": "confluent_kafka", "kafka-python": "kafka"}
"""Setting -> the package it needs, the fast one first."""
MEMORY = "memory"


class Doubles(NamedTuple):
    """What takes the place of Kafka and the store."""

    source: Callable[[Settings, str], Source]
    sink: Callable[[], Sink]
    admin: Callable[[], Admin]
    store: Callable[[], Store]


class Tables(NamedTuple):
    """How the tables of the store are made."""

    files: str
    """The folder of the numbered files, from the root."""
    apply: Callable[[Settings, Path, Callable[[str, str], None]], list[int]]
    status: Callable[[Settings, Path], list[tuple[str, str]]]


_doubles: Doubles | None = None


def use(doubles: Doubles | None) -> Doubles | None:
    """From now on these are what everybody connects to; what it was before. None: the real ones."""
    global _doubles
    before, _doubles = _doubles, doubles
    return before


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


def source(settings: Settings, topic: str, kept: Callable[[], Store] | None = None) -> Source:
    """A Source of the topic. kafka-python connects at once: raises BrokerUnavailable.

    `kept` is a store that is connected already, for logs that keep no offsets themselves.
    """
    if _doubles is not None:
        return _doubles.source(settings, topic)
    if _is_stream(settings, topic):
        from stormwatch.adapters.kinesis.source import KinesisSource

        control = Control(
            settings.topic_control, lambda: admin(settings), lambda name: source(settings, name),
            lambda: sink(settings), settings.kafka_request_timeout_s,
        )  # fmt: skip
        return KinesisSource(settings, topic, kept or cache(lambda: store(settings)), control)
    chosen = client(settings)
    if chosen == MEMORY:
        raise _only_in_memory()
    if chosen == "confluent":
        from stormwatch.adapters.kafka.confluent.source import ConfluentSource

        return ConfluentSource(settings, topic)
    from stormwatch.adapters.kafka.pure.source import KafkaPythonSource

    return KafkaPythonSource(settings, topic)


def schemas(settings: Settings) -> Schemas:
    """What gives a schema of the registry by its number. Nothing is asked before it is needed."""
    if not settings.registry_url:
        return no_registry
    from stormwatch.adapters.schema_registry import SchemaRegistry

    return SchemaRegistry(settings).schema


def sink(settings: Settings, *, linger_ms: int | None = None) -> Sink:
    """A Sink. kafka-python connects at once: raises BrokerUnavailable.

    `linger_ms`: how long a record may wait for others to share its request with, where records are
    sent as they come due; without, many are sent in one go and then flushed.
    """
    if _doubles is not None:
        return _doubles.sink()
    kafka = _kafka_sink(settings, linger_ms)
    if settings.source != KINESIS:
        return kafka
    from stormwatch.adapters.kinesis.client import Client
    from stormwatch.adapters.kinesis.sink import KinesisSink

    return KinesisSink(
        kafka, partial(_is_stream, settings), partial(Client, settings),
        settings.kafka_request_timeout_s,
    )  # fmt: skip


def _kafka_sink(settings: Settings, linger_ms: int | None) -> Sink:
    chosen = client(settings)
    if chosen == MEMORY:
        raise _only_in_memory()
    if chosen == "confluent":
        from stormwatch.adapters.kafka.confluent.sink import LINGER_MS, ConfluentSink

        return ConfluentSink(settings, linger_ms=LINGER_MS if linger_ms is None else linger_ms)
    from stormwatch.adapters.kafka.pure.sink import KafkaPythonSink

    return KafkaPythonSink(settings)


def admin(settings: Settings) -> Admin:
    """An Admin. kafka-python connects at once: raises BrokerUnavailable."""
    if _doubles is not None:
        return _doubles.admin()
    kafka = _kafka_admin(settings)
    if settings.source != KINESIS:
        return kafka
    from stormwatch.adapters.kinesis.admin import KinesisAdmin

    kept = cache(lambda: store(settings))
    return KinesisAdmin(
        kafka, partial(_is_stream, settings), lambda topic: source(settings, topic, kept)
    )


def _kafka_admin(settings: Settings) -> Admin:
    chosen = client(settings)
    if chosen == MEMORY:
        raise _only_in_memory()
    if chosen == "confluent":
        from stormwatch.adapters.kafka.confluent.admin import ConfluentAdmin

        return ConfluentAdmin(settings)
    from stormwatch.adapters.kafka.pure.admin import KafkaPythonAdmin

    return KafkaPythonAdmin(settings)


def store(settings: Settings) -> Store:
    """The store, connected. Raises StoreUnavailable, SchemaError if the tables are wrong."""
    if _doubles is not None:
        return _doubles.store()
    return archive(settings)


def archive(settings: Settings) -> Archive:
    """The store with what commands ask of it, connected. Raises as `store` does."""
    if settings.store == MEMORY:
        raise _only_in_memory()
    if settings.store == SPANNER:
        try:
            from stormwatch.adapters.spanner import store as spanner
        except ImportError as error:
            raise _no_spanner() from error
        return spanner.connect(settings)
    from stormwatch.adapters.cassandra.store import connect

    return connect(settings)


def _is_stream(settings: Settings, topic: str) -> bool:
    """Whether it is read from Kinesis. What Stormwatch itself writes goes to Kafka in any case."""
    return settings.source == KINESIS and topic not in (
        settings.topic_control, settings.topic_alerts, settings.topic_decisions,
        settings.topic_dead_letters,
    )  # fmt: skip


def tables(settings: Settings) -> Tables:
    """What makes the tables of the store."""
    if settings.store == SPANNER:
        try:
            from stormwatch.adapters.spanner import schema
        except ImportError as error:
            raise _no_spanner() from error
        return Tables(FOLDERS["sql"], schema.apply, schema.status)
    from stormwatch.adapters.cassandra import migrations

    return Tables(FOLDERS["cql"], migrations.apply, migrations.status)


def traces(settings: Settings, topology: str, component: str) -> "Traces | None":
    """What tells of this component's batches; None unless `trace.endpoint` says where.

    Raises SettingsError, PackageMissing."""
    endpoint = settings.trace_endpoint
    if not endpoint:
        return None
    if not endpoint.startswith(("http://", "https://")):
        raise SettingsError(
            f"trace.endpoint is {endpoint!r}, and is no address of HTTP. Set it to "
            "http://HOST:4318/v1/traces of an OpenTelemetry receiver, or to nothing."
        )
    try:
        from stormwatch.adapters.otel import Traces
    except ImportError as error:
        raise PackageMissing(
            "trace.endpoint is set, and the OpenTelemetry packages are not installed: "
            "`.venv/bin/pip install -c constraints.txt -r requirements/otel.txt`, or unset it."
        ) from error
    return Traces(endpoint, settings.trace_every, topology, component)


def _only_in_memory() -> SettingsError:
    return SettingsError(
        "kafka.client or store is `memory`, and that lives only inside `./stormwatch demo` and "
        "`./stormwatch dev`. For Storm, remove the setting: see `./stormwatch config`."
    )


def _no_spanner() -> PackageMissing:
    return PackageMissing(
        "store is spanner, and the package google-cloud-spanner is not installed: "
        "`.venv/bin/pip install -c constraints.txt -r requirements/spanner.txt`."
    )
