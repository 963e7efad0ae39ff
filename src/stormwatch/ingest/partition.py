"""One Kafka partition as the spout sees it: a pure state machine, one item in flight at a time.

The next item is cut only when the one in hand is acked; then `position`, the lowest offset not
acked and the offset to commit, moves behind it. A fail or a long silence sends the same item again
as the next attempt; answers to an older attempt are ignored. A batch that timed out in Storm
again and again comes smaller (`stormwatch.ingest.batch_limit`). What must be committed before
anything is sent (a new generation, a guarded batch) sets `hold`.

After an unclean stop the partition is *cautious* for CAUTION batches: of 0, 1, 2, 4, ... records,
each but the empty one announced in the commit's metadata before it is sent. What dies of the empty
one (a bolt that cannot start, a broken model) does not die of a record. If the process dies again,
the batches in flight are *suspected*. Up to FEW records of them come one by one. Else each batch
comes once more, whole, while nothing else of the task is in flight: all but the one that kills are
cleared by that. What was alone in flight at a death comes one by one or, if it is larger than FEW,
in PIECES, of which the one that kills does so again. A single record is a *probe*: it goes alone,
too, and is quarantined once `quarantine_after` deaths are counted on it. The other partitions have
a turn between any two that go alone (`stormwatch.ingest.choice`).

So a record that kills its process costs at most `quarantine_after` + 2 deaths where few records
are in flight (one that nobody was prepared for, one with batches of several partitions), + 4 where
many are (one with its batch alone, one with a piece of it).

It knows no Kafka and no clock: times are seconds of the caller's monotonic clock.
"""

from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from stormwatch.ingest import notices
from stormwatch.ingest.batch_limit import BatchLimit
from stormwatch.ingest.buffer import Buffer, BufferLimits
from stormwatch.ingest.commit_metadata import Start
from stormwatch.ingest.in_flight import BATCHES, NOTICES, InFlight, backoff
from stormwatch.ports import Committed
from stormwatch.records import Fingerprint, Fragment, Record, fingerprint_of
from stormwatch.stretches import OPEN

CAUTION = 64
"""Far more than is read between two commits: the killer lies within."""
PIECES, FEW = 32, 512
"""A batch that kills comes in so many pieces; so few records come one by one at once: what goes
alone takes some ten milliseconds, a death costs the whole topology ten seconds and more."""


class Rules(NamedTuple):
    """What a partition keeps to."""

    limits: BufferLimits
    quarantine_after: int
    resend_after_s: float  # in flight for so long without an answer: sent again
    component: str  # names the spout in quarantined rows
    timeout_s: float  # Storm's, of a message: what comes back after that was too slow


