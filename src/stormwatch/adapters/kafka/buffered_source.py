"""What both Kafka clients share: sizes, the words of errors, and a source's buffering."""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from stormwatch.adapters.control_topic import Control
from stormwatch.adapters.kafka import auth_errors as way_in
from stormwatch.adapters.kafka.transactions import producers
from stormwatch.errors import (
    BrokerRefused,
    BrokerUnavailable,
    SettingsError,
)
from stormwatch.ports import Admin, Held, Watermarks
from stormwatch.records import Record
from stormwatch.settings import Settings

MAX_RECORD_BYTES = 12 << 20
"""Of a record that we send."""
MAX_ANSWER_BYTES = 100_000_000
"""Of one answer of a broker. A batch of records over FETCH_BYTES comes whole, and alone."""
FETCH_BYTES = 1 << 20
"""Of one partition in one answer of the broker; a larger record still comes, alone."""
FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch that finds nothing; a record ends the wait at once."""
SHELF_BYTES = 16 << 20
"""Records of paused partitions kept by one source, before fetching them is stopped as well."""
RECONNECT_MS = 1000
PEEK_S = 5.0
"""How long a record that should be there is waited for."""
_RECORD_OVERHEAD = 200  # bytes of the Python objects of one record
_REFUSALS = {  # by Kafka's error code
    10: "Raise max.message.bytes of the topic, or lower record.max_bytes.",
    17: "Use letters, digits, '.', '_' and '-' in its name, at most 249 of them.",
    18: "Raise max.message.bytes of the topic, or lower record.max_bytes.",
    29: "Give the user of kafka.username the right to this topic.",
    30: "Give the user of kafka.username the right to the group of kafka.group.",
    31: "Give the user of kafka.username the right, or have it done by who has it.",
    40: "Correct that option of the topic.",
    44: "Ask who runs this Kafka what it allows.",
    76: "Let its producers write gzip, snappy, lz4 or zstd.",
}
GROUP_TAKEN = {22, 23, 25, 27, 113}
"""Kafka's error codes of a commit that is none of the group's members: generation, protocol,
member, rebalance, member epoch."""


def failure(what: str, bootstrap: str, code: int, detail: str) -> BrokerUnavailable:
    """A driver's error in our terms: BrokerRefused where a person has to act."""
    if code in _REFUSALS:
        return BrokerRefused(f"Kafka refused to {what}: {detail}. {_REFUSALS[code]}")
    detail = way_in.heard(bootstrap) or detail
    kind = BrokerRefused if way_in.refused(detail) else BrokerUnavailable
    return kind(
        f"Kafka at {bootstrap} did not {what}: {detail}. "
        + (way_in.advice(detail) or "`./stormwatch doctor` says what is wrong.")
    )


def group_taken(group: str, others: Iterable[str]) -> str:
    """What to do about programs that are subscribed with our group."""
    who = ", ".join(others) or "another program"
    return (
        f"Subscribed with the group {group!r} is {who}, and Kafka then takes offsets from the "
        "group's members alone: stop that program, or set kafka.group to a name that is used by "
        "Stormwatch only."
    )


def member(client_id: str, host: str) -> str:
    """A member of a group, in words."""
    return f"{client_id!r} on {host.lstrip('/')}"


def certificate(settings: Settings) -> str:
    """The authority's file where TLS is spoken and one is named, else "".

    Raises SettingsError if it cannot be read.
    """
    path = settings.kafka_ssl_ca
    if not path or not settings.kafka_security_protocol.endswith("SSL"):
        return ""
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(
            f"kafka.ssl_ca names {path}, which cannot be read: {error.strerror}. "
            "Give the PEM file of the certificate authority, or leave it empty."
        ) from error
    return path


def wait_until(seen: Callable[[], bool], limit: float) -> None:
    """Wait until brokers tell what the controller has decided, `limit` s at most."""
    deadline = time.monotonic() + limit
    while not seen() and time.monotonic() < deadline:
        time.sleep(0.02)


