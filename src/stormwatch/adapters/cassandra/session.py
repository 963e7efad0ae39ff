"""Sessions with Cassandra: how we connect, and the one place where driver errors become ours."""

import logging
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cassandra import (
    AlreadyExists,
    AuthenticationFailed,
    ConsistencyLevel,
    DependencyException,
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    ProtocolVersion,
    Unauthorized,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    QueryExhausted,
    Session,
    UserTypeDoesNotExist,
)
from cassandra.connection import ConnectionBusy, ConnectionException, ProtocolError
from cassandra.metadata import NoMurmur3
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.pool import NoConnectionsAvailable
from cassandra.protocol import (
    ConfigurationException,
    ErrorMessage,
    InternalError,
    NotSupportedError,
    SyntaxException,
)
from cassandra.query import TraceUnavailable, tuple_factory
from cassandra.segment import CrcException

from stormwatch.errors import SchemaError, SettingsError, StoreUnavailable
from stormwatch.settings import Settings, variable

CONNECT_TIMEOUT_S = 5.0
"""To open one connection; with several contact points the limit holds for each."""
RECONNECT_MAX_S = 5.0
"""Longest wait between two tries to reach a node again; the driver's own default is 600."""

PROTOCOL = ProtocolVersion.V4
"""Cassandra 2.2 and newer speak it. In version 5 the driver (3.30.1) loses what it has read when
that ends within a segment's first six bytes: the answer never comes, or is a "CRC mismatch"."""

NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
"""The driver leaves Nagle's algorithm on: with the server's delayed acks a small batch that goes
out in more than one piece would wait 40 ms."""

REFUSED = (InvalidRequest, AlreadyExists, ConfigurationException, SyntaxException)
"""The request itself is wrong: asking again cannot help."""
FORBIDDEN = (AuthenticationFailed, Unauthorized)
UNAVAILABLE = (
    DriverException,
    NoHostAvailable,
    NoConnectionsAvailable,
    ConnectionException,
    ConnectionBusy,
    ProtocolError,
    ErrorMessage,
    NotSupportedError,
    InternalError,
    DependencyException,
    QueryExhausted,
    TraceUnavailable,
    UserTypeDoesNotExist,
    CrcException,
    NoMurmur3,
    OSError,
)
"""Everything else the driver raises; a test keeps these tuples complete."""


@contextmanager
def translated(
    settings: Settings, action: str, request_timeout_s: float | None = None
) -> Iterator[None]:
    """Raise what the driver raises as StoreUnavailable (or SchemaError for a wrong request).

    `request_timeout_s` is that of the session, where it is not the setting's.
    """
    try:
        yield
    except REFUSED as error:
        raise SchemaError(
            f"Cassandra refused to {action}: {error}. The tables of keyspace "
            f"{settings.cassandra_keyspace} are not those of this version, or a value is too "
            "large. Run `./stormwatch schema apply`."
        ) from error
    except UNAVAILABLE as error:
        limit = request_timeout_s or settings.cassandra_request_timeout_s
        cause = _cause(error, settings, limit)
        raise StoreUnavailable(f"Cassandra did not {action}: {cause}") from error


def open_session(settings: Settings, request_timeout_s: float | None = None) -> Session:
    """A session without keyspace. The caller ends it with `session.cluster.shutdown()`.

    Raises StoreUnavailable within CONNECT_TIMEOUT_S a contact point, SettingsError for a setting
    that cannot be meant.
    """
    logging.getLogger("cassandra").setLevel(logging.ERROR)
    logging.getLogger("cassandra.cluster").setLevel(logging.CRITICAL)  # we report those ourselves
    keyspace_of(settings)
    timeout = min(CONNECT_TIMEOUT_S, settings.cassandra_request_timeout_s)
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(
            DCAwareRoundRobinPolicy(local_dc=settings.cassandra_datacenter)
        ),
        retry_policy=FallthroughRetryPolicy(),  # the whole batch is tried again, not a request
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=request_timeout_s or settings.cassandra_request_timeout_s,
        row_factory=tuple_factory,
    )
    with translated(settings, "accept a connection"):
        cluster = Cluster(
            [host.strip() for host in settings.cassandra_contact_points.split(",")],
            port=settings.cassandra_port,
            auth_provider=_credentials(settings),
            ssl_context=_tls(settings),
            protocol_version=PROTOCOL,
            compression=False,
            sockopts=NO_DELAY,
            connect_timeout=timeout,
            control_connection_timeout=timeout,
            idle_heartbeat_interval=10,
            idle_heartbeat_timeout=10,
            reconnection_policy=ExponentialReconnectionPolicy(0.5, RECONNECT_MAX_S, None),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        )
        try:
            return cluster.connect()
        except BaseException:  # also at Ctrl-C: its threads would keep the process
            known = {str(host.datacenter) for host in cluster.metadata.all_hosts()} - {"None"}
            cluster.shutdown()
            if known and settings.cassandra_datacenter not in known:
                raise SettingsError(
                    f"cassandra.datacenter is {settings.cassandra_datacenter!r}; this cluster has "
                    f"{', '.join(sorted(known))}. Set {variable('cassandra.datacenter')}."
                ) from None
            raise


def keyspace_of(settings: Settings) -> str:
    """The keyspace's name, safe inside a statement. Raises SettingsError for another."""
    name = settings.cassandra_keyspace
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", name):
        raise SettingsError(
            f"cassandra.keyspace is {name!r}; it must be lower-case letters, digits and _, "
            "at most 48, beginning with a letter."
        )
    return name


def is_busy(error: NoHostAvailable) -> bool:
    """Whether a request was not even sent because every node's socket was full just then."""
    return all(isinstance(one, ConnectionBusy) for one in _errors(error))


def _credentials(settings: Settings) -> Any:
    if not settings.cassandra_username:
        return None
    return PlainTextAuthProvider(settings.cassandra_username, settings.cassandra_password)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.cassandra_ssl_ca:
        return None
    try:
        return ssl.create_default_context(cafile=settings.cassandra_ssl_ca)
    except OSError as error:
        raise SettingsError(
            f"cassandra.ssl_ca: {settings.cassandra_ssl_ca} cannot be used ({error}). "
            "It must be a file of PEM certificates."
        ) from error


def _cause(error: BaseException, settings: Settings, limit_s: float) -> str:
    """The driver's error as a sentence, with what to do. Whoever tries again says so itself."""
    where = f"{settings.cassandra_contact_points} port {settings.cassandra_port}"
    inner = _errors(error)
    if any(isinstance(one, FORBIDDEN) for one in inner):
        return (
            f"user {settings.cassandra_username!r} was refused ({error}). Correct "
            f"{variable('cassandra.username')} and {variable('cassandra.password')}."
        )
    if isinstance(error, OperationTimedOut):
        return f"no answer within {limit_s:g} s from {where}. See `./stormwatch doctor`."
    told = "; ".join(sorted({f"{type(one).__name__}: {one}" for one in inner})) or str(error)
    if "certificate" in told.lower():
        return f"{told} ({where}). Correct {variable('cassandra.ssl_ca')}."
    return f"{told} ({where}). See `./stormwatch doctor`."


def _errors(error: BaseException) -> list[BaseException]:
    """What each host said, where the driver gives that."""
    if isinstance(error, NoHostAvailable) and error.errors and isinstance(error.errors, dict):
        return list(error.errors.values())
    return [error]
