"""What a replay needs of Kafka and Cassandra, and why it refuses where that is gone."""

from collections.abc import Iterator, Mapping
from functools import cached_property, partial

import msgspec

from apps.data.mappings import parser
from apps.operate.domains import MAKE
from apps.prove.replay.course import Pass, Range, Recall
from apps.prove.verdict.as_judged import AsJudged, of_archive
from apps.prove.verdict.beside import merged, placed
from apps.prove.verdict.oracle import Batch, Span, cut
from stormwatch.adapters import log_reader
from stormwatch.archive import Archive
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.ledger.bitmap import offsets
from stormwatch.ledger.reconcile import log_rows, segments
from stormwatch.ports import Source
from stormwatch.records import Decision, DecisionRow, EndState, Record, Rejection
from stormwatch.settings import Settings

BATCH = 500
_decode = msgspec.json.Decoder(Decision).decode


class ReplayRefused(StormwatchError):
    """What a replay needs is gone; the sentence names it."""


class Stored(msgspec.Struct):
    """What is stored of the range."""

    ends: dict[int, str]
    decisions: dict[int, DecisionRow]
    versions: list[tuple[str, str, str]]  # model, rules, feature set
    rates: set[str]  # versions of reference rates, of the decisions that needed one


class Needs:
    """One range of one partition. Every method may raise ReplayRefused, InfrastructureError."""

    def __init__(
        self, settings: Settings, archive: Archive, source: Source, name: str, of: Range,
        labels: Source | None = None,
    ) -> None:  # fmt: skip
        """`labels`: of the topic of labels, where there is one."""
        self._settings, self._archive, self._source = settings, archive, source
        self._name, self._of, self._labels = name, of, labels
        self.recorded = Recall(settings, archive, name)
        self._spans = self._reach()

    def _reach(self) -> list[Span]:
        """The log from where reading began to the range's end, by epoch."""
        topic, partition, _, last = self._of
        marks = self._source.watermarks(partition)
        if last >= marks.high:
            raise SettingsError(
                f"--to {last}: partition {partition} of {topic} ends at offset {marks.high - 1}."
            )
        self._starts = [
            (epoch, first)
            for place, epoch, first in self._archive.ledger_starts(topic)
            if place == partition
        ]
        spans = [
            Span(topic, partition, epoch, low, high)
            for epoch, low, high in segments(self._starts, None, last + 1)
        ]
        if not spans:
            raise ReplayRefused(
                f"It is not known where the reading of {topic}[{partition}] began: it was never "
                "read, or the ledger of it has expired (ttl.ledger_d). Without the records from "
                "there on the states before the range cannot be known."
            )
        if self._of.first < spans[0].first:
            raise SettingsError(
                f"--from {self._of.first}: partition {partition} was read from offset "
                f"{spans[0].first} on."
            )
        if marks.low > spans[0].first:
            raise ReplayRefused(
                f"Kafka has {topic}[{partition}] from offset {marks.low} on only, reading began at "
                f"{spans[0].first}: the states before the range come from records that have "
                "expired. Keep the topic longer (retention.ms) to be able to replay."
            )
        return spans

    def ends(self) -> dict[int, str]:
        """The stored end state of each offset of the range."""
        of = self._of
        ends: dict[int, str] = {}
        read = partial(
            self._archive.ledger, of.topic, of.partition, first=of.first, last=of.last
        )  # fmt: skip
        for row in log_rows(read, self._starts):
            for state, bits in row.bitmaps.items():
                for offset in offsets(bits, row.fragment.first):
                    if (
                        state != EndState.EXPIRED or offset not in ends
                    ):  # as in `stormwatch.ledger.coverage`
                        ends[offset] = state
        missing = [offset for offset in range(of.first, of.last + 1) if offset not in ends]
        if missing:
            raise ReplayRefused(
                f"{len(missing)} offsets of the range have no end state, the first is "
                f"{missing[0]}: they are not decided yet (see `./stormwatch ledger`), or their "
                f"rows of the ledger have expired ({self._settings.ttl_ledger_d} days)."
            )
        wanted = range(of.first, of.last + 1)
        return {o: s for o, s in ends.items() if o in wanted and s != EndState.ABSENT}

    def stored(self, ends: Mapping[int, str], made: Pass) -> Stored:
        """The decisions of the range. Raises ReplayRefused if one is not there any more."""
        of = self._of
        decisions: dict[int, DecisionRow] = {}
        versions: dict[tuple[str, str, str], None] = {}
        rates: set[str] = set()
        places = {tuple(msgspec.structs.astuple(key)): offset for offset, key in made.keys.items()}
        for row in self._archive.find_decisions(self._name, list(made.keys.values())):
            try:
                decision = _decode(bytes(row.body))
            except msgspec.MsgspecError:  # told as a difference of the record with this key
                decisions[places[row.stripe, row.entity, row.time, row.id]] = row
                continue
            inside = of.first <= decision.offset <= of.last
            if inside and (decision.topic, decision.partition) == (of.topic, of.partition):
                decisions[decision.offset] = row
                versions[decision.model, decision.rules, decision.feature_set] = None
                if decision.rates:
                    rates.add(decision.rates)
        gone = sorted(
            offset
            for offset, state in ends.items()
            if state == EndState.SCORED and offset not in decisions
        )
        if gone:
            raise ReplayRefused(
                f"{len(gone)} decisions of the range are not stored any more, the first is that of "
                f"offset {gone[0]}: expired (ttl.decisions_d is {self._settings.ttl_decisions_d}), "
                f"or lost: `./stormwatch verdict {self._name}` shows which."
            )
        return Stored(dict(ends), decisions, list(versions), rates)

    @cached_property
    def _judged(self) -> AsJudged:
        read = partial(of_archive, self._archive, self._name, self._of.topic)
        return AsJudged(self._settings, read)

    def batches(self) -> Iterator[Batch]:
        """The log from where reading began to the range's end, labels where they were learned."""
        if self._labels is None:
            return self._payments()
        topic = self._settings.topic_labels
        starts = [
            (epoch, first)
            for place, epoch, first in self._archive.ledger_starts(topic)
            if place == self._of.partition
        ]
        marks = self._labels.watermarks(self._of.partition)
        spans = [
            Span(topic, self._of.partition, epoch, max(low, marks.low), high)
            for epoch, low, high in segments(starts, None, marks.high)
        ]
        killers = self._killers(topic)
        judged = AsJudged(self._settings, partial(of_archive, self._archive, self._name, topic))
        batches: list[Batch] = []
        for span in spans:
            read = log_reader.records(self._labels, span.partition, span.first, span.end)

            def kills(record: Record, epoch: int = span.epoch) -> bool:
                return (epoch, record.offset) in killers

            batches += cut(span, judged(span.partition, read), lambda: 1, kills)
        domain = MAKE[self._name](self._settings)
        skew_ms = self._settings.future_skew_s * 1000
        parse = partial(parser(self._settings, topic, domain), future_skew_ms=skew_ms)
        events = [
            event
            for batch in batches
            for record in batch.records
            if record.value is not None
            and not isinstance(event := parse(record.value, record.dated), Rejection)
        ]
        return merged(self._payments(), placed(batches, parse, self.recorded.of(events)))

    def _payments(self) -> Iterator[Batch]:
        killers = self._killers(self._of.topic)
        for span in self._spans:
            read = log_reader.records(self._source, span.partition, span.first, span.end)
            runs = self._judged(span.partition, read)

            def kills(record: Record, epoch: int = span.epoch) -> bool:
                return (epoch, record.offset) in killers

            yield from cut(span, runs, lambda: BATCH, kills)

    def _killers(self, topic: str) -> set[tuple[int, int]]:
        """Records that killed their process: they are not run again, but believed."""
        of = self._of
        return {
            (letter.epoch, letter.row.offset)
            for letter in self._archive.asides(self._name)
            if letter.row.code == "kills_process"
            and (letter.topic, letter.partition) == (topic, of.partition)
        }
