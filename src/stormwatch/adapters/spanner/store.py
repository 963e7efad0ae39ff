"""The store on Google Spanner. Tables and keys: schema/spanner.

Unlike Cassandra it has transactions: decisions, ledger and states of a batch are one commit, and a
higher stamp stays because what stands is read in the transaction that replaces it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

import msgspec
from google.api_core.exceptions import AlreadyExists

from stormwatch.adapters.spanner.archive import SpannerArchive
from stormwatch.adapters.spanner.logs import SpannerLogs
from stormwatch.adapters.spanner.people import SpannerPeople
from stormwatch.adapters.spanner.registry import SpannerRegistry
from stormwatch.adapters.spanner.schema import check_schema
from stormwatch.adapters.spanner.session import Database, Transaction, translated
from stormwatch.adapters.spanner.values import Row, in_days, writes
from stormwatch.ledger.reconcile import START, split
from stormwatch.records import LedgerRow, Outcomes, SetAside, StateRow
from stormwatch.settings import Settings
from stormwatch.state.decided import slots

CELLS = 60_000
"""In one commit; Spanner takes 80,000, those of indexes among them."""


class Table(NamedTuple):
    """Rows of which a higher stamp stays. The key's columns are the first."""

    name: str
    columns: str
    key: int

    @property
    def key_and_stamp(self) -> str:
        """What is read of the rows that are there."""
        return ", ".join([*self.columns.split(", ")[: self.key], "stamp"])


DECISIONS = Table(
    "decisions",
    "domain, stripe, entity, time, id, outcome, score, body, ktime, alerted, stamp, expires", 5,
)  # fmt: skip
STATES = Table("states", "domain, stripe, entity, state, stamp, expires", 3)
ASIDES = Table(
    "dead_letters",
    "domain, topic, `partition`, epoch, `offset`, state, ktime, code, reason, component, key, raw, "
    "stamp, expires", 6,
)  # fmt: skip
LEDGER = (
    "topic, `partition`, epoch, first, last, part, generation, attempt, bitmaps, age, fingerprint, "
    "expires"
)
DECIDED = (
    "domain, slot, topic, `partition`, epoch, first, last, part, generation, attempt, body, expires"
)
STARTS = "topic, `partition`, epoch, first, expires"
METERS = "topology, component, instance, body, expires"
_stamp = itemgetter(-2)


class Writes(NamedTuple):
    """What is written in one commit."""

    decisions: list[Row]
    states: list[Row]
    asides: list[Row]
    ledger: list[Row]
    starts: list[Row]
    decided: list[Row]

    @property
    def cells(self) -> int:
        """As Spanner counts them, about."""
        return 16 * (len(self.decisions) + len(self.asides)) + 6 * len(self.states)


def connect(settings: Settings) -> "SpannerStore":
    """A store with its tables checked.

    Raises StoreUnavailable if Spanner is not reached in time (call again), SchemaError if the
    database or its tables are not there or not those of this version, SettingsError if the
    settings do not say which database, or there are no credentials.
    """
    database = Database(settings)
    try:
        check_schema(database, settings)
        return SpannerStore(database, settings)
    except BaseException:
        database.close()
        raise