class BufferedSource(ABC):
    """The part of the port Source that is about order, pausing and buffers.

    Pausing is soft: what the driver brings for a paused partition waits here, so that a pause and
    a resume cost nothing. Only when a partition's share of SHELF_BYTES is full is the driver told
    to fetch no more of it, until what waits here is taken.
    """

    _admin: Admin

    def __init__(
        self, control: Control, settings: Settings, topic: str, shelf_bytes: int = SHELF_BYTES
    ) -> None:
        self._control = control
        self._settings, self._topic = settings, topic
        self._bootstrap = settings.kafka_bootstrap
        self._shelf_bytes = shelf_bytes
        self._shelves: dict[int, deque[Record]] = {}
        self._sizes: dict[int, int] = {}
        self._paused: set[int] = set()
        self._held: set[int] = set()
        self._gone: dict[int, bool] = {}  # partition -> told

    @abstractmethod
    def _fetch(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        """What the driver has, else wait; calls `_lost` for positions that are out of range."""

    @abstractmethod
    def _start(self, positions: Mapping[int, int]) -> None:
        """Fetch exactly these partitions from these offsets, none held."""

    def _turn(self, positions: Mapping[int, int]) -> None:
        """As `_start`, by the connection at hand where the driver would make a new one."""
        self._start(positions)

    @abstractmethod
    def _move(self, partition: int, offset: int) -> None:
        """Fetch from `offset`; drop what was fetched. Keeps a hold."""

    @abstractmethod
    def _hold(self, partition: int) -> None:
        """Fetch no more of it; its position is kept."""

    @abstractmethod
    def _release(self, partition: int) -> None:
        """Undo `_hold`."""

    @abstractmethod
    def watermarks(self, partition: int) -> Watermarks:
        """See Source. The end is that of what is committed."""

    def held(self, positions: Mapping[int, int]) -> dict[int, Held]:
        """See Source."""
        found = {}
        for partition, (_, high) in self._admin.watermarks(self._topic).items():
            if partition in positions and positions[partition] < high:
                stable = self.watermarks(partition).high
                if positions[partition] >= stable < high:
                    found[partition] = Held(stable, high - stable, "")
        if found:
            for partition, said in producers(self._settings, self._topic, list(found)).items():
                found[partition] = found[partition]._replace(producer=said)
        return found

    def assign(self, positions: Mapping[int, int]) -> None:
        """See Source."""
        self._clear(positions)
        self._start(positions)

    def _clear(self, positions: Mapping[int, int]) -> None:
        self._shelves = {p: deque() for p in positions}
        self._sizes = dict.fromkeys(positions, 0)
        self._paused.clear()
        self._held.clear()
        self._gone.clear()

    def peek(self, offsets: Mapping[int, int]) -> dict[int, Record]:
        """See Source. Raises BrokerUnavailable.

        Who peeks often keeps one connection: a new one is made only after a peek that missed, for
        the driver may know a topic of before.
        """
        marks = {p: self.watermarks(p) for p in offsets}
        asked = {p: o for p, o in offsets.items() if marks[p].low <= o < marks[p].high}
        self._clear(asked)
        self._turn(asked)
        found: dict[int, Record] = {}
        left, until = set(asked), time.monotonic() + PEEK_S
        while left and time.monotonic() < until:
            for partition, records in self.poll(len(asked), 0.1).items():
                if partition in left and records[0].offset == asked[partition]:
                    found[partition] = records[0]
                left.discard(partition)
                self.pause([partition])
            left.difference_update(self.gone())
        for partition in left:  # an answer says that it is no outage: nothing but gaps is there
            self.watermarks(partition)
        self._clear({})
        (self._start if left else self._turn)({})
        return found

    def seek(self, partition: int, offset: int) -> None:
        """See Source. Raises ValueError for a partition that is not assigned."""
        if partition not in self._shelves:
            raise ValueError(f"partition {partition} is not assigned")
        self._shelves[partition].clear()
        self._sizes[partition] = 0
        self._move(partition, offset)
        if partition in self._held or partition in self._gone:
            self._release(partition)
        self._held.discard(partition)
        self._gone.pop(partition, None)

    def poll(self, max_records: int, timeout: float) -> dict[int, list[Record]]:
        """See Source. A broker that is away looks like an idle topic here."""
        deadline = time.monotonic() + timeout
        out = self._take(max_records)
        while not out:
            left = deadline - time.monotonic()
            fetched = self._fetch(max_records, max(left, 0.0))
            for partition, records in fetched.items():
                if partition not in self._shelves:
                    continue
                if partition in self._paused or self._shelves[partition]:
                    self._shelve(partition, records)
                else:
                    out[partition] = records
            out = out or self._take(max_records)
            if left <= 0:
                break
        return out

    def gone(self) -> list[int]:
        """See Source. Told after the last record before the gap was polled."""
        told = [p for p, already in self._gone.items() if not already and not self._shelves[p]]
        self._gone.update(dict.fromkeys(told, True))
        return told

    def pause(self, partitions: Iterable[int]) -> None:
        """See Source."""
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[int]) -> None:
        """See Source."""
        self._paused.difference_update(partitions)

    def recall(self, key: str) -> bytes | None:
        """See Source."""
        return self._control.recall(key)

    def remember(self, key: str, value: bytes) -> None:
        """See Source."""
        self._control.remember(key, value)

    def _commit_failure(self, code: int, detail: str) -> BrokerUnavailable:
        """Why offsets were not committed; of a group that another program is in, by whom."""
        what = "commit offsets"
        if code not in GROUP_TAKEN:
            return failure(what, self._bootstrap, code, detail)
        group, others = self._settings.kafka_group, list[str]()
        with suppress(BrokerUnavailable):
            others = self._admin.members(group)
        return BrokerRefused(f"Kafka refused to {what}: {detail}. {group_taken(group, others)}")

    def _lost(self, partition: int) -> None:
        if partition in self._shelves and partition not in self._gone:
            self._gone[partition] = False
            self._hold(partition)

    def _shelve(self, partition: int, records: list[Record]) -> None:
        self._shelves[partition].extend(records)
        self._sizes[partition] += sum(
            _RECORD_OVERHEAD + len(r.key or b"") + len(r.value or b"") for r in records
        )
        share = self._shelf_bytes // len(self._shelves)
        if self._sizes[partition] > share and partition not in self._held:
            self._held.add(partition)
            self._hold(partition)

    def _take(self, max_records: int) -> dict[int, list[Record]]:
        out: dict[int, list[Record]] = {}
        for partition, shelf in self._shelves.items():
            if max_records and shelf and partition not in self._paused:
                count = min(max_records, len(shelf))
                out[partition] = [shelf.popleft() for _ in range(count)]
                max_records -= count
                if not shelf:
                    self._sizes[partition] = 0
                    if partition in self._held and partition not in self._gone:
                        self._release(partition)
                    self._held.discard(partition)
        return out
