"""The base of every bolt here: one micro-batch in, acked or failed exactly once."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from streamparse import Bolt, Stream

from stormwatch import codec, settings
from stormwatch.adapters import connect
from stormwatch.adapters.storm.collector import Collector
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.adapters.storm.resources import Connections, Meter
from stormwatch.adapters.threads.background import Lazy
from stormwatch.adapters.threads.follower import Follower
from stormwatch.adapters.threads.follower_told import tell
from stormwatch.errors import InfrastructureError, StateError
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache

T = TypeVar("T")

REJECTED = "rejected"
METERS = "meters"
"""The stream of figures of bolts that are not connected to the store, once a second: to the reject
bolt, which is."""
METER_FIELDS = ("component", "instance", "figures")
_UNTRACED = nullcontext()
GROUP_RECORDS = 200
"""Once so many are in hand no further batch is waited for: larger ones gain nothing together."""


if TYPE_CHECKING:
    from stormwatch.adapters.otel import Traces
    from stormwatch.models.drift import Drift
    from stormwatch.models.fleet_drift import FleetDrift


class Work(NamedTuple):
    """A batch as it came."""

    fragment: Fragment
    payload: Any
    tup: Any


def groups(works: Iterable[Work]) -> list[list[Work]]:
    """The works in their order, cut where a partition comes again (Storm's replay of a batch).

    A batch that was tried before is alone: what made it fail may lie in it, and must not fail the
    batches of other partitions with it.
    """
    made: list[list[Work]] = []
    met: set[tuple[str, int]] = set()
    open_ = False
    for work in works:
        place = (work.fragment.topic, work.fragment.partition)
        again = work.fragment.attempt > 0
        if not open_ or again or place in met:
            made.append([])
            met = set()
        made[-1].append(work)
        met.add(place)
        open_ = not again
    return made


def _size(work: Work) -> int:
    """Offsets of the batch; an empty one costs work, too."""
    return max(1, work.fragment.last - work.fragment.first + 1)


class BatchBolt(StrictComponent, Bolt):
    """Decodes a batch's payload and hands it to `handle`.

    Guarantee: the tuple is acked once after `handle` returned, or failed once if it raised an
    InfrastructureError or a StateError: then the same batch comes again. Any other exception ends
    the process with its traceback, for bad data is never an exception and going on would be wrong.
    Of batches that were worked on together, one with a state that cannot be read fails alone.

    A state that this version cannot read does not end it, though a person has to act: each start
    would die of the same records, and the spout would take these good ones for what kills it.
    """

    auto_ack = auto_anchor = auto_fail = False
    config: ClassVar[dict[str, Any]] = {"topology.tick.tuple.freq.secs": 1}
    payload: ClassVar[Any]
    """What arrives: the type that `codec.decoder` takes."""
    writes: ClassVar[tuple[str, ...]] = ()
    """Tables, and settings of topics, that it writes: for `./stormwatch draw`."""
    together: ClassVar[bool] = False
    """Whether small batches that wait already are worked on with the one that came first."""

    optional_streams: ClassVar[frozenset[str]] = frozenset()
    """Declared streams that nobody has to read: nothing is emitted there unless somebody does."""

    passes_on: ClassVar[bool] = False
    """Of bolts that decide and store nothing: their figures go out on the stream `meters`."""

    settings: Settings
    cache: StateCache | None = None
    """Of bolts that keep states; its size is reported."""
    drift: "Drift | FleetDrift | None" = None
    """Of a bolt that scores by a model which tells what it was trained on."""
    follower: Follower[Any] | None = None
    """Of a bolt whose rules and model are changed while it runs."""
    traces: "Traces | None" = None
    """Told of its batches, where the setting `trace.endpoint` names a receiver."""

    def initialize(self, conf: dict[str, Any], ctx: dict[str, Any]) -> None:
        """Reads settings. Raises SettingsError, PackageMissing."""
        self.settings = settings.load(conf=conf)
        self._decode = codec.decoder(self.payload)
        self._read = frozenset(ctx.get("stream->target->grouping", ()))
        self._collect = Collector()
        self.traces = connect.traces(
            self.settings, str(self.topology_name), str(self.component_name)
        )

    def is_read(self, stream: str) -> bool:
        """Whether a bolt of the topology takes this stream, as Storm said in the handshake."""
        return stream in self._read

    @cached_property
    def meter(self) -> Meter:
        """What is counted and measured here."""
        return Meter(self.topology_name, self.component_name, self.task_id, self.passes_on)

    @cached_property
    def connections(self) -> Connections:
        """Store and sink; its first use begins to connect, in the background."""
        return Connections(self.settings, self.meter)

    @abstractmethod
    def handle(self, fragment: Fragment, payload: Any, tup: Any) -> None:
        """Do the work on one batch. Raises InfrastructureError to get the same batch again."""

    def handle_all(self, works: Sequence[Work]) -> None:
        """Every batch comes this way: one, or where `together` is set a group, no partition twice.

        Raises InfrastructureError to get them all again.
        """
        for work in works:
            self.handle(*work)

    def send(self, stream: str, fragment: Fragment, payload: object, tup: Any) -> None:
        """Emit a payload on `stream`, anchored to the batch it came of."""
        self.emit(codec.to_values(fragment, payload), stream=stream, anchors=[tup])

    @cached_property
    def _lazies(self) -> list[Lazy[Any]]:
        return []

    def lazily(self, factory: Callable[[], T], name: str) -> Lazy[T]:
        """What is made in the background, and closed when the bolt ends."""
        made = Lazy(factory, name)
        self._lazies.append(made)
        return made

    def follow(self, follower: Follower[T]) -> Follower[T]:
        """It is listened to at each tick, and closed when the bolt ends."""
        self.follower = follower
        return follower

    def leave(self) -> None:
        """Connections and what else was made in the background are closed."""
        if self.follower is not None:
            self.follower.close()
        if self._connected():
            self.connections.close()
        for made in vars(self).get("_lazies", ()):
            made.close()

    def process(self, tup: Any) -> None:
        """One batch, or a group."""
        works = [self._work(tup)]
        if self.together and not works[0].fragment.attempt:
            works += self._waiting(works[0])
        for group in groups(works):
            self._work_on(group)
            self._collect()

    def _work_on(self, group: Sequence[Work]) -> None:
        try:
            with self._traced(group), self.timed("process"):
                self.handle_all(group)
        except StateError as error:
            if len(group) == 1:
                self._give_back(group, error)
                return
            for work in group:  # only that of the state has to wait for a person
                self._work_on([work])
        except InfrastructureError as error:
            self._give_back(group, error)
        else:
            if self.passes_on:
                self.meter.metrics.batches += len(group)
            for _, _, each in group:
                self.ack(each)

    def _traced(self, group: Sequence[Work]) -> AbstractContextManager[None]:
        if self.traces is None:
            return _UNTRACED
        return self.traces.working([work.fragment for work in group])

    def _give_back(self, group: Sequence[Work], error: Exception) -> None:
        for fragment, _, each in group:
            self.meter.metrics.failed += 1
            self.logger.warning("%s will be tried again: %s", fragment, error)
            self.fail(each)

    def process_tick(self, tup: Any) -> None:
        """Once a second: the metrics. Storm keeps each tick in memory until it is acked, too."""
        if self.follower is not None:
            tell(self.follower, self.connections, self.logger, self.component_name)
        spent, pipe = self.meter.metrics.spent, self.serializer
        spent["wait"], spent["emit"] = pipe.waited, pipe.written
        spent["read"] = pipe.decoded
        if self.passes_on:
            self._tell_figures()
        elif self._connected():
            self.connections.report(self.cache)
        self.ack(tup)

    def _tell_figures(self) -> None:
        if self.is_read(METERS) and self.meter.is_due():
            values = [self.component_name, self.meter.instance, self.meter.body().decode()]
            self.emit(values, stream=METERS, anchors=[])

    def _work(self, tup: Any) -> Work:
        began = perf_counter_ns()
        work = Work(codec.to_fragment(tup.values), self._decode(tup.values[-1]), tup)
        self.meter.metrics.spent["decode"] += perf_counter_ns() - began
        self.meter.metrics.sized(_size(work))
        return work

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Counts the time of the block, less what it takes to emit."""
        began, written = perf_counter_ns(), self.serializer.written
        try:
            yield
        finally:
            emitting = self.serializer.written - written
            self.meter.metrics.spent[what] += perf_counter_ns() - began - emitting

    def _waiting(self, first: Work) -> list[Work]:
        """Small batches that Storm has sent already; ticks and heartbeats between are answered."""
        found: list[Work] = []
        records = _size(first)
        while records < GROUP_RECORDS and self.serializer.waiting():
            tup = self.read_tuple()
            if self.is_heartbeat(tup):
                self.send_message({"command": "sync"})
            elif self.is_tick(tup):
                self.process_tick(tup)
            else:
                found.append(work := self._work(tup))
                records += _size(work)
        return found

    def _connected(self) -> bool:
        return "connections" in vars(self)


class PassingBolt(BatchBolt):
    """A bolt that decides and stores nothing: what it sets aside, and its figures, go to the reject
    bolt."""

    outputs: ClassVar = [
        Stream(list(codec.BATCH_FIELDS)), Stream(list(codec.BATCH_FIELDS), name=REJECTED),
        Stream(list(METER_FIELDS), name=METERS),
    ]  # fmt: skip
    optional_streams = frozenset({METERS})
    passes_on = True
