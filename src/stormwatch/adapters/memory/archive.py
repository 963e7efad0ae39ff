"""The port `Archive` in memory, over the tables of `store_memory`."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from stormwatch.archive import AlertPlace, Erased, LetterAct, StoredDecision
from stormwatch.people import AlertKey
from stormwatch.ports import StoredAside
from stormwatch.records import DecisionKey, DecisionRow, StateRow, day_of
from stormwatch.state.alerts import standing
from stormwatch.state.decided import SLOT_MS, Entry, in_order, without
from stormwatch.state.write_timestamps import epoch_of


class MemoryArchive:
    """What `MemoryStore` offers beyond `Store`."""

    tables: dict[str, dict[tuple[Any, ...], dict[str, tuple[int, Any]]]]

    @abstractmethod
    def _fail(self, method: str) -> Any: ...

    @abstractmethod
    def _write(self, method: str, writes: list[Any]) -> None: ...

    @abstractmethod
    def find_decisions(self, domain: str, keys: Sequence[DecisionKey]) -> list[DecisionRow]: ...

    def asides(self, domain: str) -> Iterator[StoredAside]:
        """See the port."""
        self._fail("asides")
        rows = self._letters(domain)
        return iter(sorted(rows, key=lambda letter: -(day_of(letter.row.timestamp))))

    def find_asides(
        self, domain: str, topic: str, partition: int, epoch: int, offset: int
    ) -> list[StoredAside]:
        """See the port."""
        self._fail("find_asides")
        place = (topic, partition, epoch, offset)
        return [each for each in self._letters(domain) if (*each[:3], each.row.offset) == place]

    def write_act(self, domain: str, act: LetterAct) -> None:
        """See the port."""
        key = (domain, act.topic, act.partition, act.epoch, act.offset, act.at, act.act)
        self._write("write_act", [("letter_acts", key, act.at, {"row": act})])

    def acts(self, domain: str, topic: str, partition: int) -> list[LetterAct]:
        """See the port."""
        self._fail("acts")
        table = sorted(self.tables.get("letter_acts", {}).items())
        return [row["row"][1] for key, row in table if key[:3] == (domain, topic, partition)]

    def find_state(self, domain: str, stripe: int, entity: str) -> StateRow | None:
        """See the port."""
        self._fail("find_state")
        row = self.tables.get("states", {}).get((domain, stripe, entity))
        return None if row is None else StateRow(stripe, entity, *reversed(row["state"]))

    def alerts_after(self, domain: str, place: AlertPlace, limit: int) -> list[DecisionRow]:
        """See the port."""
        self._fail("alerts_after")
        rows = [
            row["row"][1]
            for (name, _, _, timestamp, entity, key), row in list(
                self.tables.get("alerts", {}).items()
            )
            if name == domain and (-timestamp, entity, key) > (-place.timestamp, *place[1:])
        ]
        return standing(rows, limit, lambda keys: self.find_decisions(domain, keys))

    def decided(self, domain: str, since: int, until: int) -> Iterator[list[Entry]]:
        """See the port."""
        self._fail("decided")
        by_slot: dict[int, list[bytes]] = {}
        for key, row in list(self.tables.get("decided", {}).items()):
            if key[0] == domain and since // SLOT_MS <= key[3] <= (until - 1) // SLOT_MS:
                by_slot.setdefault(key[3], []).append(row["body"][1])
        for _, blobs in sorted(by_slot.items(), reverse=True):
            yield [e for e in in_order(blobs) if since <= e.timestamp < until]

    def decisions_of(
        self, domain: str, stripe: int, entity: str, since: int, before: tuple[int, str], limit: int
    ) -> list[DecisionRow]:
        """See the port."""
        self._fail("decisions_of")
        found = [
            stored.row
            for stored in self._decisions(domain)
            if stored.row.entity == entity and since <= stored.row.time
            and (stored.row.time, stored.row.id) < before
        ]  # fmt: skip
        return sorted(found, key=lambda row: (row.time, row.id), reverse=True)[:limit]

    def newest_decisions(self, domain: str, each: int, limit: int) -> dict[str, list[DecisionRow]]:
        """See the port."""
        self._fail("newest_decisions")
        found: dict[str, list[DecisionRow]] = {}
        for key in list(self.tables.get("states", {})):
            if key[0] == domain and len(found) < limit:
                found[key[2]] = []
        for stored in self._decisions(domain):
            if (own := found.get(stored.row.entity)) is not None:
                own.append(stored.row)
        return {
            entity: sorted(rows, key=lambda row: (row.time, row.id), reverse=True)[:each]
            for entity, rows in found.items() if rows
        }  # fmt: skip

    def erase_state(self, domain: str, stripe: int, entity: str) -> bool:
        """See the port."""
        self._fail("erase_state")
        return self._gone("states", (domain, stripe, entity))

    def erase_decisions(self, domain: str, rows: Sequence[Erased]) -> int:
        """See the port."""
        self._fail("erase_decisions")
        erased = 0
        for r in rows:
            self._gone("alerts", (domain, r.topic, r.partition, r.timestamp, r.entity, r.id))
            self._erase_work(domain, AlertKey(r.entity, r.time, r.id))
            self._erase_entry(domain, r)
            for key in list(self.tables.get("decisions", {})):
                if (key[0], *key[3:]) == (domain, r.entity, r.time, r.id):
                    erased += self._gone("decisions", key)
        return erased

    def erase_asides(self, domain: str, rows: Sequence[StoredAside]) -> int:
        """See the port."""
        self._fail("erase_asides")
        return sum(
            self._gone("dead_letters", (domain, *one[:3], one.row.state, one.row.offset))
            for one in rows
        )

    def _erase_entry(self, domain: str, r: Erased) -> None:
        table = self.tables.get("decided", {})
        for key, row in list(table.items()):
            if key[:4] == (domain, r.topic, r.partition, r.timestamp // SLOT_MS):
                stamp, blob = row["body"]
                left = without(blob, [(r.entity, r.time, r.id)])
                if left is None:
                    del table[key]
                else:
                    row["body"] = (stamp, left)

    def _gone(self, table: str, key: tuple[Any, ...]) -> bool:
        return self.tables.get(table, {}).pop(key, None) is not None

    @abstractmethod
    def _erase_work(self, domain: str, key: AlertKey) -> None: ...

    def all_decisions(self, domain: str) -> Iterator[StoredDecision]:
        """See the port."""
        self._fail("all_decisions")
        yield from self._decisions(domain)

    def _decisions(self, domain: str) -> Iterator[StoredDecision]:
        for key, row in list(self.tables.get("decisions", {}).items()):
            if key[0] == domain:
                cells = {column: value for column, (_, value) in row.items()}
                _, stripe, _, entity, time, name = key
                stored = DecisionRow(stripe, entity, time, name, **cells)
                yield StoredDecision(epoch_of(row["body"][0]), stored)

    def _letters(self, domain: str) -> list[StoredAside]:
        return [
            StoredAside(key[1], key[2], key[3], row["row"][1])
            for key, row in list(self.tables.get("dead_letters", {}).items())
            if key[0] == domain
        ]
