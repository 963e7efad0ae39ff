"""What the tables have to hold: the pure contract over each partition's log, record by record."""

from typing import Any, NamedTuple

from stormwatch.adapters.memory.store import Write
from stormwatch.codec import Asides, Parsed
from stormwatch.ledger.bitmap import offsets
from stormwatch.parsing.batch import parse_batch
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment, Outcomes, Record, SetAside
from stormwatch.state.cache import Entry
from stormwatch.state.commit import alert_message
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.processor import Contract, Policy
from tests.models.toy import Ping, Sums, Toy

TOPIC = "pings"
POLICY = Policy(lateness_ms=20_000, horizon_ms=20_000, max_ids=64)
STRIPES = 8

_codec = EnvelopeCodec(Sums)


class Learned(NamedTuple):
    """A state without what depends on when it was written: stamps, and epochs of marks."""

    body: Sums
    marks: tuple[tuple[int, int], ...]
    newest: int
    ids: bytes

    @classmethod
    def of(cls, blob: bytes) -> "Learned":
        envelope = _codec.decode(blob, "")
        marks = tuple((partition, offset) for partition, _, offset in envelope.marks)
        return cls(envelope.body, marks, envelope.newest, envelope.ids)


class Place(NamedTuple):
    """One offset: its end state, and the key it is of (none: not an event)."""

    end: str
    name: str | None = None
    decision: tuple[str, str, int, str] | None = None  # domain, entity, time, id


def parse(fragment: Fragment, records: list[Record]) -> tuple[Parsed[Ping], Asides | None]:
    """As the parse bolt does."""
    batch = parse_batch(
        fragment, records, Toy().parse, component="parse", record_max_bytes=1000, now=0
    )
    return batch.parsed, batch.rejected


def letter(row: SetAside) -> tuple[object, ...]:
    """A set-aside row, but for its sentence: tracebacks have line numbers."""
    return row.offset, row.state, row.code, row.raw


class Oracle:
    """Fed with each record as it is produced; `check` judges each row that Cassandra applies."""

    def __init__(self) -> None:
        self.contract = Contract(Toy(), POLICY, "toy")
        self.places: dict[tuple[int, int], Place] = {}
        self.history: dict[tuple[str, int], Learned] = {}
        """(name, offset) -> what its key knows after that record."""
        self.decisions: dict[tuple[str, str, int, str], dict[str, Any]] = {}
        self.letters: set[tuple[object, ...]] = set()
        self.told: set[tuple[int, int]] = set()
        self.stored: set[tuple[str, str, int, str]] = set()
        self.kept: set[tuple[object, ...]] = set()
        """Which of `places`, `decisions` and `letters` the tables have by now."""
        self.alerts: set[bytes] = set()
        self._blobs: dict[str, bytes] = {}

    def absent(self, partition: int, offset: int) -> None:
        """An offset without a record."""
        self.places[partition, offset] = Place("absent")

    def produced(self, partition: int, record: Record) -> None:
        """A record at the end of a partition."""
        at = record.offset
        fragment = Fragment(TOPIC, partition, 1, at, at, 1, 0)
        parsed, rejected = parse(fragment, [record])
        if rejected is not None:
            self._aside(partition, rejected.rows[0])
            self.places[partition, at] = Place(rejected.rows[0].state)
            return
        ping = parsed.events[0][2]
        entry = Entry(stripe_of(ping.name, STRIPES), self._blobs.get(ping.name, b""))
        self._learn(partition, ping, self.contract.apply(fragment, parsed, {ping.name: entry}, 0))

    def _learn(self, partition: int, ping: Ping, outcomes: Outcomes) -> None:
        [state] = outcomes.states
        self._blobs[ping.name] = state.blob
        at = outcomes.fragment.first
        self.history[ping.name, at] = Learned.of(state.blob)
        [end] = outcomes.ledger.bitmaps
        key = None
        for row in outcomes.decisions:
            key = ("toy", row.entity, row.time, row.id)
            self.decisions[key] = {
                "outcome": row.outcome, "score": row.score, "body": row.body,
                "timestamp": row.timestamp, "alert": row.alert,
            }  # fmt: skip
            if row.alert:
                self.alerts.add(alert_message("toy", row.body))
        for aside in outcomes.aside:
            self._aside(partition, aside)
        self.places[partition, at] = Place(end, ping.name, key)

    def _aside(self, partition: int, row: SetAside) -> None:
        self.letters.add((partition, *letter(row)))

    def known(self, name: str, blob: bytes) -> int:
        """How far a state got: its mark's offset. What it learned must be what the oracle has."""
        learned = Learned.of(blob)
        [(_, offset)] = learned.marks
        expected = self.history.get((name, offset))
        assert learned == expected, f"state of {name}: {learned} should be {expected}"
        return offset

    def check(self, write: Write) -> None:
        """A row of the tables is one that the oracle has: at every moment, not only at the end."""
        table, key, _, cells = write
        if table == "ledger":
            row = cells["row"]
            for state, bits in row.bitmaps.items():
                for offset in offsets(bits, row.fragment.first):
                    where = row.fragment.partition, offset
                    end = self.places[where].end
                    assert state == end, f"{key}: {offset} is {state}, should be {end}"
                    self.told.add(where)
        elif table == "decisions":
            domain, _, _, entity, time, ident = key
            place = domain, entity, time, ident
            expected = self.decisions.get(place)
            assert cells == expected, f"decision {key}: {cells} should be {expected}"
            self.stored.add(place)
        elif table == "states":
            self.known(key[-1], cells["state"])
        elif table == "dead_letters":
            found = (key[2], *letter(cells["row"]))
            assert found in self.letters, f"dead letter {found} is not the oracle's"
            self.kept.add(found)
