"""Sends set-aside records again, each at most once, and keeps what was done.

For each record: announce (`redriving`, with the end of the partition that the copy goes to), send,
find the copy in Kafka, record it (`redriven`, with the copy's offset). A command that died in
between leaves the announcement: the next one looks for the copy from there on, and only sends where
there is none. Two commands at once may send two copies; then the policy for ids makes the second a
`duplicate`, so an event is decided once all the same.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from apps.data.kinds import BY_TOPOLOGY
from apps.operate import log
from apps.operate.dlq.letters import Letter
from stormwatch.adapters import log_reader
from stormwatch.archive import DISCARDED, REDRIVEN, REDRIVING, Archive, LetterAct
from stormwatch.dead_letters.redaction import MASK
from stormwatch.errors import BrokerUnavailable
from stormwatch.parsing.mapping import Mapped
from stormwatch.partitioner import partition_of
from stormwatch.ports import Sink, Source
from stormwatch.records import EndState, Record, Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain

AT_ONCE = 200
"""Copies between two confirmations."""


class Result(NamedTuple):
    """What became of one record."""

    letter: Letter
    done: str  # an act, or "left" where nothing was done
    told: str  # where the copy is, or why nothing was done


class Who(NamedTuple):
    """Who acts, why, and when (ms)."""

    name: str
    note: str
    clock: Callable[[], int]


class _Copy(NamedTuple):
    letter: Letter
    key: bytes
    value: bytes
    partition: int
    since: int  # the copy is at this offset or after it


class _Left(Exception):
    """Why a record cannot be sent again."""


def discard(archive: Archive, letters: Iterable[Letter], who: Who) -> list[Result]:
    """Mark records as needing nothing more; they stay stored until their time is over."""
    results = []
    for letter in letters:
        if letter.acts:
            results.append(Result(letter, "left", _before(letter.acts[-1])))
            continue
        act = _act(letter, DISCARDED, who)
        archive.write_act(letter.domain, act)
        results.append(Result(letter, DISCARDED, who.note))
    return results


class Redriver:
    """Re-drives the records of one topic. Every method raises InfrastructureError."""

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        source: Source,
        sink: Sink,
        domain: Domain[Any, Any],
        who: Who,
        mapped: Mapped | None = None,
    ) -> None:
        """`mapped`: the mapping of the topic's records, where they are in no format of ours."""
        self._mapped = mapped
        self._settings, self._archive = settings, archive
        self._source, self._sink, self._domain, self._who = source, sink, domain, who
        self._present: dict[str, log.Present] = {}

    def run(self, letters: Sequence[Letter], *, dry: bool = False) -> list[Result]:
        """Send again those that can be, one result each in the order given. `dry` only says."""
        results: list[Result] = []
        for start in range(0, len(letters), AT_ONCE):
            results += self._some(letters[start : start + AT_ONCE], dry)
        return results

    def _some(self, letters: Sequence[Letter], dry: bool) -> list[Result]:
        results: dict[str, Result] = {}
        copies: list[_Copy] = []
        for letter in letters:
            try:
                copies.append(self._prepare(letter))
            except _Left as left:
                results[letter.name] = Result(letter, "left", str(left))
        if dry:
            for copy in copies:
                told = f"would go to partition {copy.partition}"
                results[copy.letter.name] = Result(copy.letter, "left", told)
        else:
            for copy, offset in self._send(copies):
                act = _act(copy.letter, REDRIVEN, self._who, copy.partition, offset)
                self._archive.write_act(copy.letter.domain, act)
                place = f"{act.topic}/{copy.partition}/{offset}"
                results[copy.letter.name] = Result(copy.letter, REDRIVEN, f"the copy is {place}")
        return [results[letter.name] for letter in letters]

    def _send(self, copies: Sequence[_Copy]) -> list[tuple[_Copy, int]]:
        """Each with its copy's offset; sent now, unless an earlier command did."""
        begun = [copy for copy in copies if copy.letter.acts]
        found = self._search(begun)
        missing = [copy for copy in copies if copy.letter.name not in found]
        for copy in missing:
            if copy not in begun:
                act = _act(copy.letter, REDRIVING, self._who, copy.partition, copy.since)
                self._archive.write_act(copy.letter.domain, act)
        for copy in missing:
            self._sink.send(copy.letter.stored.topic, copy.key, copy.value)
        self._sink.flush(self._settings.kafka_request_timeout_s)
        found |= self._search(missing)
        if len(found) < len(copies):
            raise BrokerUnavailable(
                f"Kafka confirmed {len(missing)} copies and does not show all of them yet. Run the "
                "same command again: it looks for them before it sends anything."
            )
        return [(copy, found[copy.letter.name]) for copy in copies]

    def _search(self, copies: Sequence[_Copy]) -> dict[str, int]:
        """Name -> offset of the copies that are in Kafka."""
        found: dict[str, int] = {}
        for partition in {copy.partition for copy in copies}:
            wanted: dict[tuple[bytes, bytes], list[_Copy]] = {}
            for copy in copies:
                if copy.partition == partition:
                    wanted.setdefault((copy.key, copy.value), []).append(copy)
            marks = self._source.watermarks(partition)
            since = max(marks.low, min(c.since for some in wanted.values() for c in some))
            for records in log_reader.records(self._source, partition, since, marks.high):
                for record in records:
                    some = wanted.get((record.key or b"", record.value or b""), [])
                    if some and record.offset >= some[0].since:
                        found[some.pop(0).letter.name] = record.offset
        return found

    def _prepare(self, letter: Letter) -> _Copy:
        """The copy to be sent. Raises _Left with the reason where there can be none."""
        stored, last = letter.stored, letter.acts[-1] if letter.acts else None
        if last is not None and last.act != REDRIVING:
            raise _Left(_before(last))
        if stored.row.state == EndState.CONFLICT:
            raise _Left("the first record with this id stands: correct it under a new id")
        original = self._original(letter)
        value = self._value(letter, original)
        self._parsed(value)
        key = original.key if original is not None else None
        if key is None:  # what was kept of a key may be masked; the record has it too
            key = self._entity(value).encode()
        if last is not None:
            return _Copy(letter, key, value, last.to_partition, last.to_offset)
        info = self._source.describe()
        if info is None:
            raise _Left(f"there is no topic {stored.topic!r} any more")
        partition = partition_of(key, info.partitions)
        return _Copy(letter, key, value, partition, self._source.watermarks(partition).high)

    def _parsed(self, value: bytes) -> None:
        """Raises _Left if the parser does not take it."""
        try:
            event = self._parse(value, self._who.clock())
        except Exception as error:  # a bug in a domain's parser is what is being asked about
            raise _Left(f"the parser still fails on it: {error!r}") from error
        if isinstance(event, Rejection):
            raise _Left(f"it would be rejected again: {event.code}")

    def _parse(self, value: bytes, now: int) -> Any:
        if self._mapped is None:
            return self._domain.parse(value, now)
        skew_ms = self._settings.future_skew_s * 1000
        return self._mapped.parse(value, now, future_skew_ms=skew_ms)

    def _entity(self, value: bytes) -> str:
        if self._mapped is not None:
            return self._mapped.entity(value)
        return str(msgspec.json.decode(value)[BY_TOPOLOGY[self._domain.name].key])

    def _value(self, letter: Letter, original: Record | None) -> bytes:
        """The record as it came: from Kafka while it is there, else as it was kept, if whole."""
        raw = letter.stored.row.raw if original is None else original.value
        if raw is None:
            raise _Left("it has no value (a tombstone)")
        if original is None:
            if len(raw) >= self._settings.record_max_bytes:
                raise _Left("Kafka no longer has it, and the stored copy is truncated")
            if MASK.encode() in raw:
                raise _Left("Kafka no longer has it, and the stored copy is masked")
        return raw

    def _original(self, letter: Letter) -> Record | None:
        topic, partition, epoch, offset = letter.place
        if topic not in self._present:
            self._present[topic] = log.Present(self._source, self._archive, topic)
        there = self._present[topic].has(partition, epoch, offset)
        return self._source.peek({partition: offset}).get(partition) if there else None


def _before(act: LetterAct) -> str:
    copy = f" as {act.topic}/{act.to_partition}/{act.to_offset}" if act.to_partition >= 0 else ""
    return f"{act.act} before{copy}, by {act.who}"


def _act(letter: Letter, act: str, who: Who, partition: int = -1, offset: int = -1) -> LetterAct:
    return LetterAct(*letter.place, who.clock(), act, who.name, who.note, partition, offset)
