"""The processes of a run: topologies and publishers, started and stopped together."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from apps.data.streams import Stream
from apps.local.run.feed import PublisherProcess
from apps.local.run.publisher import May, Order, Word
from apps.local.run.topology import Topology
from stormwatch.errors import FatalError

Words = Callable[[str, str], None]
"""Called with a topology and a line that it wrote to stderr."""
_TOPOLOGY_STOP_S = 4.0


class Processes:
    """Topologies and the feeds of their topics; all gone on exit."""

    def __init__(self, streams: Sequence[Stream], root: Path, logs: Path, words: Words) -> None:
        self._root = root
        self._logs = logs
        self.topologies = {s.topology: Topology(s.topology, root, logs, words) for s in streams}
        self.feeds: dict[str, PublisherProcess] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the topologies, all at once."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for topology in self.topologies.values():
            topology.start(os.environ)

    def feed(self, stream: Stream, order: Order) -> None:
        """Start what publishes to a topology. It sends nothing before `let`."""
        self.feeds[stream.topology] = PublisherProcess(stream, order, self._root, self._logs)

    def let(self, topology: str, may: May) -> None:
        """Let a publisher send that much."""
        self.feeds[topology].tell(Word(may=may))

    def sent(self, topology: str) -> int:
        """Records published to it so far."""
        return self.feeds[topology].sent if topology in self.feeds else 0

    def decided(self, topology: str, records: int) -> None:
        """Tell a publisher that goes as fast as it can how many records were decided."""
        if topology in self.feeds:
            self.feeds[topology].tell(Word(decided=records))

    def check(self) -> None:
        """Raises FatalError with the last words of a topology or publisher that ended unasked."""
        for topology in self.topologies.values():
            if topology.code is not None:
                raise FatalError(topology.obituary())
        for feed in self.feeds.values():
            if feed.failure:
                raise FatalError(feed.failure)

    def stop_publishing(self) -> str:
        """Stop all feeds and wait until what they sent is confirmed; what went wrong, if so."""
        for feed in self.feeds.values():
            feed.tell(Word(stop=True))
        for feed in self.feeds.values():
            feed.stop()
        return "; ".join(feed.failure for feed in self.feeds.values() if feed.failure)

    def begin_to_stop(self) -> None:
        """Tell the topologies to end."""
        for topology in self._running():
            topology.signal_stop()

    def stop(self) -> None:
        """End what still runs."""
        self.begin_to_stop()
        for feed in self.feeds.values():
            feed.stop(2.0)
        for topology in self._running():
            topology.wait_stopped(_TOPOLOGY_STOP_S)

    def pids(self) -> dict[str, list[int]]:
        """Topology -> pid of its command."""
        return {topology.name: [topology.pid] for topology in self._running()}

    def _running(self) -> list[Topology]:
        return [topology for topology in self.topologies.values() if topology.started]
