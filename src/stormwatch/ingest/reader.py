"""All partitions of one spout task: turns, acks and commits. No Storm; the clock is passed in.

`step` is called again and again and returns soon; what it returns is to be emitted. Kafka that
does not answer is waited for with back-off; that is logged once, and so is its return.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from random import Random

from stormwatch.errors import BrokerUnavailable, StoreUnavailable
from stormwatch.ingest.choice import choose
from stormwatch.ingest.in_flight import InFlight
from stormwatch.ingest.partition import Partition, Rules
from stormwatch.ingest.poller import Poller
from stormwatch.ingest.retry import COMMIT
from stormwatch.ingest.start import Subscription
from stormwatch.ports import Committed, Source, Store

COMMIT_S = 1.0
RECOMMIT_S = 86_400.0
"""Commits: at most so often; all of them at least so often, or Kafka forgets an idle group's."""
IDLE_POLL_S, BUSY_POLL_S = 0.050, 0.001
"""How long a poll may wait with nothing in flight, and else. A record ends it at once, and of an
idle stream nobody waits for an ack: each look costs Storm and us a message."""
SHARED_POLL_S = 0.010
"""With nothing in flight where a task reads several topics, one after the other."""
PACE_S, SLOWEST_PACE_S = 0.010, 0.050
"""Between two rounds of sending: as long as a batch takes from here to its ack, within these. A
record on an idle stream goes out at once; under load, what came in the meantime goes out together:
components that wake for every few records cost several times the CPU a record. Where the machine is
full, rounds are so rarer, each larger and cheaper."""
_NEWS = 1 / 8
"""How much of that time the newest batch says."""
_LATE = 1 / 4
"""How much longer a round may get, where its acks are late, for not looking every millisecond."""
WAIT_S = 0.010
"""The longest `pause_s`."""
STAGGER_S = 2.0
"""Records that may kill are sent by one task after the other: task i waits i times this."""

logger = logging.getLogger(__name__)


