"""Topics and tables that a run needs."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import fields
from pathlib import Path

from apps.data.kinds import KINDS
from apps.data.streams import every
from stormwatch.parsing.mapping import label_topic
from stormwatch.ports import Admin
from stormwatch.settings import Settings

Progress = Callable[[str, str], None]


def topics(settings: Settings) -> dict[str, tuple[int, Mapping[str, str]]]:
    """Topic -> (partitions, configuration)."""
    every_name = (
        getattr(settings, f.name) for f in fields(settings) if f.name.startswith("topic_")
    )
    named = [name for name in every_name if name]
    more = [topic for stream in every(settings) for topic in stream.more]
    return {
        **dict.fromkeys(more, (settings.kafka_partitions, {})),
        **dict.fromkeys(named, (settings.kafka_partitions, {})),
        settings.topic_control: (1, {"cleanup.policy": "compact"}),
    }


def topics_and_tables(settings: Settings, root: Path, progress: Progress) -> None:
    """Both, for services that have just come up. Raises StormwatchError."""
    from stormwatch.adapters import connect

    with closing(connect.admin(settings)) as admin:
        ensure(settings, root, admin, progress)


def ensure(settings: Settings, root: Path, admin: Admin, progress: Progress) -> None:
    """Tables, then topics. Raises StormwatchError."""
    ensure_tables(settings, root, progress)
    ensure_topics(settings, admin, progress)


def ensure_topics(settings: Settings, admin: Admin, progress: Progress) -> None:
    """Create what is missing; topics that exist are left alone. Raises BrokerUnavailable."""
    wanted = topics(settings)
    for kind in KINDS:  # an entity's labels are read by the process that has its state
        labels = label_topic(settings, kind.events)
        beside = admin.describe(getattr(settings, f"topic_{kind.events}")) if labels else None
        if beside is not None:
            wanted[labels] = (beside.partitions, {})
    made = [
        name
        for name, (partitions, config) in wanted.items()
        if admin.ensure_topic(name, partitions, config)
    ]
    if made:
        progress("topics", f"created {', '.join(made)}")


def ensure_tables(settings: Settings, root: Path, progress: Progress) -> None:
    """Apply the migrations that are not there yet. Raises SchemaError or StoreUnavailable."""
    from stormwatch.adapters import connect

    tables = connect.tables(settings)
    tables.apply(settings, root / tables.files, progress)
