"""Applies the numbered CQL files: idempotent, checked by checksum, safe with two at once.

A lock with owner and expiry (a row with a TTL, taken by a lightweight transaction) lets one
migrator work; one that dies blocks the others for no longer than the expiry. Statements are all
IF NOT EXISTS, so a file applied in part is simply applied again.
"""

import hashlib
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from cassandra.cluster import Session

from stormwatch.adapters.cassandra_schema import check_layout
from stormwatch.adapters.cassandra_session import (
    UNAVAILABLE,
    keyspace_of,
    open_session,
    translated,
)
from stormwatch.errors import SchemaError, StoreUnavailable
from stormwatch.settings import Settings

LOCK_EXPIRY_S = 120
"""Longer than any one statement may take; renewed before each."""
_POLL_S = 0.25


class Migration(NamedTuple):
    """One numbered file; number 0 is applied at every run."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def read(directory: Path) -> list[Migration]:
    """The files `NNNN_name.cql`, by number. Raises SchemaError unless they are 0, 1, 2, …"""
    out = []
    for path in sorted(directory.glob("*.cql")):
        if not (match := re.fullmatch(r"(\d{4})_(\w+)\.cql", path.name)):
            raise SchemaError(f"{path} is not named NNNN_name.cql. Rename it.")
        text = path.read_text()
        bare = re.sub(r"--.*", "", text)
        statements = tuple(s.strip() for s in bare.split(";") if s.strip())
        checksum = hashlib.sha256(text.encode()).hexdigest()
        out.append(Migration(int(match[1]), match[2], checksum, statements))
    if [m.version for m in out] != list(range(len(out))) or not out:
        raise SchemaError(
            f"{directory} must hold 0000_….cql, 0001_….cql, … without gap or repetition; it holds "
            f"{', '.join(f'{m.version:04}' for m in out) or 'none'}. Restore schema/cql."
        )
    return out


def apply(
    settings: Settings,
    directory: Path,
    progress: Callable[[str], None] = lambda line: None,
    *,
    lock_expiry_s: int = LOCK_EXPIRY_S,
) -> list[int]:
    """Make the keyspace and apply what is missing; the versions applied now.

    Raises StoreUnavailable (run it again), SchemaError for a file that was changed after it was
    applied, tables newer than these files, or another layout than the settings'.
    """
    files = read(directory)
    session = open_session(settings)
    try:
        with translated(settings, "apply the schema"):
            return _apply(session, settings, files, progress, lock_expiry_s)
    finally:
        session.cluster.shutdown()


def _apply(
    session: Session,
    settings: Settings,
    files: list[Migration],
    progress: Callable[[str], None],
    lock_expiry_s: int,
) -> list[int]:
    keyspace = keyspace_of(settings)
    session.execute(
        f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {{'class': "
        f"'NetworkTopologyStrategy', '{settings.cassandra_datacenter}': "
        f"{settings.cassandra_replication}}}"
    )
    session.set_keyspace(keyspace)
    for statement in files[0].statements:
        session.execute(statement)
    done = []
    with Lock(session, lock_expiry_s, progress) as lock:
        applied = dict(session.execute("SELECT version, checksum FROM migrations").all())
        _verify(applied, files, keyspace)
        for file in files[1:]:
            if file.version in applied:
                continue
            progress(f"schema {file.version:04} {file.name}")
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


def _verify(applied: dict[int, str], files: list[Migration], keyspace: str) -> None:
    if applied and max(applied) > files[-1].version:
        raise SchemaError(
            f"The tables of keyspace {keyspace} are of version {max(applied)}, newer than these "
            f"files' {files[-1].version}. Use the Stormwatch that made them."
        )
    for file in files:
        if applied.get(file.version, file.checksum) != file.checksum:
            raise SchemaError(
                f"schema {file.version:04}_{file.name}.cql was changed after it was applied to "
                f"keyspace {keyspace}. Restore it and put the change into a new file, "
                f"{files[-1].version + 1:04}_….cql."
            )


class Lock:
    """The migrator's lock: a context manager. Raises StoreUnavailable if it cannot be had."""

    def __init__(self, session: Session, expiry_s: int, progress: Callable[[str], None]) -> None:
        self._session = session
        self._expiry_s = expiry_s
        self._progress = progress
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"

    def __enter__(self) -> "Lock":
        deadline = time.monotonic() + 3 * self._expiry_s
        told = ""
        while True:
            row = self._session.execute(
                "INSERT INTO locks (name, owner) VALUES ('schema', %s) IF NOT EXISTS USING TTL %s",
                (self.owner, self._expiry_s),
            ).one()
            holder = self.owner if row[0] else row[2]  # [applied], name, owner
            if holder == self.owner:  # also when an earlier try was written but not confirmed
                return self
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"The schema is locked by {holder} and stays so. See whether that migration "
                    "still runs, then run this again."
                )
            if holder != told:
                self._progress(f"schema locked by {holder}, for {self._expiry_s} s if that died")
                told = holder
            time.sleep(_POLL_S)

    def renew(self) -> None:
        """Hold it for the whole expiry again. Raises StoreUnavailable if it was lost."""
        row = self._session.execute(
            "UPDATE locks USING TTL %s SET owner = %s WHERE name = 'schema' IF owner = %s",
            (self._expiry_s, self.owner, self.owner),
        ).one()
        if not row[0]:
            raise StoreUnavailable(
                "The schema lock expired while a statement ran and another migrator has it. "
                "Run this again."
            )

    def __exit__(self, *_: object) -> None:
        with suppress(*UNAVAILABLE):  # then it expires
            self._session.execute(
                "DELETE FROM locks WHERE name = 'schema' IF owner = %s", (self.owner,)
            )