class SpannerStore(SpannerRegistry, SpannerLogs, SpannerArchive, SpannerPeople):
    """The port `Archive`, and `AtomicStore`; made by `connect`."""

    def load_states(self, domain: str, entities: Mapping[int, Sequence[str]]) -> dict[str, bytes]:
        """See the port."""
        rows = [(domain, stripe, name) for stripe, names in entities.items() for name in names]
        with translated(self._settings, "read states"):
            found = self._database.read("states", "entity, state", rows)
            return dict(map(tuple, found))

    def next_term(self, domain: str) -> int:
        """See the port."""

        def take(transaction: Transaction) -> int:
            found = transaction.read("terms", "term", [(domain,)])
            term = 1 + (found[0][0] if found else 0)
            transaction.write(writes("terms", "domain, term", [(domain, term)]))
            return term

        with translated(self._settings, "give a term"):
            return self._database.transact(take)

    def write_outcomes(self, *batches: Outcomes) -> None:
        """See the port."""
        self._commit("decisions", batches, states=False)

    def write_states(self, domain: str, rows: Sequence[StateRow]) -> None:
        """See the port."""
        with translated(self._settings, "confirm a write of states"):
            for at in range(0, len(rows), CELLS // 6):
                states = self._states(domain, rows[at : at + CELLS // 6])
                self._database.transact(_writing(Writes([], states, [], [], [], []), new=False))

    def commit(self, batches: Sequence[Outcomes]) -> None:
        """See the port."""
        self._commit("decisions and states", batches, states=True)

    def write_aside(
        self, domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int
    ) -> None:
        """See the port."""
        asides = self._asides(domain, rows, ledger, stamp)
        with translated(self._settings, "confirm a write of set-aside records"):
            for some in _weighed(asides):
                self._database.transact(_writing(Writes([], [], some, [], [], []), new=False))
            last = Writes([], [], [], *self._ledger(ledger), [])
            self._database.transact(_writing(last, new=False))

    def write_meter(self, topology: str, component: str, instance: str, body: bytes) -> None:
        """See the port."""
        row = (topology, component, instance, body, in_days(1))
        self._beside(lambda: self._database.write(writes("meters", METERS, [row])))

    def meters(self, topology: str) -> dict[tuple[str, str], bytes]:
        """See the port."""
        with translated(self._settings, "read meters"):
            rows = self._database.query(
                "SELECT component, instance, body FROM meters WHERE topology = @topology",
                topology=topology,
            )
            return {(component, instance): body for component, instance, body in rows}

    def close(self) -> None:
        """Leave. Idempotent."""
        self._database.close()

    def _commit(self, what: str, batches: Sequence[Outcomes], *, states: bool) -> None:
        with translated(self._settings, f"confirm a write of {what}"):
            for each in self._grouped(batches, states=states):
                try:
                    self._database.transact(_writing(each, new=True))
                except AlreadyExists:  # a try before this one wrote decisions
                    self._database.transact(_writing(each, new=False))

    def _grouped(self, batches: Sequence[Outcomes], *, states: bool) -> Iterator[Writes]:
        """Whole batches together, as many as one commit takes."""
        group = Writes([], [], [], [], [], [])
        for o in batches:
            one = Writes(
                self._decisions(o),
                self._states(o.domain, o.states) if states else [],
                self._asides(o.domain, o.aside, o.ledger, o.stamp),
                *self._ledger(o.ledger),
                self._decided(o),
            )
            if group.cells and group.cells + one.cells > CELLS:
                yield group
                group = Writes([], [], [], [], [], [])
            for mine, more in zip(group, one, strict=True):
                mine.extend(more)
        yield group

    def _decisions(self, o: Outcomes) -> list[Row]:
        until = in_days(self._settings.ttl_decisions_d)
        return [
            (o.domain, r.stripe, r.entity, r.time, r.id, r.outcome, r.score, bytes(r.body),
             r.timestamp, r.timestamp if r.alert else None, o.stamp, until)
            for r in o.decisions
        ]  # fmt: skip

    def _decided(self, o: Outcomes) -> list[Row]:
        f, until = o.fragment, in_days(self._settings.ttl_decisions_d)
        work = (f.topic, f.partition, f.epoch, f.first, f.last, o.ledger.part)
        return [
            (o.domain, slot, *work, f.generation, f.attempt, entries, until)
            for slot, entries in slots(o.decisions).items()
        ]

    def _states(self, domain: str, rows: Sequence[StateRow]) -> list[Row]:
        until = in_days(self._settings.ttl_states_d)
        return [(domain, r.stripe, r.entity, bytes(r.blob), r.stamp, until) for r in rows]

    def _asides(
        self, domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int
    ) -> list[Row]:
        f, until = ledger.fragment, in_days(self._settings.ttl_dead_letters_d)
        return [
            (domain, f.topic, f.partition, f.epoch, r.offset, r.state, r.timestamp, r.code,
             r.reason, r.component, r.key, r.raw, stamp, until)
            for r in rows
        ]  # fmt: skip

    def _ledger(self, row: LedgerRow) -> tuple[list[Row], list[Row]]:
        """(rows of the ledger, rows of where reading began)."""
        f, until = row.fragment, in_days(self._settings.ttl_ledger_d)
        if row.part == START:
            return [], [(f.topic, f.partition, f.epoch, f.first, until)]
        rows: list[Row] = []
        for piece in split(row):
            f, taken = piece.fragment, piece.fragment.fingerprint
            rows.append((
                f.topic, f.partition, f.epoch, f.first, f.last, piece.part, f.generation,
                f.attempt, msgspec.msgpack.encode(piece.bitmaps), piece.age,
                None if taken is None else msgspec.msgpack.encode(taken), until,
            ))  # fmt: skip
        return rows, []


def _writing(each: Writes, *, new: bool) -> Callable[[Transaction], None]:
    """What a transaction does to write these. `new`: no decision is believed to be there; where one
    is, its commit is refused with AlreadyExists."""

    def work(transaction: Transaction) -> None:
        if new and each.decisions and _distinct(DECISIONS, each.decisions):
            transaction.write(writes("decisions", DECISIONS.columns, each.decisions, new=True))
        else:
            _guarded(transaction, DECISIONS, each.decisions)
        _guarded(transaction, STATES, each.states)
        _guarded(transaction, ASIDES, each.asides)
        if each.ledger:
            transaction.write(writes("ledger", LEDGER, each.ledger))
        if each.decided:
            transaction.write(writes("decided", DECIDED, each.decided))
        if each.starts:
            transaction.write(writes("ledger_starts", STARTS, each.starts))

    return work


def _guarded(transaction: Transaction, table: Table, rows: Sequence[Row]) -> None:
    """Write rows whose stamp is not below what is there, or among them."""
    if not rows:
        return
    newest: dict[Row, Row] = {}
    for row in rows:
        key = tuple(row[: table.key])
        if key not in newest or _stamp(newest[key]) <= _stamp(row):
            newest[key] = row
    for *place, stamp in transaction.read(table.name, table.key_and_stamp, list(newest)):
        key = tuple(place)
        if stamp > _stamp(newest[key]):
            del newest[key]
    if newest:
        transaction.write(writes(table.name, table.columns, newest.values()))


def _distinct(table: Table, rows: Sequence[Row]) -> bool:
    return len({tuple(row[: table.key]) for row in rows}) == len(rows)


def _weighed(rows: Sequence[Row], most: int = 16 << 20) -> Iterator[list[Row]]:
    """Rows of set-aside records in commits of a bounded size."""
    some: list[Row] = []
    weight = 0
    for row in rows:
        some.append(row)
        weight += sum(len(cell) for cell in row if isinstance(cell, bytes | str))
        if weight > most or len(some) * 16 > CELLS:
            yield some
            some, weight = [], 0
    if some:
        yield some
