"""Would this Cassandra take what the topologies write, and is its clock ours?"""

from collections.abc import Iterator
from time import time

from apps.local.doctor.finding import FAIL, OK, WARN, Finding
from stormwatch.errors import SchemaError, StormwatchError
from stormwatch.settings import Settings

_APART_S = 5.0


def check(settings: Settings) -> Iterator[Finding]:
    """Of a Cassandra that accepts connections: clock, tables, the right to write them."""
    from stormwatch.adapters.cassandra.session import open_session, translated

    keyspace = settings.cassandra_keyspace
    try:
        session = open_session(settings)
    except StormwatchError as error:
        yield Finding("Cassandra", FAIL, str(error))
        return
    try:
        with translated(settings, "tell its time"):
            before = time()
            row = session.execute("SELECT toUnixTimestamp(now()) FROM system.local").one()
            yield from _clock(row[0] / 1000 - (before + time()) / 2)
        with translated(settings, f"say whether there is a keyspace {keyspace}"):
            there = session.execute(
                "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s",
                [keyspace],
            ).one()
        if there is None:
            what = f"There is no keyspace {keyspace} yet; `run` and `schema apply` make it."
            yield Finding("Cassandra tables", OK, what)
            return
        with translated(settings, f"take a row into {keyspace}.meters"):
            session.execute(
                f"INSERT INTO {keyspace}.meters (topology, component, instance, body) "
                "VALUES ('doctor', '', '', 0x) USING TTL 1"
            )
    except SchemaError as error:
        yield Finding("Cassandra tables", FAIL, str(error))
    except StormwatchError as error:
        yield Finding("Cassandra rights", FAIL, str(error))
    else:
        yield Finding("Cassandra tables", OK, f"The keyspace {keyspace} may be written.")
    finally:
        session.cluster.shutdown()


def _clock(ahead_s: float) -> Iterator[Finding]:
    if abs(ahead_s) > _APART_S:
        yield Finding(
            "clock",
            WARN,
            f"Cassandra's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} "
            "this machine's.",
            "A reader judges records that are dated far ahead by its own clock, and rows expire by "
            "Cassandra's: decisions do not depend on it, but how long they are kept does.",
            "Let both follow a time server: `timedatectl` shows whether this machine does.",
        )
