"""The phases of a run between its first process and its report: ready, publish, drain."""

from collections.abc import Callable, Sequence
from time import monotonic, sleep

from apps.data.streams import Stream
from apps.local.run.processes import Processes
from apps.local.run.publisher import May, Order
from apps.local.run.signals import Signals
from apps.local.run.view import RUNNING, Panel, Screen
from apps.local.run.watch import Watcher
from apps.operate.figures import NOTHING, Look
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.errors import FatalError

READY_LIMIT_S = 300.0
WARM_UP_S = 5.0
DRAIN_STALLED_S = 120.0
"""Without progress for so long, what is left is told as open: over Storm's message time-out and the
restart of a topology."""
HURRIED_DRAIN_S = 2.5
"""After Ctrl-C everything has to be gone within 10 s."""
METERS_MS = 1_500
"""After the last commit, until every task has written its meter once more."""
_TICK_S = 0.25


class Course:
    """Leads the started processes through its phases, showing each."""

    def __init__(
        self,
        order: Callable[[Stream], Order],
        run: str,
        streams: Sequence[Stream],
        processes: Processes,
        watcher: Watcher,
        signals: Signals,
        show: Callable[[Screen], None],
    ) -> None:
        self._order = order
        self._run = run
        self._streams = streams
        self._processes = processes
        self._watcher = watcher
        self._signals = signals
        self._show = show
        self._phase = ""
        self._since = self._began = monotonic()
        self._ready_after = 0.0
        self._seconds = 0.0  # from ready to the end of publishing
        self._warm_up = 0.0
        self._warm: dict[str, Look] = {}  # at the end of warm-up
        self._stopped: dict[str, Look] = {}  # at the end of publishing

    def lead(self, seconds: float | None) -> str:
        """Ready, published, and what was sent confirmed; what went wrong, if anything did."""
        trouble = ""
        try:
            self._until_ready()
            self._publish(seconds)
        except FatalError as error:
            trouble = str(error)
        return trouble or self._processes.stop_publishing()

    def looks(self, topology: str) -> tuple[Look, Look, Look]:
        """At the end of warm-up, at the end of publishing, and the last one."""
        last = self._watcher.latest(topology) or NOTHING
        return self._warm.get(topology, NOTHING), self._stopped.get(topology, last), last

    def times(self) -> tuple[float, float, float]:
        """s: from the start to ready, from ready to the end of publishing, of warm-up."""
        return self._ready_after, self._seconds, self._warm_up

    def _until_ready(self) -> None:
        """Until each topology has decided its first records; then publishing goes on.

        They come once its bolts report. All else is held back until every topology is so far: what
        was published while components still start would wait, and slow all that comes after it.
        """
        names = [stream.topology for stream in self._streams]
        self._enter(self._waits_for([], []))
        for stream in self._streams:
            self._processes.feed(stream, self._order(stream))
        let: set[str] = set()
        while len(decided := self._decide_first()) < len(names):
            looks = self._looks(0)
            ready = [name for name in names if name in looks and looks[name].tasks]
            self._phase = self._waits_for(ready, decided)
            for name in ready:
                if name not in let:
                    self._processes.let(name, May.OPENING)
                    let.add(name)
            if self._tick():
                return
            if monotonic() - self._since > READY_LIMIT_S:
                raise FatalError(
                    f"The first records were not decided within {READY_LIMIT_S:.0f} s "
                    f"({self._phase}). {self._watcher.trouble} "
                    "See the logs under .stormwatch/logs, and `./stormwatch doctor`."
                )
        self._ready_after = monotonic() - self._began
        for name in names:
            self._processes.let(name, May.ALL)

    def _decide_first(self) -> list[str]:
        """Topologies that have decided all of their first records."""
        found = []
        for name, look in self._looks(0).items():
            sent = self._processes.sent(name)
            if sent and look.decided and (look.decided >= sent or not look.lag):
                found.append(name)
        return found

    def _waits_for(self, ready: Sequence[str], decided: Sequence[str]) -> str:
        """What keeps a run from being ready, topology by topology."""
        said = []
        for stream in self._streams:
            name = stream.topology
            started = self._processes.topologies[name].components
            if name in decided:
                said.append(f"{name} decides")
            elif name in ready:
                said.append(f"{name} is given its first records")
            elif started:
                said.append(f"{name} has {started} components")
            else:
                said.append(f"{name} waits for Storm")
        return f"starting: {', '.join(said)}"

    def _publish(self, seconds: float | None) -> None:
        """Until `seconds` are over or a signal comes. Raises FatalError."""
        if self._signals.asked:
            return
        self._warm_up = WARM_UP_S if seconds is None else min(WARM_UP_S, seconds / 3)
        self._enter("warming up")
        while seconds is None or monotonic() - self._since < seconds:
            looks = self._looks(0)
            if not self._warm and monotonic() - self._since >= self._warm_up:
                self._warm = looks
                self._phase = RUNNING
            for name, look in looks.items():
                self._processes.decided(name, look.decided)
            if self._tick():
                break
        self._seconds = monotonic() - self._since
        self._stopped = self._looks(0)

    def drain(self) -> str:
        """Until all that was published is committed; what is open when that does not happen."""
        self._enter("waiting until all published records are decided")
        asked_at, least, progressed = now_ms(), -1, monotonic()
        hurried = monotonic() if self._signals.asked else 0.0
        settled = asked_at + METERS_MS
        while True:
            looks = self._looks(asked_at)
            lag = sum(look.lag for look in (looks or self._looks(0)).values())
            if len(looks) == len(self._streams):
                if not lag and (hurried or min(look.taken for look in looks.values()) > settled):
                    return ""
                if least < 0 or lag < least:
                    least, progressed = lag, monotonic()
                    settled = now_ms() + METERS_MS
            now = monotonic()
            late = bool(hurried) and now - hurried > HURRIED_DRAIN_S
            if late or self._signals.again or now - progressed > DRAIN_STALLED_S:
                left = f"{lag if least < 0 else least:,}"
                return f"{left} published records were still undecided. {self._watcher.trouble}"
            try:
                if self._tick() and not hurried:
                    hurried = now
            except FatalError as error:
                return str(error)

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._since = monotonic()

    def _looks(self, after: int) -> dict[str, Look]:
        """The newest looks taken after a moment (ms), by topology."""
        found = {s.topology: self._watcher.latest(s.topology) for s in self._streams}
        return {name: look for name, look in found.items() if look and look.taken > after}

    def _tick(self) -> bool:
        """A quarter of a second passes on the screen; True if the run is to end."""
        self._processes.check()
        if self._watcher.ended_by:
            raise FatalError(
                f"Watching the run ended by {self._watcher.ended_by!r}, which is a fault of this "
                "program; the log of the run has its traceback. The records are safe: "
                "`./stormwatch ledger` tells what became of them."
            ) from self._watcher.ended_by
        panels = [
            Panel(
                s.topology,
                self._watcher.latest(s.topology),
                self._watcher.rates(s.topology),
                self._processes.topologies[s.topology].restarts,
                self._processes.sent(s.topology),
                self._watcher.ledgers(s.topology),
                self._watcher.records(s.topology),
            )
            for s in self._streams
        ]
        self._show(
            Screen(
                self._run,
                self._phase,
                monotonic() - self._since,
                panels,
                self._watcher.memory,
                "\n".join([*self._watcher.alarms, *filter(None, [self._watcher.trouble])]),
            )
        )
        if self._signals.asked:
            sleep(_TICK_S)
        return self._signals.pause(_TICK_S)