class Reader:
    """Reads the partitions p of a topic with p % `tasks` == `task`.

    `connect` is called by the first `step`; `store` whenever the store is needed, raises
    StoreUnavailable while it is not there; `clock` gives monotonic seconds. TopicError comes out of
    `step` where going on would skip records.
    """

    def __init__(
        self, connect: Callable[[], Source], store: Callable[[], Store], log: Subscription,
        rules: Rules,
        task: int, tasks: int, clock: Callable[[], float], random: Random,
        idle_poll_s: float = IDLE_POLL_S,
    ) -> None:  # fmt: skip
        """`idle_poll_s`: how long a poll may wait with nothing in flight."""
        self._idle_poll_s = idle_poll_s
        self._poller = Poller(connect, store, log, rules, task, tasks, clock, random)
        self._retry = self._poller.retry
        self._clock = clock
        self._stagger = task * STAGGER_S
        self._resting = False
        self._others_first = False
        self._round_at = clock()
        self._took = PACE_S
        self._commit_at = self._recommit_at = clock()
        self._unconfirmed: dict[int, Committed] = {}

    @property
    def pause_s(self) -> float:
        """For how long `step` would have nothing to send, s. Where every partition waits for an
        ack that is late, a part of how late it is: each look costs Storm and us a message, and
        Kafka two requests, and acks are late where the machine is full."""
        partitions = self._poller.partitions.values()
        if not partitions or self._retry.troubled:
            return WAIT_S
        left = self._round_at - self._clock()
        if left < 0 and all(partition.in_flight for partition in partitions):
            left *= -_LATE
        return min(WAIT_S, max(BUSY_POLL_S, left))

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing in flight, and nothing to send."""
        return not any(
            partition.item or len(partition.buffer)
            for partition in self._poller.partitions.values()
        )

    @property
    def width(self) -> int:
        """Partitions of the topic; 0 until they are known."""
        return self._poller.width

    def look(self) -> None:
        """Only see whether the topic changed, when it is time to. Raises TopicError."""
        self._poller.discover()

    def step(self) -> list[InFlight]:
        """One turn: what is to be emitted now. Each is marked as sent."""
        if self._resting:
            self._wake()
        self._poller.discover()
        for partition in self._poller.partitions.values():
            with _cut_told(partition):
                if partition.overdue(self._clock()):
                    logger.warning("%s: Storm was silent, sending it again", _name(partition))
        items: list[InFlight] = []
        if self._clock() >= self._round_at:
            items = self._fetch_and_send()
        if self._clock() >= self._commit_at and self._retry.may(COMMIT):
            self._commit_progress()
        return items

    def ack(self, tup_id: str) -> None:
        """The whole tree of the tuple is acked."""
        partition = self._owner(tup_id)
        if partition is None:
            return
        item = partition.item
        if item and item.sent_at is not None:
            self._took += _NEWS * (self._clock() - item.sent_at - self._took)
        if partition.ack(tup_id) and self._resting:
            self._commit_rest([partition])

    def fail(self, tup_id: str) -> None:
        """Storm gave the tuple back: a bolt failed it or the time-out passed."""
        if (partition := self._owner(tup_id)) is None:
            return
        with _cut_told(partition):
            delay = partition.fail(tup_id, self._clock())
        if partition.item and delay is not None:
            logger.warning(
                "%s failed: a bolt could not reach Cassandra or Kafka, or Storm's time-out passed."
                " Attempt %d in %.1f s", _name(partition), partition.item.fragment.attempt, delay,
            )  # fmt: skip

    def rest(self) -> None:
        """An orderly stop: commit what is acked, and that nothing died."""
        self._resting = True
        for partition in self._poller.partitions.values():
            partition.rest()
        self._commit_rest(self._poller.partitions.values())
        self._note_positions()

    def close(self) -> None:
        """`rest`, then leave Kafka. Idempotent."""
        self.rest()
        source, self._poller.source = self._poller.source, None
        if source:
            source.close()

    def _fetch_and_send(self) -> list[InFlight]:
        """What came up to this moment goes out: what was polled a round ago is a round late."""
        if not self._poller.partitions:
            return []
        self._poller.fetch(self._poll_s())
        return self._send()

    def _poll_s(self) -> float:
        now, busy = self._clock(), False
        for partition in self._poller.partitions.values():
            item = partition.item
            if len(partition.buffer) if item is None else item.due(now):
                return 0.0
            busy |= partition.in_flight
        return BUSY_POLL_S if busy else self._idle_poll_s

    def _send(self) -> list[InFlight]:
        partitions, now = self._poller.partitions.values(), self._clock()
        for partition in partitions:
            partition.prepare()
        suspects_from = self._poller.opened_at + self._stagger
        chosen = choose(partitions, now, suspects_from, self._others_first)
        for partition in chosen:
            partition.guard()
        alone = any(p.item and p.item.alone for p in chosen)
        # Before that, what is acked is committed, or a death would make it suspected, too.
        held = [p for p in partitions if p.hold or (alone and p.dirty)]
        if held and self._retry.may(COMMIT):
            with self._retry.attempt(COMMIT):
                self._commit(held)
        if any(p.hold for p in partitions):
            chosen = [p for p in chosen if p.item and p.item.begun and not p.hold]
        for partition in chosen:
            partition.sent(now)
            self._round_at = now + min(max(self._took, PACE_S), SLOWEST_PACE_S)
            self._others_first = alone
        return [partition.item for partition in chosen if partition.item]

    def _commit(self, partitions: Collection[Partition]) -> None:
        commits = {p.index: p.commit for p in partitions}
        if self._poller.source and commits:
            self._poller.source.commit(commits, wait=True)
            for partition in partitions:
                partition.release(commits[partition.index])

    def _commit_progress(self) -> None:
        """Without waiting while there is news; once more and confirmed when there is none."""
        partitions, now = self._poller.partitions, self._clock()
        self._commit_at = now + COMMIT_S
        news = {index: p.commit for index, p in partitions.items() if p.dirty and not p.hold}
        settled = [partitions[index] for index in self._unconfirmed]
        if now >= self._recommit_at:
            settled = list(partitions.values())
        with self._retry.attempt(COMMIT, proves=bool(settled) and not news):
            try:
                if news and self._poller.source:
                    self._poller.source.commit(news, wait=False)
                    for index, commit in news.items():
                        partitions[index].kept(commit)
                    self._unconfirmed |= news
                    self._note_positions()
                elif settled:
                    self._commit(settled)
                    self._unconfirmed.clear()
                    self._recommit_at = now + RECOMMIT_S
            except BrokerUnavailable:
                for partition in partitions.values():
                    partition.kept(None)
                raise

    def _note_positions(self) -> None:
        # What the store misses now it hears with the next commit.
        with suppress(StoreUnavailable):
            self._poller.note_positions()

    def _commit_rest(self, partitions: Collection[Partition]) -> None:
        try:
            self._commit(partitions)
        except BrokerUnavailable as error:
            logger.warning("could not commit at the stop, the next start is slower: %s", str(error))

    def _wake(self) -> None:
        self._resting = False
        for partition in self._poller.partitions.values():
            partition.wake()

    def _owner(self, tup_id: str) -> Partition | None:
        index = tup_id.partition(":")[0]
        return self._poller.partitions.get(int(index)) if index.isdecimal() else None


def _name(partition: Partition) -> str:
    item = partition.item
    span = f" {item.fragment.first}-{item.fragment.last}" if item else ""
    return f"{partition.topic}[{partition.index}]{span}"


@contextmanager
def _cut_told(partition: Partition) -> Iterator[None]:
    """Says so when the batch in hand was cut."""
    before = partition.item.records if partition.item else 0
    yield
    if (item := partition.item) and item.records < before:
        logger.warning(
            "%s timed out again and again: it had %d records and comes again with %d. Raise the "
            "message time-out (topology.message_timeout_s) or lower batch.max_records.",
            _name(partition), before, item.records,
        )  # fmt: skip
