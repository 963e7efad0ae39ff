"""One run of `dev`, until Ctrl-C: `… apps.local.dev.once TOPOLOGY SECONDS processes|threads`."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.build.lint import check
from apps.data.in_words import in_words
from apps.data.printable import lines_shown, print_in_any_encoding
from apps.data.streams import every
from apps.local.dev import places, world
from apps.local.dev.feed import Feed
from apps.local.dev.session import Session
from apps.local.run import prepare
from apps.local.run.events import generated
from apps.local.run.signals import Signals
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.records import Outcomes
from stormwatch.runner.events import Died, Event, Faulted, Logged, Settled
from stormwatch.settings import Settings, load, to_environ

ROOT = Path(__file__).resolve().parents[3]
SUM_EVERY_S, RATE = 5.0, 50.0
"""Between two lines of sums; generated events a second for topics in memory."""
_LEVELS = ("trace", "debug", "info", "warning", "error")
_GREETING = "pystorm StormHandler"


class Watch:
    """Says what happens in a run of a topology."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._start = say, time.monotonic()
        self._counts: Counter[str] = Counter()
        self._summed = self._start

    def event(self, topology: str, event: Event) -> None:
        """Logs and deaths at once, the ends of tuples as sums."""
        match event:
            case Logged() if event.level >= 2 and not event.text.startswith(_GREETING):
                name = f"{event.component} {event.task}"
                self._line(f"{name}: {_LEVELS[event.level]}: {event.text}")
            case Died():
                self._line(f"{event.component} {event.task} died: {event.why.strip()}")
            case Settled():
                self._counts[event.how] += 1
            case Faulted():
                self._line(event.text)

    def outcomes(self, outcomes: Outcomes) -> None:
        """Decisions as sums, alerts in full."""
        for row in outcomes.decisions:
            self._counts[row.outcome] += 1
            if row.alert:
                self._line(f"{row.outcome.upper()} {row.entity} {row.id}: {in_words(row)}")

    def tick(self) -> None:
        """Now and then: the sums."""
        if time.monotonic() - self._summed >= SUM_EVERY_S:
            self._summed = time.monotonic()
            counts = ", ".join(f"{name} {n:,}" for name, n in sorted(self._counts.items()))
            self._line(counts or "nothing came yet")

    def _line(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._start:7.1f} {lines_shown(text)}")


def once(name: str, seconds: float, processes: bool, say: Callable[[str], None]) -> int:
    """One run, linted first; the exit code: 0, or 130 after Ctrl-C. Raises StormwatchError."""
    settings = load(root=ROOT)
    check(ROOT, [name], say)
    found = places.find(settings, ROOT)
    say(f"{name}: {found.why}")
    if processes and not found.real:
        raise SettingsError(
            "A process for each task cannot share what is in memory. "
            "Start Kafka and Cassandra first: ./stormwatch up. Or leave --processes out."
        )
    watch = Watch(say)
    # Components read no file: passwords of stormwatch.toml reach them as environment only.
    with world.environment(to_environ(settings) if found.real else world.MEMORY):
        settings = load(root=ROOT)
        with _outside(found.real, settings, watch, name) as feeds, Signals() as signals:
            signals.only_ask()
            session = Session(ROOT, [name], settings, 1, watch.event, processes)
            session.start()
            end = time.monotonic() + seconds if seconds else float("inf")
            try:
                while time.monotonic() < end and not signals.asked:
                    for feed in feeds:
                        feed.pump(time.monotonic())
                    session.step()
                    watch.tick()
            finally:
                session.stop()
            return signals.code if signals.asked else 0


@contextmanager
def _outside(real: bool, settings: Settings, watch: Watch, name: str) -> Iterator[list[Feed]]:
    """What the components meet, and what feeds it."""
    if real:
        prepare.topics_and_tables(settings, ROOT, lambda step, detail: None)
        yield []
        return
    with world.opened(settings, watch.outcomes) as made:
        now = time.monotonic()
        yield [
            Feed(made.broker, stream.topic, _events(stream.events), RATE, now, lambda event: None)
            for stream in every(settings)
            if stream.topology == name
        ]


def _events(kind: str) -> Iterator[Any]:
    return generated(kind, 1, "dev", None, customers=50, units=10)


def main(arguments: list[str]) -> int:
    """The exit code."""
    print_in_any_encoding()
    name, seconds, how = arguments
    logging.basicConfig(level=logging.CRITICAL, handlers=[logging.NullHandler()])
    try:
        return once(name, float(seconds), how == "processes", lambda line: print(line, flush=True))
    except StormwatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
