"""One run of `dev`, until Ctrl-C: `… apps.local.dev.once TOPOLOGY SECONDS HOW [FILE]`.

HOW is processes or threads.
"""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from apps.build.lint import check
from apps.data.generate.labels import with_labels
from apps.data.in_words import in_words
from apps.data.mappings import events_of
from apps.data.printable import lines_shown, print_in_any_encoding
from apps.data.streams import Stream, every
from apps.local.dev import places, world
from apps.local.dev.feed import TopicFeed
from apps.local.dev.session import Session
from apps.local.run import prepare
from apps.local.run.events import generated
from apps.local.run.signals import Signals
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.parsing.mapping import label_topic, marks
from stormwatch.records import Outcomes, SetAside
from stormwatch.runner.events import Died, Event, Faulted, Logged, Settled
from stormwatch.settings import Settings, load, to_environ

ROOT = Path(__file__).resolve().parents[3]
SUM_EVERY_S, RATE = 5.0, 50.0
"""Between two lines of sums; generated events a second for topics in memory."""
_LEVELS = ("trace", "debug", "info", "warning", "error")
_GREETING = "pystorm StormHandler"
_FILE_RATE, _FILE_RECORDS = 2_000.0, 200_000
"""Of a file: a second, and in all, for they stay in memory."""
_SHOWN_OF_A_CODE = 3


class Watch:
    """Says what happens in a run of a topology."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._start = say, time.monotonic()
        self._counts: Counter[str] = Counter()
        self._summed = self._start
        self._told, self._last = Counter[str](), Counter[str]()

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

    def aside(self, rows: Sequence[SetAside]) -> None:
        """Set-aside records as sums, the first of each code with the reason."""
        for row in rows:
            self._counts[row.state] += 1
            self._told[row.code] += 1
            if self._told[row.code] <= _SHOWN_OF_A_CODE:
                self._line(f"{row.state.upper()} {row.code}: {row.reason.strip()}")

    def tick(self) -> None:
        """Now and then: the sums, where they are others."""
        if time.monotonic() - self._summed >= SUM_EVERY_S:
            self._summed = time.monotonic()
            if self._counts != self._last or not self._counts:
                self.sums("")

    def sums(self, head: str) -> None:
        """What came of all so far."""
        self._last = self._counts.copy()
        counts = ", ".join(f"{name} {n:,}" for name, n in sorted(self._counts.items()))
        self._line(head + (counts or "no records yet"))

    def _line(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._start:7.1f} {lines_shown(text)}")


def once(
    name: str, seconds: float, processes: bool, say: Callable[[str], None],
    file: Path | None = None,
) -> int:  # fmt: skip
    """One run, linted first; the exit code: 0, or 130 after Ctrl-C. Raises StormwatchError.

    With a `file` its events are tried in memory: nothing is published.
    """
    settings = load(root=ROOT)
    check(ROOT, [name], say)
    found = places.find(settings, ROOT)
    if file:
        found = places.Places(False, f"the events of {file}; Kafka and the store are in memory")
    say(f"{name}: {found.why}")
    if processes and file:
        raise SettingsError(
            f"A process for each task cannot share memory. Remove --processes, or "
            f"publish {file} to a real Kafka: ./stormwatch publish."
        )
    if processes and not found.real:
        raise SettingsError(
            "A process for each task cannot share what is in memory. "
            "Start Kafka and Cassandra first: ./stormwatch up. Or leave --processes out."
        )
    watch = Watch(say)
    # Components read no file: passwords of stormwatch.toml reach them as environment only.
    if not found.real and not file and marks(settings):
        say(f"{name}: generated events are in our own format, so no mapping is applied to them")
    in_memory = world.MEMORY if file else world.GENERATED
    with world.environment(to_environ(settings) if found.real else in_memory):
        settings = load(root=ROOT)
        with _outside(found.real, settings, watch, name, file) as feeds, Signals() as signals:
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
                    if file and feeds and feeds[0].finished(settings.kafka_group):
                        watch.sums(_end_of(file, feeds.pop().sent))
            finally:
                session.stop()
            return signals.code if signals.asked else 0


@contextmanager
def _outside(
    real: bool, settings: Settings, watch: Watch, name: str, file: Path | None
) -> Iterator[list[TopicFeed]]:
    """What the components meet, and what feeds it."""
    if real:
        prepare.topics_and_tables(settings, ROOT, lambda step, detail: None)
        yield []
        return
    with world.opened(settings, watch.outcomes, aside=watch.aside) as made:
        streams = [stream for stream in every(settings) if stream.topology == name]
        if file and not streams:
            raise SettingsError(
                f"The topology {name} reads no topic of events, so {file} cannot be used."
            )
        now, rate = time.monotonic(), _FILE_RATE if file else RATE
        yield [
            TopicFeed(
                made.broker,
                s.topic,
                _events(settings, s, file),
                rate,
                now,
                lambda event: None,
            )
            for s in streams
        ]


def _events(settings: Settings, stream: Stream, file: Path | None) -> Iterator[Any]:
    if file:
        return islice(events_of(settings, [file], stream.events, "dev"), _FILE_RECORDS)
    made = generated(stream.events, 1, "dev", None, customers=50, units=10)
    labels = label_topic(settings, stream.events)
    return with_labels(made, labels) if labels else made


def _end_of(file: Path, count: int) -> str:
    if count < _FILE_RECORDS:
        return f"all {count:,} events of {file} are decided: "
    return (
        f"the first {count:,} events of {file} are decided (more would stay in memory: "
        "./stormwatch publish sends all): "
    )


def main(arguments: list[str]) -> int:
    """The exit code."""
    print_in_any_encoding()
    name, seconds, how, *files = arguments
    logging.basicConfig(level=logging.CRITICAL, handlers=[logging.NullHandler()])
    try:
        return once(
            name, float(seconds), how == "processes", lambda line: print(line, flush=True),
            Path(files[0]) if files else None,
        )  # fmt: skip
    except StormwatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
