"""Topics and tables that a run needs."""

from collections.abc import Callable, Mapping
from pathlib import Path

from stormwatch.ports import Admin
from stormwatch.settings import Settings

Progress = Callable[[str, str], None]
SCHEMA = "schema/cql"
"""The numbered CQL files, from the root."""


def topics(settings: Settings) -> dict[str, tuple[int, Mapping[str, str]]]:
    """Topic -> (partitions, configuration)."""
    many = settings.kafka_partitions
    return {
        settings.topic_transactions: (many, {}),
        settings.topic_readings: (many, {}),
        settings.topic_alerts: (many, {}),
        settings.topic_dead_letters: (many, {}),
        settings.topic_control: (1, {"cleanup.policy": "compact"}),
    }


def topics_and_tables(settings: Settings, root: Path, progress: Progress) -> None:
    """Both, for services that have just come up. Raises StormwatchError."""
    from stormwatch.adapters import kafka

    admin = kafka.admin(settings)
    try:
        ensure_topics(settings, admin, progress)
    finally:
        admin.close()
    ensure_tables(settings, root, progress)


def ensure_topics(settings: Settings, admin: Admin, progress: Progress) -> None:
    """Create what is missing; topics that exist are left alone. Raises BrokerUnavailable."""
    made = [
        name
        for name, (partitions, config) in topics(settings).items()
        if admin.ensure_topic(name, partitions, config)
    ]
    if made:
        progress("topics", f"created {', '.join(made)}")


def ensure_tables(settings: Settings, root: Path, progress: Progress) -> None:
    """Apply the migrations that are not there yet. Raises SchemaError or StoreUnavailable."""
    from stormwatch.adapters import cassandra_migrations

    cassandra_migrations.apply(settings, root / SCHEMA, progress)
