"""`./stormwatch publish`: events to their topic, by hand."""

import signal
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from apps.data import history, mappings
from apps.data.generate.labels import with_labels
from apps.data.publish import Keyed, linger_ms, publish
from apps.local.run import prepare
from apps.local.run.events import generated, newest_time
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.parsing.mapping import label_topic, topics
from stormwatch.ports import Sink
from stormwatch.settings import Settings

Progress = Callable[[str, str], None]


class Asked(NamedTuple):
    """What to publish."""

    events: str  # transactions or readings
    rate: float  # records/s; 0: as fast as it goes
    limit: int | None  # records; labels of generated ones come on top
    seed: int
    customers: int
    units: int
    files: tuple[Path, ...]
    learn_only: bool = False
    topic: str = ""  # another one that a mapping names; "": that of the setting
    labels: bool = True  # of generated payments, to their own topic

    def topic_in(self, settings: Settings) -> str:
        """Where the records go. Raises SettingsError for a topic that nothing reads."""
        found = topics(settings, self.events)
        if self.topic and self.topic not in found:
            raise SettingsError(
                f"No mapping of {self.events} names the topic {self.topic!r}. The topics are: "
                f"{', '.join(found)}."
            )
        return self.topic or found[0]


def by_hand(settings: Settings, asked: Asked, progress: Progress) -> tuple[int, bool]:
    """Publish until the end or a Ctrl-C; records confirmed, and whether it was interrupted.

    Raises StormwatchError; if something was published by then, it says how much.
    """
    from stormwatch.adapters import connect

    topic = asked.topic_in(settings)
    if not asked.files:
        mappings.expect_none(settings, asked.events, topic)
    stop = threading.Event()

    def interrupted(number: int, frame: FrameType | None) -> None:
        stop.set()

    admin = connect.admin(settings)
    try:
        prepare.ensure_topics(settings, admin, progress)
    finally:
        admin.close()
    events = _events(settings, topic, asked, stop.is_set)
    before = {n: signal.signal(n, interrupted) for n in (signal.SIGINT, signal.SIGTERM)}
    sink = connect.sink(settings, linger_ms=linger_ms(asked.rate))
    try:
        return _publish(sink, topic, events, asked, stop, progress), stop.is_set()
    finally:
        sink.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _publish(
    sink: Sink,
    topic: str,
    events: Iterable[Keyed],
    asked: Asked,
    stop: threading.Event,
    progress: Progress,
) -> int:
    confirmed = 0

    def tell(sent: int) -> None:
        nonlocal confirmed
        confirmed = sent
        progress(topic, f"publishing, {sent:,} records")

    try:
        return publish(sink, topic, events, asked.rate, None, stop, tell)
    except StormwatchError as error:
        if not confirmed:
            raise
        raise type(error)(f"{error} {confirmed:,} records were published before it.") from error


def _events(
    settings: Settings, topic: str, asked: Asked, stopped: Callable[[], bool]
) -> Iterable[Keyed]:
    from stormwatch.adapters import connect

    run = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    if asked.files:
        events = mappings.events_of(settings, asked.files, asked.events, run, stopped, topic)
        if asked.learn_only:
            events = history.marked(events, mappings.of(settings, asked.events, topic))
        return islice(events, asked.limit)
    source = connect.source(settings, topic)
    try:
        newest = newest_time(source)
    finally:
        source.close()
    made = generated(asked.events, asked.seed, run, newest, asked.customers, asked.units)
    made = islice(made, asked.limit)
    labels = label_topic(settings, asked.events) if asked.labels else ""
    return with_labels(made, labels) if labels else made
