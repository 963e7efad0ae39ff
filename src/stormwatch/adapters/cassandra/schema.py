"""What a worker checks of the tables before it trusts them."""

from cassandra import InvalidRequest, Unauthorized
from cassandra.cluster import Session

from stormwatch.adapters.cassandra.rows import SMALL, Shared, shared
from stormwatch.adapters.cassandra.session import keyspace_of, translated
from stormwatch.errors import SchemaError
from stormwatch.settings import Settings

VERSION = 7
"""The newest migration under schema/cql that this code was written for."""

_LIMITS = (
    "batch_size_warn_threshold", "unlogged_batch_across_partitions_warn_threshold",
    "commitlog_sync",
)  # fmt: skip
_MAKE = "Run `./stormwatch up` (services of this machine) or `./stormwatch schema apply` (yours)."


def check_schema(session: Session, settings: Settings) -> None:
    """Raise SchemaError unless the tables are of this version and layout."""
    keyspace = keyspace_of(settings)
    with translated(settings, "describe its tables"):
        tables = session.execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace]
        )
        if not {"migrations", "layout"} <= {name for (name,) in tables}:
            raise SchemaError(f"Keyspace {keyspace} has no Stormwatch tables. {_MAKE}")
        applied = [v for (v,) in session.execute(f"SELECT version FROM {keyspace}.migrations")]
        layout = session.execute(f"SELECT stripes, period_h FROM {keyspace}.layout").one()
    version = max(applied, default=0)
    if version < VERSION or layout is None:
        raise SchemaError(
            f"The tables of keyspace {keyspace} are of version {version}, this program needs "
            f"{VERSION}. Run `./stormwatch schema apply`."
        )
    if version > VERSION:
        raise SchemaError(
            f"The tables of keyspace {keyspace} are of version {version}, newer than this "
            f"program's {VERSION}. Install the Stormwatch that made them, or name another "
            "keyspace with STORMWATCH_CASSANDRA_KEYSPACE."
        )
    check_layout(layout, settings)


def batch_limits(session: Session, settings: Settings) -> Shared:
    """Up to which size a batch over partitions pays on this Cassandra, and it does not warn."""
    with translated(settings, "return its limits"):
        try:
            told = session.execute(
                "SELECT name, value FROM system_views.settings WHERE name IN (%s, %s, %s)", _LIMITS
            )
        except (InvalidRequest, Unauthorized):  # an older one, or not ours to ask
            return SMALL
    return shared(*map(dict(told.all()).get, _LIMITS))


def check_layout(layout: tuple[int, int], settings: Settings) -> None:
    """Raise SchemaError unless the tables were laid out with these settings."""
    wanted = (settings.layout_stripes, settings.layout_period_h)
    if tuple(layout) != wanted:
        raise SchemaError(
            f"Keyspace {settings.cassandra_keyspace} was laid out with {layout[0]} stripes and "
            f"periods of {layout[1]} h, the settings say {wanted[0]} and {wanted[1]} h: rows would "
            f"be looked for where they are not. Set STORMWATCH_LAYOUT_STRIPES={layout[0]} and "
            f"STORMWATCH_LAYOUT_PERIOD_H={layout[1]}, or name another keyspace with "
            "STORMWATCH_CASSANDRA_KEYSPACE and run `./stormwatch schema apply`."
        )
