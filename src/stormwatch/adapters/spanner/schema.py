"""Makes the database and its tables from the numbered files of schema/spanner; checks them."""

from collections.abc import Callable
from pathlib import Path

from google.api_core import exceptions as api
from google.cloud.spanner_admin_database_v1 import DatabaseAdminClient
from google.cloud.spanner_admin_database_v1.services.database_admin.transports import (
    DatabaseAdminGrpcTransport,
)
from google.cloud.spanner_admin_instance_v1 import InstanceAdminClient
from google.cloud.spanner_admin_instance_v1.services.instance_admin.transports import (
    InstanceAdminGrpcTransport,
)
from grpc import insecure_channel

from stormwatch.adapters.migration_files import Migration, read, verify
from stormwatch.adapters.spanner.session import Database, Transaction, emulator, translated
from stormwatch.adapters.spanner.values import writes
from stormwatch.errors import SchemaError
from stormwatch.settings import Settings

VERSION = 1
"""The newest file under schema/spanner that this code was written for."""
STATEMENT_TIMEOUT_S = 300.0
"""Limit of a change of tables: Spanner takes minutes where it has to fill an index."""
MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS migrations (version INT64 NOT NULL, name STRING(MAX) NOT NULL, "
    "checksum STRING(MAX) NOT NULL) PRIMARY KEY (version)"
)
_APPLIED = "SELECT version, checksum FROM migrations"

Progress = Callable[[str, str], None]
"""What is at work, and what it does now."""


def check_schema(database: Database, settings: Settings) -> None:
    """Raise SchemaError unless the tables are of this version and layout."""
    with translated(settings, "describe the tables"):
        version = max(_applied(database), default=0)
        if version != VERSION:
            than = "older" if version < VERSION else "newer"
            act = (
                "Run `./stormwatch schema apply`."
                if version < VERSION
                else "Install the Stormwatch that made them, or name another database with "
                "STORMWATCH_SPANNER_DATABASE."
            )
            raise SchemaError(
                f"The tables of {_name(settings)} are of version {version}, {than} than this "
                f"program's {VERSION}. {act}"
            )
        _check_layout(database, settings)


def apply(
    settings: Settings,
    directory: Path,
    progress: Progress = lambda step, said: None,
) -> list[int]:
    """Make the database and apply what is missing; the versions applied now.

    With an emulator its instance is made, too. Raises StoreUnavailable (run it again), SchemaError
    for a file that was changed after it was applied, tables newer than these files, another layout
    than the settings', or an instance that is not there.
    """
    files = read(directory, "sql")
    database = Database(settings)
    try:
        with translated(settings, "apply the schema"):
            _make_database(settings, database.path, progress)
            applied = _applied(database)
            verify(applied, files, _name(settings), "sql")
            missing = [file for file in files if file.version not in applied]
            for file in missing:
                progress("schema", f"applying {file.version:04}_{file.name}")
                _change(settings, database.path, file.statements)
                row = (file.version, file.name, file.checksum)
                database.write(writes("migrations", "version, name, checksum", [row]))
            _lay_out(database, settings)
            return [file.version for file in missing]
    finally:
        database.close()


def status(settings: Settings, directory: Path) -> list[tuple[str, str]]:
    """(file, "applied" or "missing" or "changed") of each; nothing is written."""
    files = read(directory, "sql")
    database = Database(settings)
    try:
        with translated(settings, "return the schema's version"):
            try:
                applied = _applied(database)
            except (api.NotFound, api.InvalidArgument) as error:
                if "Instance not found" in error.message and not settings.spanner_emulator:
                    raise  # of the emulator `apply` makes one
                applied = {}
    finally:
        database.close()
    return [(f"{file.version:04}_{file.name}.sql", _state(file, applied)) for file in files]


def _state(file: Migration, applied: dict[int, str]) -> str:
    found = applied.get(file.version)
    return "applied" if found == file.checksum else "changed" if found else "missing"


def _name(settings: Settings) -> str:
    return f"Spanner database {settings.spanner_instance}/{settings.spanner_database}"


def _applied(database: Database) -> dict[int, str]:
    return dict(map(tuple, database.query(_APPLIED)))


def _make_database(settings: Settings, path: str, progress: Progress) -> None:
    instance, _, name = path.rpartition("/databases/")
    if emulator(settings):
        _make_instance(settings, instance)
    try:
        progress("schema", f"making {name}")
        _admin(settings).create_database(
            parent=instance, create_statement=f"CREATE DATABASE `{name}`", retry=None,
            timeout=STATEMENT_TIMEOUT_S,
        ).result(STATEMENT_TIMEOUT_S)  # fmt: skip
    except api.AlreadyExists:
        pass
    _change(settings, path, (MIGRATIONS,))


def _make_instance(settings: Settings, path: str) -> None:
    project, _, name = path.rpartition("/instances/")
    transport = InstanceAdminGrpcTransport(channel=insecure_channel(emulator(settings)))
    config = f"{project}/instanceConfigs/emulator-config"
    request = {
        "parent": project,
        "instance_id": name,
        "instance": {"config": config, "display_name": name, "node_count": 1},
    }
    try:
        InstanceAdminClient(transport=transport).create_instance(
            request, retry=None, timeout=settings.spanner_request_timeout_s
        ).result(STATEMENT_TIMEOUT_S)
    except api.AlreadyExists:
        pass
    finally:
        transport.close()


def _admin(settings: Settings) -> DatabaseAdminClient:
    host = emulator(settings)
    if not host:
        return DatabaseAdminClient()
    return DatabaseAdminClient(transport=DatabaseAdminGrpcTransport(channel=insecure_channel(host)))


def _change(settings: Settings, path: str, statements: tuple[str, ...]) -> None:
    _admin(settings).update_database_ddl(
        database=path, statements=statements, retry=None, timeout=STATEMENT_TIMEOUT_S
    ).result(STATEMENT_TIMEOUT_S)


def _lay_out(database: Database, settings: Settings) -> None:
    def lay_out(transaction: Transaction) -> None:
        if not transaction.read("layout", "stripes", [("layout",)]):
            row = ("layout", settings.layout_stripes)
            transaction.write(writes("layout", "name, stripes", [row]))

    database.transact(lay_out)
    _check_layout(database, settings)


def _check_layout(database: Database, settings: Settings) -> None:
    rows = list(database.read("layout", "stripes", [("layout",)]))
    stripes = rows[0][0] if rows else None
    if stripes != settings.layout_stripes:
        raise SchemaError(
            f"{_name(settings)} was laid out with {stripes} stripes, the settings say "
            f"{settings.layout_stripes}: rows would be looked for where they are not. Set "
            f"STORMWATCH_LAYOUT_STRIPES={stripes}, or name another database with "
            "STORMWATCH_SPANNER_DATABASE and run `./stormwatch schema apply`."
        )
