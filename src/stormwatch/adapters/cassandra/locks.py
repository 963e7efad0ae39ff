"""What lightweight transactions are for: the migrator's lock, and the terms of processes.

Each is a row of `locks`: the lock's with an owner and a TTL, a term's with the last one given.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from cassandra.cluster import Session

from stormwatch.adapters.cassandra.session import UNAVAILABLE
from stormwatch.errors import StoreUnavailable

LOCK_EXPIRY_S = 120
"""Longer than any one statement may take; renewed before each."""
_POLL_S = 0.25

Progress = Callable[[str, str], None]
"""What is at work, and what it does now."""


class Lock:
    """The migrator's lock: a context manager. Raises StoreUnavailable if it cannot be had."""

    def __init__(self, session: Session, expiry_s: int, progress: Progress) -> None:
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
                self._progress(
                    "schema", f"locked by {holder}, for {self._expiry_s} s more if that died"
                )
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


def next_term(session: Session, keyspace: str, domain: str) -> int:
    """A greater number than any process was given for the domain. Raises the driver's errors.

    A try that was applied without being confirmed costs a number, no more.
    """
    name, last = f"term/{domain}", 0
    while True:
        if last:
            row = session.execute(
                f"UPDATE {keyspace}.locks SET owner = %s WHERE name = %s IF owner = %s",
                (str(last + 1), name, str(last)),
            ).one()  # [applied], owner
        else:
            row = session.execute(
                f"INSERT INTO {keyspace}.locks (name, owner) VALUES (%s, '1') IF NOT EXISTS",
                (name,),
            ).one()  # [applied], name, owner
        if row[0]:
            return last + 1
        last = int(row[-1])
