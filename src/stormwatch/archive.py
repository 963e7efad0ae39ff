"""What commands that audit ask of the store beyond what workers do: whole tables, and acts.

Same contract suite, same adapters as the port `Store` (tests/contracts/test_archive.py).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from stormwatch.people import People
from stormwatch.ports import Store, StoredAside
from stormwatch.records import DecisionRow, StateRow
from stormwatch.state.decided import Entry

REDRIVING, REDRIVEN, DISCARDED = "redriving", "redriven", "discarded"
"""Acts. `redriving` announces a copy, so that a crash in between is found out, not repeated."""


class LetterAct(msgspec.Struct, frozen=True, array_like=True):
    """What a person did about one set-aside record."""

    topic: str
    partition: int
    epoch: int
    offset: int
    at: int  # ms, the clock of who did it
    act: str
    who: str
    note: str
    to_partition: int = -1
    to_offset: int = -1  # redriven: the copy's; redriving: the partition's end before it was sent

    @property
    def place(self) -> tuple[str, int, int, int]:
        """Of the set-aside record."""
        return self.topic, self.partition, self.epoch, self.offset


class AlertPlace(NamedTuple):
    """Where an alert stands among those of its domain, newest first by Kafka's time."""

    timestamp: int
    entity: str
    id: str


class StoredDecision(NamedTuple):
    """A decision with the epoch under which it was written (of its write timestamp)."""

    epoch: int
    row: DecisionRow


class Erased(NamedTuple):
    """A decision that is to be erased, with the place of its record."""

    stripe: int
    entity: str
    time: int
    id: str
    topic: str
    partition: int
    timestamp: int  # Kafka's, ms


class Archive(Store, People, Protocol):
    """Every method raises StoreUnavailable when the store does not answer in time."""

    def asides(self, domain: str) -> Iterator[StoredAside]:
        """All set-aside records, newest day of Kafka's time first, within a day in no order."""

    def find_asides(
        self, domain: str, topic: str, partition: int, epoch: int, offset: int
    ) -> list[StoredAside]:
        """What is set aside of one offset: one row, or none."""

    def write_act(self, domain: str, act: LetterAct) -> None:
        """Keep an act for as long as set-aside records are kept; returns when it is confirmed."""

    def acts(self, domain: str, topic: str, partition: int) -> list[LetterAct]:
        """The acts on records of a partition, ascending by (epoch, offset, at, act)."""

    def find_state(self, domain: str, stripe: int, entity: str) -> StateRow | None:
        """An entity's state with its write timestamp; None where there is none."""

    def alerts_after(self, domain: str, place: AlertPlace, limit: int) -> list[DecisionRow]:
        """The next alerts after `place`, as `alerts` has them."""

    def decided(self, domain: str, since: int, until: int) -> Iterator[list[Entry]]:
        """What was decided of records with Kafka times from `since` to before `until` (ms), newest
        first: a list a slot (`decided.SLOT_MS`), read as it is asked for. Among them is what was
        written and never committed: `find_decisions` tells what stands."""

    def decisions_of(
        self, domain: str, stripe: int, entity: str, since: int, before: tuple[int, str], limit: int
    ) -> list[DecisionRow]:
        """The newest decisions of an entity below `before` (event time, id) and of events from
        `since` (ms) on, newest first. Each period between the two is a request: see
        `layout.period_h`."""

    def newest_decisions(self, domain: str, each: int, limit: int) -> dict[str, list[DecisionRow]]:
        """Of each entity that has a state, its newest `each` decisions, newest first: those of the
        period of its newest event. At most `limit` entities, in no order: two reads for each."""

    def erase_state(self, domain: str, stripe: int, entity: str) -> bool:
        """Erase an entity's state for good; whether there was one. What is written of it later
        stands, as it does after the next two."""

    def erase_decisions(self, domain: str, rows: Sequence[Erased]) -> int:
        """Erase decisions, their alerts and what people did about them; how many there were."""

    def erase_asides(self, domain: str, rows: Sequence[StoredAside]) -> int:
        """Erase set-aside records; how many there were."""

    def all_decisions(self, domain: str) -> Iterator[StoredDecision]:
        """Every stored decision, in no order. Reads the whole table: for audits."""
