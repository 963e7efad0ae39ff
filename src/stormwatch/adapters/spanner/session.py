"""A Spanner database: reads, queries and transactions, each within the time limit of a request.

Google's generated client is used, not the one above it, which lets a commit take an hour and
fills its messages several times slower. Its errors become ours here, and nowhere else.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from typing import Any, TypeVar

from google.api_core import exceptions as api
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud.spanner_v1 import SpannerClient, TransactionOptions, TransactionSelector
from google.cloud.spanner_v1.services.spanner.transports import SpannerGrpcTransport
from google.cloud.spanner_v1.types import CommitRequest, ExecuteSqlRequest, ReadRequest
from google.protobuf.struct_pb2 import Struct
from grpc import insecure_channel

from stormwatch.adapters.spanner.values import (
    Commit,
    Row,
    cell,
    keys,
    names,
    rows_of,
    type_of,
)
from stormwatch.errors import SchemaError, SettingsError, StoreUnavailable, StormwatchError
from stormwatch.settings import Settings, variable

EMULATOR = "SPANNER_EMULATOR_HOST"
"""The variable by which all of Google's clients find an emulator."""
MESSAGE_BYTES = 128 << 20
KEYS = 1_000
"""Keys in one read."""
SCAN_TIMEOUT_S = 60.0
_MAKE = "Run `./stormwatch schema apply`."
_REFUSED = (api.InvalidArgument, api.FailedPrecondition, api.OutOfRange, api.AlreadyExists)
_PAUSES_S = (0.005, 0.32)
"""Before a transaction that was aborted is begun again: at first, at most."""

T = TypeVar("T")


def emulator(settings: Settings) -> str:
    """host:port of an emulator that takes Spanner's place, "" where none does."""
    return settings.spanner_emulator or os.environ.get(EMULATOR, "")


def database_path(settings: Settings) -> str:
    """As the API names it. Raises SettingsError without a project or an instance."""
    for key in ("project", "instance"):
        if not getattr(settings, f"spanner_{key}"):
            raise SettingsError(
                f'store is "spanner" and spanner.{key} is not set. Set {variable(f"spanner.{key}")}'
                f", or {key} under [spanner] in stormwatch.toml (docs/on-spanner.md)."
            )
    return (
        f"projects/{settings.spanner_project}/instances/{settings.spanner_instance}"
        f"/databases/{settings.spanner_database}"
    )


@contextmanager
def translated(settings: Settings, action: str) -> Iterator[None]:
    """Raise what Google's client raises as StoreUnavailable, or SchemaError where asking again
    cannot help, or SettingsError where there are no credentials."""
    path = f"{settings.spanner_instance}/{settings.spanner_database}"
    where = emulator(settings) or f"project {settings.spanner_project}"
    try:
        yield
    except StormwatchError:
        raise
    except DefaultCredentialsError as error:
        raise SettingsError(
            "Spanner needs credentials and there are none here. Run `gcloud auth "
            "application-default login`, or name a key file with GOOGLE_APPLICATION_CREDENTIALS; "
            f"for an emulator set {variable('spanner.emulator')}."
        ) from error
    except api.NotFound as error:
        if "Instance not found" in error.message:
            raise SchemaError(
                f"Spanner did not {action}: there is no instance {settings.spanner_instance!r} in "
                f"project {settings.spanner_project}. Create it (`gcloud spanner instances create`"
                f"), or correct {variable('spanner.instance')}."
            ) from error
        raise SchemaError(
            f"Spanner did not {action} of {path}: {error.message}. {_MAKE}"
        ) from error
    except (api.PermissionDenied, api.Unauthenticated) as error:
        raise StoreUnavailable(
            f"Spanner did not {action}: {error.message} ({where}). Give this identity the role "
            "roles/spanner.databaseUser on the database, or use another one."
        ) from error
    except _REFUSED as error:
        raise SchemaError(
            f"Spanner refused to {action}: {error.message}. The tables of {path} are not those of "
            f"this version, or a value is too large. {_MAKE}"
        ) from error
    except (api.GoogleAPICallError, api.RetryError, GoogleAuthError, OSError) as error:
        told = getattr(error, "message", "") or str(error)
        raise StoreUnavailable(
            f"Spanner did not {action}: {told} ({where}). See that it is reached from here"
            f"{'; the emulator must run' if emulator(settings) else ''}."
        ) from error


class Transaction:
    """Reads, and what is written at its end if nobody has touched what was read."""

    def __init__(self, database: "Database", session: str) -> None:
        self._database, self._session = database, session
        self._id = b""
        self._writes: list[Any] = []

    def read(self, table: str, columns: str, rows: Sequence[Row]) -> list[list[Any]]:
        """Columns of the rows of these whole keys that are there, in no order."""
        out: list[list[Any]] = []
        for at in range(0, len(rows), KEYS):
            request = ReadRequest(
                session=self._session, transaction=self._chosen(), table=table,
                columns=names(columns), key_set=keys(rows[at : at + KEYS]),
            )  # fmt: skip
            stream = self._database.api.streaming_read
            out += self._database.answered(stream, request, self._begun)
        return out

    def query(self, sql: str, **parameters: Any) -> list[list[Any]]:
        """Rows of a SELECT."""
        request = self._database.statement(sql, parameters, self._session)
        request.transaction = self._chosen()
        return list(
            self._database.answered(self._database.api.execute_streaming_sql, request, self._begun)
        )

    def write(self, *mutations: Any) -> None:
        """To be applied by the commit, in this order."""
        self._writes += mutations

    def commit(self) -> None:
        """All or nothing. Raises Aborted where another one came between."""
        if not self._writes:
            self.end()
            return
        request = Commit(session=self._session, mutations=self._writes)
        if self._id:
            request.transaction_id = self._id
        else:
            request.single_use_transaction.read_write.SetInParent()
        self._database.api.commit(
            CommitRequest.wrap(request), retry=None, timeout=self._database.timeout_s
        )

    def end(self) -> None:
        """Give up what was read and written, and its locks."""
        if self._id:
            with suppress(api.GoogleAPICallError):  # then it ends by itself, in seconds
                self._database.api.rollback(
                    session=self._session, transaction_id=self._id,
                    retry=None, timeout=self._database.timeout_s,
                )  # fmt: skip

    def _chosen(self) -> TransactionSelector:
        if self._id:
            return TransactionSelector(id=self._id)
        return TransactionSelector(begin=TransactionOptions(read_write={}))

    def _begun(self, part: Any) -> None:
        self._id = self._id or part.metadata.transaction.id


