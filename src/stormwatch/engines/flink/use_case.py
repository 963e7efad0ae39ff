"""What this engine can decide: the use cases whose records are decided once, under Kafka's key."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from stormwatch.adapters import connect
from stormwatch.adapters.threads.model_guard import supply
from stormwatch.domains import fraud, maintenance
from stormwatch.domains.fraud.parse import TARGET as TRANSACTION
from stormwatch.domains.fraud.parse import parse as parse_transaction
from stormwatch.domains.maintenance.equipment import chosen as chosen_equipment
from stormwatch.domains.maintenance.parse import Readings
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import chosen, is_rekeyed, label_topic, topics
from stormwatch.ports import Store
from stormwatch.settings import Settings
from stormwatch.state.judge import Judge

Parse = Callable[[bytes, int], Any]


class UseCase(NamedTuple):
    """One use case, as the settings say."""

    name: str
    topic: str
    domain: Judge[Any, Any]
    parse: Parse


NAMES = ("fraud", "maintenance")
_EVENTS = {"fraud": "transactions", "maintenance": "readings"}


def check(settings: Settings, name: str, recorded: str = "") -> str:
    """The topic that is read. Raises SettingsError for what this engine does not do."""
    if name not in NAMES:
        raise SettingsError(f"Flink decides {' and '.join(NAMES)}, not {name!r}: use Storm for it.")
    if recorded and name != "fraud":
        raise SettingsError(f"--recorded is for fraud: nothing of {name} has a second key.")
    if recorded == settings.cassandra_keyspace:
        raise SettingsError(
            f"--recorded names {recorded!r}, the keyspace that Flink writes to. Name the one that "
            "the decisions were recorded in, and give Flink its own (cassandra.keyspace)."
        )
    events = _EVENTS[name]
    if settings.source != "kafka":
        raise SettingsError(
            f"source is {settings.source}, and on Flink topics are read from Kafka alone. Remove "
            f"the setting, or use Storm: `sparse run -n {name}`."
        )
    first, *more = topics(settings, events)
    others = [topic for topic in more if topic != label_topic(settings, events)]
    if others or is_rekeyed(settings, events):
        raise SettingsError(
            f"mapping.{events} names several topics or says rekey, and on Flink one topic is read, "
            f"keyed by its entity. Name one mapping, or use Storm: `sparse run -n {name}`."
        )
    return first


def job_name(settings: Settings, name: str) -> str:
    """What Flink calls the job: two that write the same rows have the same name."""
    return f"stormwatch {name} {settings.cassandra_keyspace}-{settings.kafka_group}"


def recording(settings: Settings, keyspace: str) -> Store | None:
    """The store of another keyspace, where one is named. Raises StoreUnavailable, SchemaError."""
    return connect.store(replace(settings, cassandra_keyspace=keyspace)) if keyspace else None


def of(settings: Settings, name: str) -> UseCase:
    """The use case, its model loaded. Raises SettingsError, ModelError."""
    topic = check(settings, name)
    schemas = connect.schemas(settings)
    domain: Judge[Any, Any]
    native: Callable[..., Any]
    if name == "fraud":
        domain = fraud.Fraud.from_settings(settings, supply(settings))
        native, target = parse_transaction, TRANSACTION
    else:
        domain = maintenance.Maintenance.from_settings(settings, supply(settings))
        readings = Readings(chosen_equipment(settings))
        native, target = readings.parse, readings.target
    domain.model_version  # noqa: B018 - loads it here, and not in a batch
    mapped = chosen(settings, target, schemas).get(topic)
    parse = partial(
        native if mapped is None else mapped.parse, future_skew_ms=settings.future_skew_s * 1000
    )
    return UseCase(name, topic, domain, parse)
