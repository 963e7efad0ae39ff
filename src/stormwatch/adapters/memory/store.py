"""The store in memory, with Cassandra's semantics: for tests, and to measure all but Cassandra.

Each cell keeps the value with the highest timestamp; of equal timestamps the one that expires
later, which is the one written later (every row has its table's TTL, in whole seconds); of equal
seconds the larger value. A row cut off in the middle of a write stays written. TTLs do not run
out. What it is asked to fail it fails like Cassandra: with StoreUnavailable, some rows written,
perhaps all.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from stormwatch.adapters import log_registry as registry
from stormwatch.adapters.log_registry import Registered
from stormwatch.adapters.memory.archive import MemoryArchive
from stormwatch.adapters.memory.cursors import MemoryCursors
from stormwatch.adapters.memory.people import MemoryPeople
from stormwatch.adapters.memory.registry import MemoryRegistry
from stormwatch.errors import StoreUnavailable
from stormwatch.ledger.reconcile import START, split
from stormwatch.ports import StoredAside
from stormwatch.records import (
    DecisionKey,
    DecisionRow,
    LedgerRow,
    Outcomes,
    SetAside,
    StateRow,
)
from stormwatch.state.alerts import standing
from stormwatch.state.decided import slots
from stormwatch.stretches import Stretch

Key = tuple[Any, ...]
Cell = tuple[int, Any]  # write timestamp, value
Row = dict[str, Cell]
Write = tuple[str, Key, int, dict[str, Any]]  # table, key, timestamp, column -> value


@dataclass
class Fault:
    """What goes wrong with the next call that it fits; then it is used up.

    `rows`: how many of the call's rows are written before it fails; None writes them all and loses
    the confirmation. `method`: the name of the only call it fits, any if empty.
    """

    rows: int | None = 0
    method: str = ""


class MemoryStore(MemoryPeople, MemoryArchive, MemoryCursors, MemoryRegistry):
    """The port `Archive`. One thread may write while others read.

    `down` makes every call fail; `faults` fail one call each, in order.
    """

    def __init__(self, period_h: int = 24, now: Callable[[], float] = time.time) -> None:
        """`now`: the time that TTLs are counted from, s."""
        super().__init__()
        self._now = now
        self._written: dict[tuple[str, Key], int] = {}
        self.down = False
        self.faults: list[Fault] = []
        self.tables: dict[str, dict[Key, Row]] = {}
        """Table -> key -> column -> (write timestamp, value)."""
        self._period_ms = period_h * 3_600_000
        self._terms: dict[str, int] = {}
        self._registered: list[Registered] = []
        self._sizes: dict[str, tuple[int, int]] = {}
        self._meters: dict[str, dict[tuple[str, str], bytes]] = {}

    def load_states(self, domain: str, entities: Mapping[int, Sequence[str]]) -> dict[str, bytes]:
        """See the port."""
        self._fail("load_states")
        table = self.tables.get("states", {})
        return {
            name: row["state"][1]
            for stripe, names in entities.items()
            for name in names
            if (row := table.get((domain, stripe, name))) is not None
        }

    def next_term(self, domain: str) -> int:
        """See the port."""
        self._fail("next_term")
        self._terms[domain] = self._terms.get(domain, 0) + 1
        return self._terms[domain]

    def incarnation(self, log: str, nth: int, claim: tuple[int, str] | None) -> int:
        """See the port."""
        self._fail("incarnation")
        return registry.incarnation(self._registered, log, nth, claim)

    def resizes(self, log: str, partitions: int, known: tuple[int, int] | None) -> int:
        """See the port."""
        self._fail("resizes")
        before = self._sizes.get(log)
        self._sizes[log] = registry.sized(before, partitions, known)
        return self._sizes[log][1]

    def stretches(self, log: str) -> list[Stretch]:
        """See the port."""
        self._fail("stretches")
        found = sorted(self.tables.get("log_stretches", {}).items())
        return [
            Stretch(key[1], key[2], **{column: value for column, (_, value) in row.items()})
            for key, row in found
            if key[0] == log and "first" in row
        ]

    def write_stretches(self, log: str, stretches: Sequence[Stretch]) -> None:
        """See the port."""
        self._write("write_stretches", [w for each in stretches for w in _stretch(log, each)])

    def note_position(self, log: str, stretch: Stretch) -> None:
        """See the port."""
        if not self.down:
            self._apply([_stretch(log, stretch)[1]])

    def write_outcomes(self, *batches: Outcomes) -> None:
        """See the port."""
        self._write("write_outcomes", [each for o in batches for each in self._outcomes(o)])

    def _outcomes(self, o: Outcomes) -> list[Write]:
        f = o.fragment
        writes: list[Write] = []
        for r in o.decisions:
            cells = {"outcome": r.outcome, "score": r.score, "body": bytes(r.body)}
            cells |= {"timestamp": r.timestamp, "alert": r.alert}
            place = (o.domain, r.stripe, r.time // self._period_ms, r.entity, r.time, r.id)
            writes.append(("decisions", place, o.stamp, cells))
        for r in o.decisions:
            if r.alert:
                key = (o.domain, f.topic, f.partition, r.timestamp, r.entity, r.id)
                writes.append(("alerts", key, o.stamp, {"row": r}))
        for slot, entries in slots(o.decisions).items():
            work = (f.epoch, f.first, f.last, o.ledger.part, f.generation, f.attempt)
            indexed = (o.domain, f.topic, f.partition, slot, *work)
            writes.append(("decided", indexed, o.stamp, {"body": entries}))
        return writes + _asides(o.domain, o.aside, o.ledger, o.stamp)

    def write_states(self, domain: str, rows: Sequence[StateRow]) -> None:
        """See the port."""
        self._write(
            "write_states",
            [("states", (domain, r.stripe, r.entity), r.stamp, {"state": r.blob}) for r in rows],
        )

    def write_aside(
        self, domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int
    ) -> None:
        """See the port."""
        self._write("write_aside", _asides(domain, rows, ledger, stamp))

    def find_decisions(self, domain: str, keys: Sequence[DecisionKey]) -> list[DecisionRow]:
        """See the port."""
        self._fail("find_decisions")
        table = self.tables.get("decisions", {})
        found = []
        for k in set(keys):
            row = table.get((domain, k.stripe, k.time // self._period_ms, k.entity, k.time, k.id))
            if row is not None:
                found.append(
                    DecisionRow(
                        k.stripe, k.entity, k.time, k.id, **{c: v for c, (_, v) in row.items()}
                    )
                )
        return found

    def ledger(
        self, topic: str, partition: int, epoch: int, first: int, last: int
    ) -> Iterator[LedgerRow]:
        """See the port."""
        self._fail("ledger")
        place = (topic, partition, epoch)
        rows = [
            row["row"][1]
            for key, row in sorted(self.tables.get("ledger", {}).items())
            if key[:3] == place and key[3] <= last and key[4] >= first
        ]
        return iter(rows)

    def ledger_starts(self, topic: str) -> list[tuple[int, int, int]]:
        """See the port."""
        self._fail("ledger_starts")
        starts = list(self.tables.get("starts", {}))
        return sorted(key[1:] for key in starts if key[0] == topic)

    def write_meter(self, topology: str, component: str, instance: str, body: bytes) -> None:
        """See the port."""
        if not self.down:
            self._meters.setdefault(topology, {})[component, instance] = body

    def meters(self, topology: str) -> dict[tuple[str, str], bytes]:
        """See the port."""
        self._fail("meters")
        return dict(self._meters.get(topology, {}))

    def alerts(self, domain: str, limit: int) -> list[DecisionRow]:
        """See the port."""
        self._fail("alerts")
        alerts = list(self.tables.get("alerts", {}).items())
        rows = [r["row"][1] for k, r in alerts if k[0] == domain]
        return standing(rows, limit, lambda keys: self.find_decisions(domain, keys))

    def set_aside(self, domain: str, limit: int) -> list[StoredAside]:
        """See the port."""
        self._fail("set_aside")
        rows = [
            StoredAside(key[1], key[2], key[3], row["row"][1])
            for key, row in list(self.tables.get("dead_letters", {}).items())
            if key[0] == domain
        ]
        return sorted(rows, key=lambda a: (-a.row.timestamp, *a[:3], -a.row.offset))[:limit]

    def close(self) -> None:
        """Nothing to leave: what was written stays."""

    def _fail(self, method: str) -> Fault | None:
        """Raise what a read would; hand a fault on to a write."""
        if self.down:
            raise StoreUnavailable(f"the store is down ({method})")
        for fault in self.faults:
            if fault.method in ("", method):
                self.faults.remove(fault)
                if not method.startswith("write"):
                    raise StoreUnavailable(f"no answer to {method}")
                return fault
        return None

    def _write(self, method: str, writes: list[Write]) -> None:
        fault = self._fail(method)
        self._apply(writes[: fault.rows if fault else None])
        if fault:
            raise StoreUnavailable(f"{method} was not confirmed")

    def _apply(self, writes: list[Write]) -> None:
        for table, key, stamp, cells in writes:
            rows = self.tables.setdefault(table, {})
            row = dict(rows.get(key, {}))  # who reads meanwhile sees whole rows
            second, before = int(self._now()), self._written.get((table, key), 0)
            for column, value in cells.items():
                old = row.get(column)
                if old is None or _wins((stamp, second, value), (old[0], before, old[1])):
                    row[column] = (stamp, value)
                    self._written[table, key] = second
            rows[key] = row


def _wins(new: tuple[int, int, Any], old: tuple[int, int, Any]) -> bool:
    """Of (write timestamp, second of the write, value)."""
    return new[:2] > old[:2] or (new[:2] == old[:2] and _order(new[2]) > _order(old[2]))


def _order(value: Any) -> Any:
    """Structs have no order; between equal timestamps their text decides."""
    return value if isinstance(value, (bytes, str, int, float)) else repr(value)


def _stretch(log: str, s: Stretch) -> list[Write]:
    key = (log, s.partition, s.incarnation)
    kept = {name: getattr(s, name) for name in registry.BY_GENERATION}
    return [
        ("log_stretches", key, s.generation + 1, kept),
        (
            "log_stretches",
            key,
            s.position + 1,
            {"position": s.position, "fingerprints": s.fingerprints},
        ),
    ]


def _asides(domain: str, rows: Sequence[SetAside], ledger: LedgerRow, stamp: int) -> list[Write]:
    f = ledger.fragment
    writes: list[Write] = [
        ("dead_letters", (domain, f.topic, f.partition, f.epoch, r.state, r.offset), stamp,
         {"row": r})
        for r in rows
    ]  # fmt: skip
    if ledger.part == START:
        return [*writes, ("starts", (f.topic, f.partition, f.epoch, f.first), stamp, {})]
    for piece in split(ledger):
        p = piece.fragment
        tried = (piece.part, p.generation, p.attempt)
        key = (p.topic, p.partition, p.epoch, p.first, p.last, *tried)
        kept = replace(piece, fragment=replace(p, believed=()))
        writes.append(("ledger", key, stamp, {"row": kept}))
    return writes
