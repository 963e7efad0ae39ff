"""The newest state of all that runs, looked at by two threads and handed to every reader.

However many people look, Kafka and the store are asked once, and an answer is encoded once. While
nobody looks they are asked less often. Alerts have a thread of their own (`apps.serve.newest`).
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import NamedTuple, Protocol

import msgspec

from apps.data.streams import Stream
from apps.operate import ledger, profile
from apps.operate.figures import Look, rates, rejected_by_code
from apps.operate.looks import figures
from apps.serve import answers
from apps.serve.newest import Newest
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.archive import Archive
from stormwatch.errors import InfrastructureError
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.metrics import precision_recall
from stormwatch.ports import Admin
from stormwatch.settings import Settings

_log = logging.getLogger(__name__)
EVERY_S, IDLE_S = 1.0, 2.0
"""Between two looks at figures while somebody looks on, and while nobody does: figures that change
faster cannot be read."""
WINDOW_MS = 10_000
"""Rates and latencies are of this long."""
FRESH_MS = 30_000
"""A component that has not written its figures for longer is not running."""
POINT_MS, POINTS = 5_000, 720
"""Between two points of a curve, and how many are kept: an hour."""
LEDGER_S, LEDGER_SHARE = 10.0, 20.0
"""Between two reconciliations; at least so many times as long as one takes."""
PATIENCE_S = 2.0
"""An outage that is over sooner is not told."""


class Served(Protocol):
    """The services as the server needs them; see `apps.operate.looks.Connected`."""

    @property
    def settings(self) -> Settings: ...
    @property
    def admin(self) -> Admin: ...
    @property
    def store(self) -> Archive: ...


Told = answers.Rates | answers.Alerts | answers.Ledgers | answers.Trouble


class Part(NamedTuple):
    """A part of the state, and what a stream says of it. The version rises with each change."""

    version: int
    told: Told
    frame: bytes


class Live(Thread):
    """Looks until `stop`. `parts` and `history` may be read at any time, from any thread."""

    def __init__(
        self,
        streams: Sequence[Stream],
        outside: Served,
        reconciled: Callable[[], Mapping[str, TopicLedger]] = dict,
    ) -> None:
        """`reconciled`: the ledgers that somebody else in this process keeps, by topic."""
        super().__init__(name="live", daemon=True)
        self.watching = 0
        """Readers of the newest."""
        self.parts: dict[str, Part] = {}
        """By name: rates, alerts, ledgers, trouble."""
        self._streams = streams
        self._there: list[Stream] = []  # whose topic exists
        self._outside, self._reconciled = outside, reconciled
        self._looks: dict[str, deque[Look]] = {s.topology: deque() for s in streams}
        self._points: dict[str, deque[answers.Point]] = {
            s.topology: deque(maxlen=POINTS) for s in streams
        }
        self._reconcile_at = 0.0
        self._ended, self._asked = Event(), Event()
        self._newest = Newest(outside, self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None
        self.tell("rates", answers.Rates(0, []))
        self.tell("alerts", answers.Alerts([]))
        self.tell("ledgers", answers.Ledgers([]))
        self.tell("trouble", answers.Trouble())

    @property
    def now(self) -> answers.Now:
        """All parts."""
        told = {name: part.told for name, part in self.parts.items()}
        return answers.Now(**told)  # type: ignore[arg-type]

    @property
    def history(self) -> answers.History:
        """The points of the last hour."""
        return answers.History({name: list(points) for name, points in self._points.items()})

    @property
    def costs(self) -> list[answers.Costs]:
        """Of what runs, over the last seconds."""
        told = []
        for domain, some in list(self._looks.items()):
            looks = list(some)
            if looks and looks[-1].processes:
                first, last = looks[0], looks[-1]
                before = dict(each for look in reversed(looks) for each in look.processes)
                found = profile.hops(before, dict(last.processes))
                told.append(answers.Costs(
                    domain, last.taken - first.taken, [
                        answers.Hop(
                            hop.component, hop.tasks, hop.records, hop.batches,
                            {part: round(us, 2) for part, us in hop.us.items()},
                            round(hop.busy, 3), hop.cpu_us and round(hop.cpu_us, 2),
                            hop.capacity and round(hop.capacity),
                        ) for hop in found
                    ], profile.advice(found),
                ))  # fmt: skip
        return told

    @property
    def there(self) -> list[Stream]:
        """The topologies whose topic exists."""
        return self._there

    @property
    def newest(self) -> dict[str, Look]:
        """The last look at each domain whose topic exists."""
        return {domain: looks[-1] for domain, looks in list(self._looks.items()) if looks}

    async def newer(self, known: dict[str, int], within: float) -> dict[str, Part]:
        """The parts whose version is not the one in `known`, once there are any; none after
        `within` seconds. To be called on one event loop."""
        self._loop = asyncio.get_running_loop()
        self._changed = self._changed or asyncio.Event()
        try:
            async with asyncio.timeout(within):
                while True:
                    changed = self._changed
                    new = {n: p for n, p in self.parts.items() if p.version != known.get(n)}
                    if new:
                        return new
                    await changed.wait()
        except TimeoutError:
            return {}

    def arrived(self) -> None:
        """One more reader, until it has `left`."""
        self.watching += 1
        self._asked.set()
        self._newest.asked.set()

    def left(self) -> None:
        """See `arrived`."""
        self.watching -= 1

    def start(self) -> None:
        super().start()
        self._newest.start()

    def run(self) -> None:
        well = time.monotonic()
        try:
            while not self._ended.is_set():
                try:
                    self._look()
                    self.tell("trouble", answers.Trouble())
                    well = time.monotonic()
                except InfrastructureError as error:
                    if time.monotonic() - well >= PATIENCE_S:
                        self._trouble(str(error))
                self._pause()
        except Exception:  # the page says that it is stale; the API goes on answering
            _log.exception("looking ended")
            self._trouble("The server stopped looking: its log says why.")

    def stop(self) -> None:
        """End after the look in hand."""
        self._ended.set()
        self._asked.set()
        self._newest.stop()
        if self.ident is not None:
            self.join(timeout=5)

    def _pause(self) -> None:
        if not self.watching:
            self._asked.clear()
            self._asked.wait(IDLE_S)
        else:
            self._ended.wait(EVERY_S)

    def _trouble(self, said: str) -> None:
        before = self.parts["trouble"].told
        assert isinstance(before, answers.Trouble)
        self.tell("trouble", answers.Trouble(said, before.since or now_ms()))

    def tell(self, name: str, told: Told) -> None:
        """Hand it to the readers, if it has changed. One thread at a time tells of a part."""
        before = self.parts.get(name)
        frame = b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(told))
        if before is not None and before.frame == frame:
            return
        self.parts[name] = Part(before.version + 1 if before else 1, told, frame)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
        self._changed = asyncio.Event()

    def _look(self) -> None:
        self._reconcile()
        for stream in self._there:
            seen = figures(stream, self._outside, now_ms() - FRESH_MS)
            looks = self._looks[stream.topology]
            looks.append(seen)
            while len(looks) > 2 and looks[1].taken <= seen.taken - WINDOW_MS:
                looks.popleft()
        self.tell(
            "rates", answers.Rates(now_ms(), [self._figures(s.topology) for s in self._there])
        )

    def _figures(self, domain: str) -> answers.Figures:
        first, last = self._looks[domain][0], self._looks[domain][-1]
        gained = rates(first, last)
        latency = answers.Latency(*gained.latency)
        points = self._points[domain]
        if not points or last.taken - points[-1].at >= POINT_MS:
            points.append(answers.Point(
                last.taken, round(gained.incoming, 1), round(gained.outgoing, 1), latency.p50,
                latency.p99, last.lag,
            ))  # fmt: skip
        ends = {name: count for name, count in last.ends.items() if ":" not in name}
        return answers.Figures(
            domain, round(gained.incoming, 1), round(gained.outgoing, 1), latency, last.lag,
            last.alerts, last.decided, last.degraded, ends, rejected_by_code(last.ends),
            dict(last.noted), *precision_recall(last.labelled), dict(last.drift), dict(last.alarms),
            last.tasks > 0,
        )  # fmt: skip

    def _reconcile(self) -> None:
        began = time.monotonic()
        if began < self._reconcile_at:
            return
        outside = self._outside
        known = self._reconciled()
        there = [
            (stream, topic) for stream in self._streams for topic in stream.topics
            if topic in known or outside.admin.describe(topic) is not None
        ]  # fmt: skip
        streams = list(dict.fromkeys(stream for stream, _ in there))
        if streams != self._there:
            self._there = streams
            self._newest.asked.set()
        told = []
        for stream, topic in there:
            one = known.get(topic) or ledger.topic(
                outside.settings, outside.admin, outside.store, topic
            )
            told.append(answers.Ledger(
                stream.topology, topic, one.states, one.unaccounted, one.in_flight,
                one.conflicting, one.sound, [
                    answers.Strip(
                        p.partition, p.first, p.end, p.committed, p.unaccounted,
                        [(r.first, r.last) for r in p.unaccounted_ranges + p.conflicting_ranges],
                    ) for p in one.partitions
                ],
            ))  # fmt: skip
        self.tell("ledgers", answers.Ledgers(told))
        now = time.monotonic()
        self._reconcile_at = now + max(LEDGER_S, LEDGER_SHARE * (now - began))
