"""What is stored of the keys that a range touches, for a replay behind a re-key hop."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from apps.prove.replay.course import Range
from apps.prove.replay.needs import Needs, ReplayRefused
from apps.prove.verdict.ends import Ends
from apps.prove.verdict.epochs import aligned
from apps.prove.verdict.keys import cells_of
from apps.prove.verdict.oracle import Span
from apps.prove.verdict.orders import Step
from apps.prove.verdict.rekeyed import Log, Place
from apps.prove.verdict.tables import Stored, Table, Tables, Written
from stormwatch.archive import Archive
from stormwatch.ledger.reconcile import segments
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Source
from stormwatch.records import Decision, DecisionKey, EndState
from stormwatch.settings import Settings
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.judge import Domain

_NO_END = (1 << 62) - 1
_decode = msgspec.json.Decoder(Decision).decode


class Stock:
    """Reads through the ports. Every method may raise ReplayRefused, InfrastructureError."""

    def __init__(
        self, settings: Settings, archive: Archive, source: Source, domain: Domain[Any, Any],
        of: Range,
    ) -> None:  # fmt: skip
        self._settings, self._archive, self._source = settings, archive, source
        self._domain, self._of = domain, of
        self._starts = archive.ledger_starts(of.topic)

    def partitions(self, own: Needs, name: str) -> Iterator[Needs]:
        """All partitions of the topic from where reading began: a key's state is of them all."""
        info = self._source.describe()
        for partition in range(info.partitions if info else 0):
            last = self._source.watermarks(partition).high - 1
            read = any(place == partition for place, _, _ in self._starts)
            if partition == self._of.partition:
                of = self._of._replace(last=max(last, self._of.last))
                yield Needs(self._settings, self._archive, self._source, name, of)
            elif read and last >= 0:
                first = min(start for place, _, start in self._starts if place == partition)
                of = Range(self._of.topic, partition, min(first, last), last)
                yield Needs(self._settings, self._archive, self._source, name, of)

    def stored(self, log: Log, names: Iterable[str], wanted: set[Place]) -> Stored:
        """States, decisions and end states of these keys; `log` is cut where their states end.

        Events after a key's state are of batches that are not committed yet. Raises ReplayRefused
        where a state, or a decision of an offset that is `wanted`, is not there any more.
        """
        tables, settings = Tables(), self._settings
        names = list(names)
        stripes: dict[int, list[str]] = {}
        for name in names:
            stripes.setdefault(stripe_of(name, settings.layout_stripes), []).append(name)
        blobs = self._archive.load_states(self._domain.name, stripes)
        codec: EnvelopeCodec[Any] = EnvelopeCodec(self._domain.state)
        for name in names:
            if name not in blobs:
                raise ReplayRefused(
                    f"The state of {name!r} is not stored any more (ttl.states_d is "
                    f"{settings.ttl_states_d}), so what it met in which order cannot be known."
                )
            tables.states[self._domain.name, stripe_of(name, settings.layout_stripes), name] = (
                blobs[name]
            )
            marks = {place: at for place, _, at in codec.decode(blobs[name], name).marks}
            lanes = log.lanes[name]
            for partition, lane in lanes.items():
                lanes[partition] = [s for s in lane if s.offset <= marks.get(partition, -1)]
        for name in log.lanes.keys() - set(names):
            del log.lanes[name]
        tables.decisions = self._decisions(log)
        self._letters(tables.dead_letters)
        ends, written = Ends(), []
        partitions = {step.partition for step in log.steps()}
        for place, epoch in {(place, epoch) for place, epoch, _ in self._starts}:
            if place not in partitions:
                continue
            last = self._source.watermarks(place).high - 1
            for row in self._archive.ledger(self._of.topic, place, epoch, 0, last):
                f, nth = row.fragment, (row.fragment.generation, row.fragment.attempt)
                ends.add(place, f.epoch, f.first, row.part, nth, row.bitmaps)
                written.append(Written(place, f.epoch, f.first, f.last, row.part, row.age, nth))
        tables.ends = ends.table()
        aligned(tables, [span for place in partitions for span in self._spans(place)])
        self._refuse_gone(log, tables, wanted)
        return Stored(tables, written, self._starts)

    def _spans(self, partition: int) -> list[Span]:
        starts = [(epoch, first) for place, epoch, first in self._starts if place == partition]
        found = segments(starts, None, _NO_END)
        return [Span(self._of.topic, partition, epoch, low, end) for epoch, low, end in found]

    def bodies(self, have: Stored) -> Iterator[Decision]:
        """Those that can be read."""
        for cells in have.tables.decisions.values():
            try:
                yield _decode(bytes(cells[2]))
            except msgspec.MsgspecError:
                continue

    def key_of(self, step: Step) -> DecisionKey:
        """Where its decision is stored."""
        event = step.event
        stripe = stripe_of(event.entity, self._settings.layout_stripes)
        return DecisionKey(stripe, event.entity, event.time, event.id)

    def _decisions(self, log: Log) -> Table:
        period = self._settings.layout_period_h * 3_600_000
        name = self._domain.name
        rows = self._archive.find_decisions(name, [self.key_of(step) for step in log.steps()])
        return {
            (name, row.stripe, row.time // period, row.entity, row.time, row.id): (
                row.outcome, row.score, bytes(row.body), row.timestamp, row.alert
            )
            for row in rows
        }  # fmt: skip

    def _letters(self, table: Table) -> None:
        for letter in self._archive.asides(self._domain.name):
            key = letter.topic, letter.partition, letter.row.state, letter.epoch, letter.row.offset
            table[self._domain.name, *key] = cells_of(letter.row)

    def _refuse_gone(self, log: Log, tables: Tables, wanted: set[Place]) -> None:
        here = {(key[1], key[3], key[4], key[5]) for key in tables.decisions}
        gone = [
            step
            for step in log.steps()
            if step.place in wanted and step.accounts
            and EndState.SCORED in tables.ends.get(step.place, ())
            and tuple(msgspec.structs.astuple(self.key_of(step))) not in here
        ]  # fmt: skip
        if gone:
            raise ReplayRefused(
                f"{len(gone)} decisions of the range are not stored any more, one is that of "
                f"offset {gone[0].offset}: expired (ttl.decisions_d is "
                f"{self._settings.ttl_decisions_d}), or lost: `./stormwatch verdict "
                f"{self._domain.name}` tells which."
            )
