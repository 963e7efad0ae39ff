"""Keeps the partitions of one spout task fed from a Source: discovery, polling, backpressure."""

import logging
from collections.abc import Callable
from random import Random

from stormwatch.errors import BrokerRefused
from stormwatch.ingest.partition import Partition, Rules
from stormwatch.ingest.retry import FETCH, Patience
from stormwatch.ingest.start import Log, check_position, open_epoch, open_partitions, recreated
from stormwatch.ingest.transactions import TransactionWatch
from stormwatch.ports import Source, TopicInfo

DISCOVER_S = 30.0
ABSENT_S = 3.0
"""How often the topic is looked at, and looked for."""
SUSPECTED = "was alone in work when its process died"
"""Said at a start after a death that is counted on one record: `storm` knows it by these words."""

logger = logging.getLogger(__name__)


class Feed:
    """Owns the source and the partitions p with p % `tasks` == `task`."""

    def __init__(
        self, connect: Callable[[], Source], log: Log, rules: Rules, task: int, tasks: int,
        clock: Callable[[], float], random: Random,
    ) -> None:  # fmt: skip
        self.partitions: dict[int, Partition] = {}
        self.source: Source | None = None
        self.opened_at = 0.0
        self.patience = Patience(clock, random)
        self._connect, self._log, self._rules = connect, log, rules
        self._task, self._tasks, self._clock, self._random = task, tasks, clock, random
        self._info: TopicInfo | None = None
        self._absent = False
        self._discover_at = 0.0
        self._paused: set[int] = set()
        self._gone: set[int] = set()
        self._transactions = TransactionWatch(log.topic)

    def discover(self) -> None:
        """Look at the topic when it is time to; open what is new.

        Raises TopicError if the topic is not the one that was read, or lost what was not read.
        """
        patience = self.patience
        if patience.ready and (patience.troubled or self._clock() >= self._discover_at):
            with patience.attempt():
                self._discover()

    def fetch(self, timeout: float) -> None:
        """Poll for `timeout` s at most. Raises TopicError as `discover` does."""
        if self.source is None or not self.partitions:
            return
        self._balance(self.source)
        if len(self._paused) == len(self.partitions):
            return  # what came now would only be put on a shelf
        if not self.patience.may(FETCH):
            return
        with self.patience.attempt(FETCH, proves=False):
            polled = self.source.poll(self._rules.limits.records, timeout)
            if polled:
                self.patience.well(FETCH)
            for index, records in polled.items():
                self.partitions[index].backlog.arrived(records)
            self._gone.update(self.source.gone())
            for index in sorted(self._gone):
                if self.partitions[index].drained:
                    self._pass_gap(self.source, index)
            self._balance(self.source)

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
                    "topics", self._log.topic,
                )  # fmt: skip
        elif self._info and info.topic_id != self._info.topic_id:
            raise recreated(self._log)
        elif info != self._info:
            self._open(source, info)
        else:
            idle = {i: p.backlog.read for i, p in self.partitions.items() if p.drained}
            self._transactions.look(source, idle)
        self._absent = info is None
        self._discover_at = self._clock() + (ABSENT_S if info is None else DISCOVER_S)

    def _open(self, source: Source, info: TopicInfo) -> None:
        epoch = open_epoch(source, self._log, info)
        mine = range(self._task, info.partitions, self._tasks)
        added = [index for index in mine if index not in self.partitions]
        fresh = {}
        for index, opened in open_partitions(source, self._log, added, epoch).items():
            fresh[index] = partition = Partition(
                self._log.topic, index, opened.start, self._rules, self._random
            )
            if opened.low > partition.position:
                self._expire(partition, opened.low)
        everything = self.partitions | fresh
        source.assign({index: each.backlog.read for index, each in everything.items()})
        for partition in self.partitions.values():
            partition.renew(epoch)
        self.partitions, self._info, self.opened_at = everything, info, self._clock()
        self._paused.clear()
        for index, each in fresh.items():
            if each.tries:
                logger.warning(
                    "%s[%d]: the first record from offset %d on %s (death %d of %d, then it is set "
                    "aside)", self._log.topic, index, each.position, SUSPECTED, each.tries,
                    self._rules.quarantine_after,
                )  # fmt: skip
        starts = ", ".join(f"partition {i} from {p.backlog.read}" for i, p in fresh.items())
        logger.info("reading %r, epoch %d: %s", self._log.topic, epoch, starts or "nothing new")

    def _pass_gap(self, source: Source, index: int) -> None:
        partition = self.partitions[index]
        read = partition.backlog.read
        low = check_position(self._log, index, read, source.watermarks(index))
        source.seek(index, low)
        if low > read:
            self._expire(partition, low)
        self._gone.discard(index)

    def _expire(self, partition: Partition, low: int) -> None:
        logger.error(
            "%s[%d]: Kafka deleted offsets %d to %d before they were read (retention); they are "
            "counted as expired. Give the topic a longer retention or read faster.",
            self._log.topic, partition.index, partition.backlog.read, low - 1,
        )  # fmt: skip
        partition.expire(low)

    def _balance(self, source: Source) -> None:
        full = {i for i, p in self.partitions.items() if p.backlog.full} - self._paused
        hungry = {i for i in self._paused if self.partitions[i].backlog.hungry}
        if full:
            source.pause(full)
        if hungry:
            source.resume(hungry)
        self._paused = (self._paused | full) - hungry
