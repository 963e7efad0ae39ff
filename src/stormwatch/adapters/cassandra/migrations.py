"""Applies the numbered CQL files: idempotent, checked by checksum, safe with two at once.

A lock with owner and expiry (a row with a TTL, taken by a lightweight transaction) lets one
migrator work; one that dies blocks the others for no longer than the expiry. Statements are all
IF NOT EXISTS, so a file applied in part is simply applied again.
"""

from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cassandra.cluster import Session

from stormwatch.adapters.cassandra.locks import LOCK_EXPIRY_S, Lock, Progress
from stormwatch.adapters.cassandra.schema import check_layout
from stormwatch.adapters.cassandra.session import keyspace_of, open_session, translated
from stormwatch.adapters.migration_files import Migration, read, verify
from stormwatch.settings import Settings

STATEMENT_TIMEOUT_S = 30.0
"""Limit of one statement: making a table takes longer than writing a row."""


LOCKS = "CREATE TABLE IF NOT EXISTS locks (name text PRIMARY KEY, owner text) WITH ID = {id}"
"""Made before there can be a lock: the id, fixed for a keyspace, keeps two CREATEs at once through
two coordinators from making two tables."""
MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS migrations "
    "(version int PRIMARY KEY, name text, checksum text, applied timestamp)"
)


def apply(
    settings: Settings,
    directory: Path,
    progress: Progress = lambda step, said: None,
    *,
    lock_expiry_s: int = LOCK_EXPIRY_S,
) -> list[int]:
    """Make the keyspace and apply what is missing; the versions applied now.

    Raises StoreUnavailable (run it again), SchemaError for a file that was changed after it was
    applied, tables newer than these files, or another layout than the settings'.
    """
    files = read(directory)
    session = open_session(settings, STATEMENT_TIMEOUT_S)
    try:
        with translated(settings, "apply the schema"):
            return _apply(session, settings, files, progress, lock_expiry_s)
    finally:
        session.cluster.shutdown()


def _apply(
    session: Session,
    settings: Settings,
    files: list[Migration],
    progress: Progress,
    lock_expiry_s: int,
) -> list[int]:
    keyspace = keyspace_of(settings)
    session.execute(
        f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {{'class': "
        f"'NetworkTopologyStrategy', '{settings.cassandra_datacenter}': "
        f"{settings.cassandra_replication}}}"
    )
    session.set_keyspace(keyspace)
    session.execute(LOCKS.format(id=uuid5(NAMESPACE_URL, f"stormwatch:{keyspace}.locks")))
    done = []
    with Lock(session, lock_expiry_s, progress) as lock:
        session.execute(MIGRATIONS)
        applied = dict(session.execute("SELECT version, checksum FROM migrations").all())
        verify(applied, files, f"keyspace {keyspace}")
        for file in files:
            if file.version in applied:
                continue
            progress("schema", f"applying {file.version:04}_{file.name}")
            for statement in file.statements:
                lock.renew()
                session.execute(statement)
            session.execute(
                "INSERT INTO migrations (version, name, checksum, applied) "
                "VALUES (%s, %s, %s, toTimestamp(now()))",
                (file.version, file.name, file.checksum),
            )
            done.append(file.version)
        session.execute(
            "INSERT INTO layout (name, stripes, period_h) VALUES ('layout', %s, %s) IF NOT EXISTS",
            (settings.layout_stripes, settings.layout_period_h),
        )
        check_layout(session.execute("SELECT stripes, period_h FROM layout").one(), settings)
    return done


def status(settings: Settings, directory: Path) -> list[tuple[str, str]]:
    """(file, "applied" or "missing" or "changed") of each; nothing is written.

    Raises StoreUnavailable or, for a directory that cannot be read as migrations, SchemaError.
    """
    files, keyspace = read(directory), keyspace_of(settings)
    session = open_session(settings)
    try:
        with translated(settings, "return the schema's version"):
            tables = session.execute(
                "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace]
            )
            applied = (
                dict(session.execute(f"SELECT version, checksum FROM {keyspace}.migrations").all())
                if ("migrations",) in set(tables)
                else {}
            )
    finally:
        session.cluster.shutdown()
    out = []
    for file in files:
        found = applied.get(file.version)
        state = "applied" if found == file.checksum else "changed" if found else "missing"
        out.append((f"{file.version:04}_{file.name}.cql", state))
    return out
