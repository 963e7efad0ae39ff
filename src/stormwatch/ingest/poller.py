"""Keeps the partitions of one spout task fed from a Source: discovery, polling, backpressure."""

import logging
from collections.abc import Callable, Collection
from random import Random

from msgspec.structs import replace

from stormwatch.epochs import epoch_of
from stormwatch.errors import SUSPECTED, BrokerRefused
from stormwatch.ingest.partition import FEW, Partition, Rules
from stormwatch.ingest.retry import FETCH, Retry
from stormwatch.ingest.start import Known, Subscription, check_position, open_log, open_partitions
from stormwatch.ingest.transactions import TransactionWatch
from stormwatch.ports import Source, Store, TopicInfo
from stormwatch.records import Record
from stormwatch.stretches import Stretch, with_fingerprint

DISCOVER_S = 30.0
ABSENT_S = 3.0
"""How often the topic is looked at, and looked for."""

logger = logging.getLogger(__name__)


class Poller:
    """Owns the source and the partitions p with p % `tasks` == `task`."""

    def __init__(
        self, connect: Callable[[], Source], store: Callable[[], Store], log: Subscription,
        rules: Rules,
        task: int, tasks: int, clock: Callable[[], float], random: Random,
    ) -> None:  # fmt: skip
        self.partitions: dict[int, Partition] = {}
        self.source: Source | None = None
        self.opened_at = 0.0
        self.retry = Retry(clock, random, log.kind)
        self._connect, self._store, self._log, self._rules = connect, store, log, rules
        self._task, self._tasks, self._clock, self._random = task, tasks, clock, random
        self._info: TopicInfo | None = None
        self._absent = False
        self._discover_at = 0.0
        self._paused: set[int] = set()
        self._gone: set[int] = set()
        self._stretches: dict[int, Stretch] = {}
        self._fetched: dict[int, list[Record]] = {}  # of which log is not proven yet
        self._opening = False
        self._transactions = TransactionWatch(log.topic)

    @property
    def width(self) -> int:
        """Partitions of the topic; 0 until they are known."""
        return 0 if self._info is None else self._info.partitions

    def discover(self) -> None:
        """Look at the topic when it is time to; open what is new.

        A topic that was made again is another log: what is in hand of the old one is given up, and
        the new one opened. Raises TopicError if what was not read is lost and may not be passed.
        """
        retry = self.retry
        if retry.ready and (retry.troubled or self._clock() >= self._discover_at):
            with retry.attempt():
                self._discover()

    def fetch(self, timeout: float) -> None:
        """Poll for `timeout` s at most. Raises TopicError as `discover` does."""
        if self.source is None or not self.partitions or self._opening:
            return
        self._balance(self.source)
        if len(self._paused) == len(self.partitions):
            return  # what came now would only be put on a shelf
        if not self.retry.may(FETCH):
            return
        with self.retry.attempt(FETCH, proves=False):
            held = self._poll(self.source, timeout)
            if held and (self._can_wait(held) or not self._proven(self.source)):
                return
            fetched, self._fetched = self._fetched, {}
            for index, records in fetched.items():
                self.partitions[index].buffer.arrived(records)
            self._gone.update(self.source.gone())
            for index in sorted(self._gone):
                if self.partitions[index].drained:
                    self._pass_gap(self.source, index)
            self._balance(self.source)

    def note_positions(self) -> None:
        """Store how far reading has come; what cannot be stored now is stored later."""
        store = self._store()
        for index, partition in self.partitions.items():
            before = self._stretches[index]
            if partition.position == before.position:
                continue
            fingerprints = (
                before.fingerprints
                if not partition.fingerprint
                else with_fingerprint(before.fingerprints, partition.fingerprint)
            )
            noted = replace(before, position=partition.position, fingerprints=fingerprints)
            self._stretches[index] = noted
            store.note_position(self._log_name, noted)

    @property
    def _log_name(self) -> str:
        return self._info.topic_id if self._info else ""

    def _poll(self, source: Source, timeout: float) -> int:
        """Take what came, to what is held already; how many records that are."""
        held, most = sum(map(len, self._fetched.values())), self._rules.limits.records
        if held < most and (came := source.poll(most - held, 0.0 if held else timeout)):
            self.retry.well(FETCH)
            for index, records in came.items():
                self._fetched.setdefault(index, []).extend(records)
                held += len(records)
        return held

    def _can_wait(self, held: int) -> bool:
        """Whether the proof of what is held can wait for more, so that one request proves all: no
        partition may send before its ack, and what came is no backlog, of which buffers are kept
        full."""
        in_flight = all(partition.in_flight for partition in self.partitions.values())
        return in_flight and held < self._rules.limits.records

    def _proven(self, source: Source) -> bool:
        """Whether what was fetched is of the log that is read: Kafka still has it, after that."""
        info = source.describe()
        if info is not None and self._info is not None and info.topic_id == self._info.topic_id:
            return True
        self._opening = True
        self._discover_at = self._clock()
        return False

    def _discover(self) -> None:
        self.source = source = self.source or self._connect()
        try:
            info = source.describe()
        except BrokerRefused:
            if self._info is None:  # a client that is not let in knocks again by itself
                self.source = None
                source.close()
            raise
        if info is None:
            if not self._absent:
                logger.warning(
                    "topic %r does not exist, waiting for it: `./stormwatch up` creates the "
                    "topics, AWS's tools a Kinesis stream", self._log.topic,
                )  # fmt: skip
        elif info != self._info or self._opening:
            self._open(source, info)
        else:
            idle = {i: p.buffer.read for i, p in self.partitions.items() if p.drained}
            self._transactions.look(source, idle)
        self._absent = info is None
        self._discover_at = self._clock() + (ABSENT_S if info is None else DISCOVER_S)

    def _open(self, source: Source, info: TopicInfo) -> None:
        self._opening = True  # until all is assigned: what is fetched before is for nobody
        store = self._store()
        known = open_log(source, store, self._log, info)
        changed = self._info is not None and self._info.topic_id != info.topic_id
        kept = {} if changed else self.partitions
        mine = range(self._task, info.partitions, self._tasks)
        added = [index for index in mine if index not in kept]
        used = max((each.generation for each in self.partitions.values()), default=0)
        opened = open_partitions(source, store, self._log, known, added, used if changed else 0)
        self._renew(store, known, kept)
        if changed:
            logger.warning(
                "topic %r was deleted and made again while it was read: what was not decided of "
                "the old one is gone", self._log.topic,
            )  # fmt: skip
        fresh = {}
        for index, begun in opened.items():
            if begun.said:
                logger.warning("%s", begun.said)
            self._stretches[index] = begun.stretch
            fresh[index] = partition = Partition(
                self._log.topic, index, begun.start, self._rules, self._random
            )
            if begun.low > partition.position:
                self._expire(partition, begun.low)
        everything = kept | fresh
        source.assign({index: each.buffer.read for index, each in everything.items()})
        self.partitions, self._info, self.opened_at = everything, info, self._clock()
        self._paused.clear()
        self._gone.clear()
        self._fetched, self._opening = {}, False
        _suspect(fresh.values())
        for index, each in fresh.items():
            if each.found and not each.tries:
                logger.warning(
                    "%s[%d]: a batch from offset %d on %s; it comes in smaller pieces now, the "
                    "other partitions go on", self._log.topic, index, each.position, SUSPECTED,
                )  # fmt: skip
            if each.tries:
                logger.warning(
                    "%s[%d]: the first record from offset %d on %s (death %d of %d, then it is set "
                    "aside)", self._log.topic, index, each.position, SUSPECTED, each.tries,
                    self._rules.quarantine_after,
                )  # fmt: skip
        starts = ", ".join(f"partition {i} from {p.buffer.read}" for i, p in fresh.items())
        logger.info("reading %r, log %s: %s", self._log.topic, known.log, starts or "nothing new")

    def _renew(self, store: Store, known: Known, kept: dict[int, Partition]) -> None:
        """Partitions were added: those read before have a new epoch."""
        for index, partition in kept.items():
            partition.renew(epoch_of(self._stretches[index].incarnation, known.resizes))
            noted = replace(self._stretches[index], generation=partition.generation)
            store.write_stretches(known.log, [noted])
            self._stretches[index] = noted

    def _pass_gap(self, source: Source, index: int) -> None:
        partition = self.partitions[index]
        read = partition.buffer.read
        marks = source.watermarks(index)
        if not self._proven(source):
            return
        if read > marks.high:  # the log ends before what was read of it: look at it anew
            del self.partitions[index]
            self._opening, self._discover_at = True, self._clock()
            return
        low = check_position(self._log, index, read, marks)
        source.seek(index, low)
        if low > read:
            self._expire(partition, low)
        self._gone.discard(index)

    def _expire(self, partition: Partition, low: int) -> None:
        logger.error(
            "%s[%d]: Kafka deleted offsets %d to %d before they were read (retention); they are "
            "counted as expired. Give the topic a longer retention or read faster.",
            self._log.topic, partition.index, partition.buffer.read, low - 1,
        )  # fmt: skip
        partition.expire(low)

    def _balance(self, source: Source) -> None:
        full = {i for i, p in self.partitions.items() if p.buffer.full} - self._paused
        hungry = {i for i in self._paused if self.partitions[i].buffer.hungry}
        if full:
            source.pause(full)
        if hungry:
            source.resume(hungry)
        self._paused = (self._paused | full) - hungry


def _suspect(opened: Collection[Partition]) -> None:
    """Of several, those that were not alone at a death are cleared whole: unless few records are
    suspected, which cost less time than the death that clearing costs."""
    suspected = [each for each in opened if each.suspected]
    if len(suspected) > 1 and sum(each.suspected for each in suspected) > FEW:
        for each in suspected:
            if not each.found:
                each.clear_whole()
