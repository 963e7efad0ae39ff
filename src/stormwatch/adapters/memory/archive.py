"""The port `Archive` in memory, over the tables of `store_memory`."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from stormwatch.archive import LetterAct, StoredDecision
from stormwatch.ports import StoredAside
from stormwatch.records import DecisionRow, StateRow, day_of
from stormwatch.state.write_timestamps import epoch_of


class MemoryArchive:
    """What `MemoryStore` offers beyond `Store`."""

    tables: dict[str, dict[tuple[Any, ...], dict[str, tuple[int, Any]]]]

    @abstractmethod
    def _fail(self, method: str) -> Any: ...

    @abstractmethod
    def _write(self, method: str, writes: list[Any]) -> None: ...

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

    def all_decisions(self, domain: str) -> Iterator[StoredDecision]:
        """See the port."""
        self._fail("all_decisions")
        for key, row in list(self.tables.get("decisions", {}).items()):
            if key[0] == domain:
                cells = {column: value for column, (_, value) in row.items()}
                _, stripe, _, entity, time, name = key
                stored = DecisionRow(stripe, entity, time, name, **cells)
                yield StoredDecision(epoch_of(row["body"][0]), stored)

    def _letters(self, domain: str) -> list[StoredAside]:
        return [
            StoredAside(key[1], key[2], key[3], row["row"][1])
            for key, row in self.tables.get("dead_letters", {}).items()
            if key[0] == domain
        ]
