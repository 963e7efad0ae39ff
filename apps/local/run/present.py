"""What a person sees of a run: steps while it starts, then figures, and components' last words."""

from collections.abc import Callable
from time import monotonic

from rich.console import Console
from rich.live import Live
from rich.text import Text

from apps.data.printable import lines_shown
from apps.local.run.report import Report
from apps.local.run.view import Screen, live, plain
from apps.local.steps import Steps, renewing

PLAIN_EVERY_S = 5.0
SCREEN_EVERY_S = 0.5


class Presenter:
    """On a terminal a screen that renews itself, elsewhere plain lines."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self._console = console
        self._clock = clock
        self._terminal = console.is_terminal
        self._live: Live | None = None
        self._shown = -PLAIN_EVERY_S
        self._page = ""
        width = lambda: console.width  # noqa: E731
        renew = renewing(console.file, width) if self._terminal else None  # type: ignore[arg-type]
        self.step = Steps(self.line, clock, renew)

    def line(self, name: str, text: str) -> None:
        """One line that stays, above the figures."""
        self._console.print(Text.assemble((name, "bold"), ": ", text), soft_wrap=True)

    def words(self, topology: str, text: str) -> None:
        """A line that a component or the topology wrote to stderr."""
        self.line(topology, lines_shown(text))

    def page(self, text: str) -> None:
        """Where the live page is: a line, and the foot of the screen."""
        self._page = text
        self.line("page", text)

    def show(self, screen: Screen) -> None:
        """The figures now."""
        if self._terminal:
            if self._live is None:
                self._live = Live(
                    console=self._console, auto_refresh=False, vertical_overflow="crop"
                )
                self._live.start()
            if self._clock() - self._shown >= SCREEN_EVERY_S:
                self._shown = self._clock()
                self._live.update(live(screen, self._console.height, self._page), refresh=True)
        elif self._clock() - self._shown >= PLAIN_EVERY_S:
            self._shown = self._clock()
            for line in plain(screen):
                self._console.print(Text(line), soft_wrap=True)

    def close(self) -> None:
        """Leave the last figures standing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def summary(self, report: Report) -> None:
        """How the run ended, in a few lines."""
        for name, topology in report.topologies.items():
            states = ", ".join(
                f"{count:,} {state}"
                for state, count in topology.states.items()
                if isinstance(count, int)
            )
            latency = topology.latency_ms
            self.line(
                name,
                f"{topology.published:,} published: {states or 'none decided'}; "
                f"{topology.unaccounted:,} unaccounted; "
                f"{topology.throughput_per_s:,.0f} records/s, latency p50 {_ms(latency['p50'])}, "
                f"p95 {_ms(latency['p95'])}, p99 {_ms(latency['p99'])} ms; "
                f"{topology.alerts:,} alerts; {topology.memory_mb.get('total', 0):,.0f} MB",
            )
        if report.trouble:
            self._console.print(Text(lines_shown(report.trouble), style="red"), soft_wrap=True)


def _ms(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