class Database:
    """Any thread may use it. Sessions are made as they are needed, and used again."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError. Nothing is asked of Spanner yet."""
        self.path = database_path(settings)
        self.timeout_s = settings.spanner_request_timeout_s
        self._sessions: LifoQueue[str] = LifoQueue()
        with translated(settings, "be prepared"):
            self.api = _client(emulator(settings))

    def read(self, table: str, columns: str, rows: Sequence[Row]) -> Iterator[list[Any]]:
        """Columns of the rows of these whole keys that are there, in no order."""
        for at in range(0, len(rows), KEYS):
            some = rows[at : at + KEYS]

            def ask(session: str, some: Sequence[Row] = some) -> list[list[Any]]:
                request = ReadRequest(
                    session=session, table=table, columns=names(columns), key_set=keys(some)
                )
                return list(self.answered(self.api.streaming_read, request))

            yield from self._asked(ask)

    def query(self, sql: str, **parameters: Any) -> list[list[Any]]:
        """Rows of a SELECT."""

        def ask(session: str) -> list[list[Any]]:
            request = self.statement(sql, parameters, session)
            return list(self.answered(self.api.execute_streaming_sql, request))

        return self._asked(ask)

    def scan(self, sql: str, **parameters: Any) -> Iterator[list[Any]]:
        """Rows of a SELECT of many, as they come."""
        with self._session() as session:
            request = self.statement(sql, parameters, session)
            stream = self.api.execute_streaming_sql
            yield from self.answered(stream, request, timeout_s=SCAN_TIMEOUT_S)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """What `work` returns, once what it wrote is committed. Where another transaction came
        between, all is done again, for as long as a request may take."""
        until = time.monotonic() + self.timeout_s
        pause, most = _PAUSES_S
        while True:
            try:
                return self._asked(lambda session: self._tried(work, Transaction(self, session)))
            except api.Aborted:
                if time.monotonic() + pause > until:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, most)

    def write(self, *mutations: Any) -> None:
        """All of them, or none."""
        self.transact(lambda transaction: transaction.write(*mutations))

    def close(self) -> None:
        """Leave; sessions end on Spanner's side within an hour. Idempotent."""
        self.api.transport.close()

    def statement(self, sql: str, parameters: dict[str, Any], session: str) -> ExecuteSqlRequest:
        """The request of a statement; parameters are typed by their values."""
        fields = Struct(fields={name: cell(value) for name, value in parameters.items()})
        types = {name: type_of(value) for name, value in parameters.items()}
        request = ExecuteSqlRequest(session=session, sql=sql, param_types=types)
        ExecuteSqlRequest.pb(request).params.CopyFrom(fields)
        return request

    def answered(
        self,
        call: Callable[..., Any],
        request: Any,
        seen: Callable[[Any], None] = lambda part: None,
        timeout_s: float | None = None,
    ) -> Iterator[list[Any]]:
        """Rows of the answer; `seen` is told each part of it."""

        def parts() -> Iterator[Any]:
            for part in call(request, retry=None, timeout=timeout_s or self.timeout_s):
                seen(part)
                yield part

        return rows_of(parts())

    @staticmethod
    def _tried(work: Callable[[Transaction], T], transaction: Transaction) -> T:
        try:
            result = work(transaction)
        except BaseException:
            transaction.end()
            raise
        transaction.commit()
        return result

    def _asked(self, ask: Callable[[str], T]) -> T:
        """`ask` with a session; again with a new one where Spanner has forgotten the first."""
        try:
            with self._session() as session:
                return ask(session)
        except api.NotFound as error:
            if "Session not found" not in error.message:
                raise
        while not self._sessions.empty():
            self._sessions.get_nowait()
        with self._session() as session:
            return ask(session)

    @contextmanager
    def _session(self) -> Iterator[str]:
        try:
            session = self._sessions.get_nowait()
        except Empty:
            made = self.api.create_session(database=self.path, retry=None, timeout=self.timeout_s)
            session = made.name
        try:
            yield session
        except api.NotFound:  # perhaps it is the session that is not found
            raise
        except BaseException:
            self._sessions.put(session)
            raise
        self._sessions.put(session)


def _client(host: str) -> SpannerClient:
    if not host:
        return SpannerClient()
    channel = insecure_channel(
        host,
        options=[
            ("grpc.max_send_message_length", MESSAGE_BYTES),
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ],
    )
    return SpannerClient(transport=SpannerGrpcTransport(channel=channel))
