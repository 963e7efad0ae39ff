"""The outside in memory: what components connect to while a test runs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from stormwatch.adapters import connect
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ports import Sink, Source, Store
from stormwatch.records import Decision, LedgerRow, Outcomes, SetAside, StateRow
from stormwatch.settings import Settings
from stormwatch.state.decided import in_order
from stormwatch.state.envelope import Envelope
from stormwatch.state.news import is_news, names_in


class Ports(NamedTuple):
    """Cassandra and Kafka in memory; both pass the contract suites of the real adapters."""

    store: MemoryStore
    broker: MemoryBroker


@contextmanager
def memory_ports(store: Store | None = None, sink: Sink | None = None) -> Iterator[Ports]:
    """Components that connect meanwhile get these, or new ones in memory."""
    ports = Ports(MemoryStore(), MemoryBroker())
    given = store or ports.store
    taken = sink or MemorySink(ports.broker)

    def source(settings: Settings, topic: str) -> Source:
        return MemorySource(ports.broker, topic, settings.kafka_group, settings.topic_control)

    doubles = connect.Doubles(
        source, lambda: taken, lambda: MemoryAdmin(ports.broker), lambda: given
    )
    before = connect.use(doubles)
    try:
        yield ports
    finally:
        connect.use(before)


def decisions(store: MemoryStore, domain: str) -> list[Decision]:
    """What was decided under this name and stored, in order of partition and offset."""
    bodies = [bytes(stored.row.body) for stored in store.all_decisions(domain)]
    decided = [msgspec.json.decode(body, type=Decision) for body in bodies]
    return sorted(decided, key=lambda one: (one.partition, one.offset))


class ForgetfulStore(MemoryStore):
    """Confirms every write and keeps none: what grows beside it is the component."""

    def write_outcomes(self, *batches: Outcomes) -> None:
        """Nothing."""

    def write_states(self, domain: str, rows: Sequence[StateRow]) -> None:
        """Nothing."""

    def write_aside(
        self, domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int
    ) -> None:
        """Nothing."""


class ForgetfulSink:
    """Confirms every record and keeps none."""

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Nothing."""

    def flush(self, timeout: float) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def effects(ports: Ports) -> Mapping[str, object]:
    """What was done to the outside, in a form that is equal when the effect is the same.

    Cells by value, without their write timestamps (an entity's state holds one, too); the ledger as
    end state of each offset, and the index of decisions as what it names, however many tries wrote
    rows of it; Kafka's records as a set, for they come at least once. Of rows of news the names: a
    new process counts them anew, so that readers forget what they know.
    """
    tables = {
        table: {
            key: {c: _named(v) if _is_news(table, key) else _bare(v) for c, (_, v) in row.items()}
            for key, row in rows.items()
        }
        for table, rows in ports.store.tables.items()
        if table not in ("ledger", "decided")
    }
    ends = set()
    for row in ports.store.tables.get("ledger", {}).values():
        kept: LedgerRow = row["row"][1]
        f = kept.fragment
        for state, bits in kept.bitmaps.items():
            whole = int.from_bytes(bits, "little")
            ends |= {
                (f.topic, f.partition, f.epoch, f.first + i, state)
                for i in range(whole.bit_length())
                if whole >> i & 1
            }
    indexed = {
        msgspec.json.encode(entry)
        for row in ports.store.tables.get("decided", {}).values()
        for entry in in_order([row["body"][1]])
    }
    told = {
        (name, record.key, record.value)
        for name, topic in ports.broker._topics.items()
        for log in topic.logs
        for record in log.records
    }
    return {"tables": tables, "ledger": ends, "decided": indexed, "kafka": told}


def _is_news(table: str, key: tuple[Any, ...]) -> bool:
    return table == "states" and is_news(key[2])


def _named(value: object) -> object:
    """The one cell of a row of news."""
    return names_in(value) if isinstance(value, bytes) else value


def _bare(value: object) -> object:
    """A cell's value; of an entity's state without the stamp that orders its writes."""
    if not isinstance(value, bytes):
        return value
    try:
        found = msgspec.msgpack.decode(value, type=Envelope[Any])
    except msgspec.DecodeError:
        return value
    return msgspec.structs.replace(found, stamp=0)
