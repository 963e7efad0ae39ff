"""The ledger recomputed from the tables: each state has its row, and each row its state."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.operate.ledger import Read
from stormwatch.archive import Archive
from stormwatch.ledger.coverage import Range
from stormwatch.ports import Admin
from stormwatch.records import EndState
from stormwatch.settings import Settings
from stormwatch.state.write_timestamps import EPOCHS
from stormwatch.stretches import Stretch

WITH_ROWS = (
    EndState.SCORED, EndState.REJECTED, EndState.DEAD_LETTERED, EndState.CONFLICT, EndState.LATE,
)  # fmt: skip
"""States whose records are kept in a table. The others are told by the ledger alone."""
EXAMPLES = 5


class _Place(msgspec.Struct):
    """The part of a decision that says which record it is of."""

    topic: str
    partition: int
    offset: int


class Disagreement(msgspec.Struct, frozen=True):
    """Offsets of which ledger and tables say different things."""

    partition: int
    what: str
    offsets: int
    first: tuple[Range, ...]  # EXAMPLES of them at most


class Verified(msgspec.Struct):
    """`states` is recomputed from the rows; offsets not yet committed are left out."""

    topic: str
    offsets: int
    states: dict[str, int]
    disagreements: list[Disagreement]

    @property
    def sound(self) -> bool:
        """Whether tables and ledger agree."""
        return not self.disagreements


_place = msgspec.json.Decoder(_Place).decode
Marks = NDArray[np.uint8]


def verify(settings: Settings, admin: Admin, archive: Archive, domain: str, topic: str) -> Verified:
    """Compare for one topic. Memory, bytes an offset: five of the topic, eight of a partition.

    Raises InfrastructureError.
    """
    info = admin.describe(topic)
    log = Read.of(archive, topic, info.topic_id if info else "")
    spans = _spans(settings, admin, log)
    rows = {
        state: {where: np.zeros(end - low, np.uint8) for where, (low, end) in spans.items()}
        for state in WITH_ROWS
    }
    for state, partition, epoch, offset in _rows(archive, domain, topic):
        low, end = spans.get(partition, (0, 0))
        if low <= offset < end and _is_of(log.stretches[partition], epoch, offset):
            marks = rows[state][partition]
            marks[offset - low] = min(marks[offset - low] + 1, 2)
    found = Verified(topic, sum(end - low for low, end in spans.values()), {}, [])
    for partition, (low, end) in spans.items():
        told = {state: np.zeros(end - low, np.bool_) for state in EndState}
        for row in log.rows(archive, partition, low, end):
            for name, bits in row.bitmaps.items():
                upto = min(row.fragment.last + 1, end) - low
                _mark(told[EndState(name)][:upto], bits, row.fragment.first - low)
        for state in WITH_ROWS:
            marks = rows[state][partition]
            found.states[state] = found.states.get(state, 0) + int(np.count_nonzero(marks))
            for what, where_ in (
                (f"{state} in the ledger, but no row", told[state] & (marks == 0)),
                (f"a row as {state}, but not in the ledger", ~told[state] & (marks > 0)),
                (f"two rows as {state}", marks > 1),
            ):
                if count := int(np.count_nonzero(where_)):
                    ranges = tuple(_ranges(where_, low))
                    found.disagreements.append(Disagreement(partition, what, count, ranges))
    found.states = {str(state): n for state, n in found.states.items() if n}
    return found


def _spans(settings: Settings, admin: Admin, log: Read) -> dict[int, tuple[int, int]]:
    """Partition -> first and end of what is committed."""
    commits, marks = admin.committed(settings.kafka_group, log.topic), admin.watermarks(log.topic)
    found = {}
    for partition, held in sorted(marks.items()):
        low = log.begin(partition, held.low)
        end = min(log.committed(commits.get(partition), partition, held.low), held.high)
        if partition in log.stretches and low < end:
            found[partition] = (low, end)
    return found


def _is_of(stretches: Sequence[Stretch], epoch: int, offset: int) -> bool:
    """Whether a row of this epoch is of the log's record at the offset."""
    if epoch >= EPOCHS:  # by hand, with a clock's timestamp
        return True
    return any(each.of(epoch) and each.first <= offset < each.believed_to for each in stretches)


def _rows(archive: Archive, domain: str, topic: str) -> Iterator[tuple[EndState, int, int, int]]:
    for epoch, row in archive.all_decisions(domain):
        try:
            place = _place(bytes(row.body))
        except msgspec.MsgspecError:
            continue  # what cannot be read is no decision
        if place.topic == topic:
            yield EndState.SCORED, place.partition, epoch, place.offset
    for letter in archive.asides(domain):
        if letter.topic == topic:
            yield EndState(letter.row.state), letter.partition, letter.epoch, letter.row.offset


def _mark(marks: NDArray[np.bool_], bits: bytes, at: int) -> None:
    """Set what the bitmap has, whose first bit stands at index `at`, perhaps before the range."""
    more = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").astype(np.bool_)
    more = more[max(0, -at) : max(0, marks.size - at)]
    at = max(0, at)
    marks[at : at + more.size] |= more


def _ranges(where: NDArray[np.bool_], low: int) -> Iterator[Range]:
    edges = np.flatnonzero(np.diff(where.astype(np.int8), prepend=0, append=0))
    for first, end in list(zip(edges[::2], edges[1::2], strict=True))[:EXAMPLES]:
        yield Range(low + int(first), low + int(end) - 1)