class Partition:
    """See the module."""

    def __init__(self, topic: str, index: int, start: Start, rules: Rules, random: Random) -> None:
        self.topic, self.index = topic, index
        self.position = self._expired_to = start.offset
        self.buffer = Buffer(start.offset, rules.limits, start.decided)
        self._decided = list(start.decided)
        self.item: InFlight | None = None
        self.hold = True
        self._mark, self._rules, self._random = start.mark, rules, random
        self._believed = start.believed
        self._caution = CAUTION if start.cautious else 0
        self._step = 0
        self.suspected = max(start.mark.span, min(start.mark.tries, 1))
        """So many records come next that were in flight when the process died."""
        self._found = start.mark.alone or start.mark.tries > 0
        self._piece = 1 if self.suspected <= FEW else -(-self.suspected // PIECES)
        self._kept: Committed | None = None
        self._batch_limit = BatchLimit(rules.limits.records, rules.timeout_s)
        self._tried = (-1, 0)  # the last offset of a batch that was cut, and its next attempt

    # Kafka's side

    def expire(self, low: int) -> None:
        """Kafka deleted everything from `buffer.read` to `low` - 1. Only while `drained`."""
        assert self.drained
        self._expired_to = self.buffer.read = low

    def renew(self, epoch: int) -> None:
        """The topic has a new epoch; takes a new generation. What is in hand keeps the old one."""
        mark = self._mark
        self._mark = replace(mark, generation=mark.generation + 1, epoch=epoch, started=False)
        self.hold = True

    @property
    def drained(self) -> bool:
        """Whether everything read is acked."""
        return self.item is None and not self.buffer and self.position >= self._expired_to

    # Storm's side

    @property
    def in_flight(self) -> bool:
        """Whether it waits for an ack."""
        return self.item is not None and self.item.sent_at is not None

    def prepare(self) -> InFlight | None:
        """The item in hand; cuts the next one if there is none."""
        if self.item is None:
            self.item = self._cut()
        return self.item

    @property
    def found(self) -> bool:
        """Whether nothing else was in flight then: the record that kills is in what comes next."""
        return self.suspected > 0 and self._found

    def clear_whole(self) -> None:
        """Others are suspected, too: what is suspected here is sent whole, not in pieces."""
        self._piece = self.suspected

    @property
    def tries(self) -> int:
        """Deaths counted on the next record."""
        return self._mark.tries

    def guard(self) -> None:
        """Announce the item in the metadata if caution asks for it: `hold` until committed."""
        item = self.item
        if item and item.records and self._caution and item.stream == BATCHES and not item.guarded:
            item.guarded = self.hold = True
            tries = self._mark.tries + 1 if item.probe else 0
            self._mark = replace(self._mark, tries=tries, span=item.records, alone=item.alone)

    def sent(self, now: float) -> None:
        """The item in hand was given to Storm."""
        assert self.item is not None and not self.hold
        self.item.sent_at = now

    def ack(self, tup_id: str) -> bool:
        """Everything the item led to is stored. False if this was not the attempt in flight."""
        if not (item := self._in_flight(tup_id)):
            return False
        self.item = None
        if item.empty and item.stream == BATCHES:
            self._step = 1
        elif item.empty:
            self._mark = replace(self._mark, started=item.fragment.epoch == self._mark.epoch)
        else:
            self.position = item.fragment.last + 1
            fingerprint = item.fragment.fingerprint or self._mark.fingerprint
            self._relax(item.records)
            self._mark = replace(
                self._mark, tries=0, span=self.suspected, alone=self.found, fingerprint=fingerprint
            )
            # Or a later death, of another record, would be counted on this one.
            self.hold = self.hold or item.alone
            self._batch_limit.passed()
        return True

    def fail(self, tup_id: str, now: float) -> float | None:
        """Infrastructure failed: seconds until the item is sent again; None for an old attempt."""
        if not (item := self._in_flight(tup_id)):
            return None
        self._shrink(item, now)
        delay = backoff(item.fragment.attempt, self._random)
        item.again(now + delay)
        return delay

    def overdue(self, now: float) -> bool:
        """Whether Storm was silent about the item for too long; it is then due again."""
        item = self.item
        if item is None or item.sent_at is None:
            return False
        if silent := now - item.sent_at > self._rules.resend_after_s:
            self._shrink(item, now)
            item.again(now)
        return silent

    # The commit

    def rest(self) -> None:
        """An orderly stop: commits from here on say so."""
        self._mark = replace(self._mark, clean=True)

    def wake(self) -> None:
        """Undo `rest`, in the commit first."""
        self._mark = replace(self._mark, clean=False)
        self.hold = True

    @property
    def commit(self) -> Committed:
        """The commit as it should be: the lowest offset not acked, and the mark."""
        return Committed(self.position, replace(self._mark, offset=self.position).text())

    @property
    def generation(self) -> int:
        """Of what is sent from here on."""
        return self._mark.generation

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of the last record acked, as far as it is known."""
        return self._mark.fingerprint

    @property
    def dirty(self) -> bool:
        """Whether `commit` is not what Kafka was last given."""
        return self._kept != self.commit

    def kept(self, commit: Committed | None) -> None:
        """Kafka was given this commit; None: whether it has any is not known."""
        self._kept = commit

    def release(self, commit: Committed) -> None:
        """Kafka confirmed this commit, the present one: clears `hold`."""
        self._kept, self.hold = commit, False

    # Within

    def _in_flight(self, tup_id: str) -> InFlight | None:
        item = self.item
        return item if item and item.sent_at is not None and item.tup_id == tup_id else None

    def _shrink(self, item: InFlight, now: float) -> None:
        if item.stream == BATCHES and item.records and item.sent_at is not None:
            # What is given back was tried: its next try must be known as a later one.
            self._tried = (max(item.fragment.last, self._tried[0]), item.fragment.attempt + 1)
            count = self._batch_limit.timed_out(item.records, now - item.sent_at)
            self.buffer.give_back(item.keep(count))

    def _relax(self, records: int) -> None:
        if self.suspected:
            self.suspected = max(0, self.suspected - records)
            self._step = max(self._step, records)
        elif self._caution and records:
            self._caution -= 1
            self._step *= 2

    def _cut(self) -> InFlight | None:
        self._pass_decided()
        if not self._mark.started:
            at = self._fragment(self.position - 1)
            return InFlight(NOTICES, at, notices.started(at))
        if self.position < self._expired_to:
            end = min(self._expired_to, self.position + notices.EXPIRED_CHUNK)
            fragment = self._fragment(end - 1)
            return InFlight(NOTICES, fragment, notices.expired(fragment))
        most = self._most()
        if self.buffer and not most:
            return InFlight(BATCHES, self._fragment(self.position - 1), [])
        bound = self._decided[0][0] if self._decided else OPEN
        if not (batch := self.buffer.take(most, bound)):
            empty = self.position < bound <= self.buffer.read  # no records: said as absent
            return InFlight(BATCHES, self._fragment(bound - 1), []) if empty else None
        batch = self._dated(batch)
        largest = self._rules.limits.record_bytes
        fragment = replace(
            self._fragment(batch[-1].offset), fingerprint=fingerprint_of(batch[-1], largest)
        )
        single = self._caution > 0 and most == 1
        if single and self.tries >= self._rules.quarantine_after:
            aside = notices.quarantined(fragment, batch[0], self.tries, self._rules.component)
            return InFlight(NOTICES, fragment, aside, records=1)
        if self.position <= self._tried[0]:
            fragment = replace(fragment, attempt=self._tried[1])
        alone = single or (self._caution > 0 and self.suspected > 0)
        return InFlight(
            BATCHES, fragment, batch, records=len(batch), probe=single, alone=alone, most=largest
        )

    def _pass_decided(self) -> None:
        """Go on behind what has an end state already."""
        while self._decided and self._decided[0][0] <= self.position:
            self.position = max(self.position, self._decided.pop(0)[1])

    def _dated(self, batch: list[Record]) -> list[Record]:
        """The batch, or its beginning, with one moment for all that are judged by their reading.

        It is written into the commit first, so that it is the same when they are read again.
        """
        dating, known = self._rules.limits.dating, self._mark.dated
        if dating is None:
            return batch
        if known is not None and batch[0].offset <= known[0]:
            kept = [record for record in batch if record.offset <= known[0]]
            self.buffer.give_back(batch[len(kept) :])
            return dating.at(known[1], kept)
        moments = [record.read for record in batch if record.read is not None]
        if not moments:
            return batch
        moment = max(moments)
        self._mark = replace(self._mark, dated=(batch[-1].offset, moment))
        self.hold = True
        return dating.at(moment, batch)

    def _most(self) -> int:
        most = self._batch_limit.most
        if not self._caution or not self._step:
            return 0 if self._caution else most
        return min(most, self._piece, self.suspected) if self.suspected else min(most, self._step)

    def _fragment(self, last: int) -> Fragment:
        epoch, generation = self._mark.epoch, self._mark.generation
        return Fragment(
            self.topic, self.index, epoch, self.position, last, generation, 0, self._believed
        )
