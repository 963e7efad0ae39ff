"""Sends records at a rate."""

import threading
import time
from collections.abc import Callable, Iterable
from itertools import islice

from apps.run.events import Keyed
from stormwatch.ports import Sink

_SLICE_S = 0.02
_FULL_SPEED_SLICE = 500
_CONFIRM_S = 30.0


def publish(
    sink: Sink,
    topic: str,
    events: Iterable[Keyed],
    rate: float,
    count: int | None,
    stop: threading.Event,
    on_progress: Callable[[int], None],
) -> int:
    """Send until `count`, `stop` or the end of the events; the records sent, all confirmed."""
    stream = islice(iter(events), count)
    began, sent = time.monotonic(), 0
    while not stop.is_set():
        due = int((time.monotonic() - began) * rate) - sent if rate else _FULL_SPEED_SLICE
        done = 0
        for event in islice(stream, max(due, 0)):
            sink.send(topic, event.key, event.value)
            done += 1
        sent += done
        on_progress(sent)
        if done < due:
            break
        if rate:
            stop.wait(_SLICE_S)
    sink.flush(_CONFIRM_S)
    return sent
