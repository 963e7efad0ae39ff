"""Spans of batches to an OpenTelemetry receiver, as OTLP over HTTP (protobuf). Off by default.

They are sent by a thread of the SDK, from a queue of a bounded size: what does not fit, or what the
receiver does not take within seconds, is dropped, and no batch ever waits for it.
"""

import atexit
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from stormwatch.records import Fragment
from stormwatch.traces import Part, is_chosen, span_id, trace_id

QUEUE = 4_096
"""Spans that wait to be sent."""
EVERY_MS, TIMEOUT_S = 1_000, 2.0
OPEN = 1_000
"""Batches of a spout that are remembered until they end."""
BATCH = "batch"
_SCOPE = InstrumentationScope("stormwatch")


class Traces:
    """What one component tells of the batches that it works on."""

    def __init__(self, endpoint: str, every: int, topology: str, component: str) -> None:
        """`every`: of so many batches one is told of. Connects to nothing yet."""
        self._processor, self._resource = _sending(endpoint, topology)
        self._every, self._component = every, component
        self._parts: list[Part] = []
        self._open: dict[str, tuple[Fragment, int]] = {}

    def opened(self, tup_id: str, fragment: Fragment) -> None:
        """A batch leaves the spout."""
        if is_chosen(fragment, self._every):
            if len(self._open) >= OPEN:
                del self._open[next(iter(self._open))]
            self._open[tup_id] = fragment, time.time_ns()

    def closed(self, tup_id: str, error: str = "") -> None:
        """It is committed, or it comes again."""
        if (begun := self._open.pop(tup_id, None)) is not None:
            fragment, began = begun
            whole = Part(BATCH, began, time.time_ns())
            self._tell(fragment, span_id(fragment), 0, whole, error, SpanKind.PRODUCER)

    @contextmanager
    def working(self, fragments: Sequence[Fragment]) -> Iterator[None]:
        """While the block works on these batches together. What it raises is told and goes on."""
        began, error = time.time_ns(), ""
        self._parts.clear()
        try:
            yield
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            own = Part(self._component, began, time.time_ns())
            for fragment in fragments:
                if is_chosen(fragment, self._every):
                    self._worked(fragment, own, error, len(fragments))

    def part(self, name: str, ns: int) -> None:
        """A step of that work has just ended, and took so long."""
        ended = time.time_ns()
        self._parts.append(Part(name, ended - ns, ended))

    def _worked(self, fragment: Fragment, own: Part, error: str, together: int) -> None:
        mine = span_id(fragment, self._component)
        root = span_id(fragment)
        self._tell(fragment, mine, root, own, error, SpanKind.CONSUMER, together)
        for part in self._parts:
            step = span_id(fragment, self._component, part.name)
            self._tell(fragment, step, mine, part, "", SpanKind.INTERNAL)

    def _tell(
        self, fragment: Fragment, own: int, parent: int, part: Part, error: str, kind: SpanKind,
        together: int = 1,
    ) -> None:  # fmt: skip
        trace = trace_id(fragment)
        self._processor.on_end(ReadableSpan(
            part.name, _context(trace, own), _context(trace, parent) if parent else None,
            self._resource, _attributes(fragment, self._component, together), kind=kind,
            status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET),
            start_time=part.began, end_time=part.ended, instrumentation_scope=_SCOPE,
        ))  # fmt: skip


def _context(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _attributes(fragment: Fragment, component: str, together: int) -> dict[str, str | int]:
    """By OpenTelemetry's semantic conventions of messaging where these have a name."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": fragment.topic,
        "messaging.destination.partition.id": str(fragment.partition),
        "messaging.kafka.offset": fragment.first,
        "messaging.batch.message_count": max(fragment.last - fragment.first + 1, 0),
        "stormwatch.component": component,
        "stormwatch.generation": fragment.generation,
        "stormwatch.attempt": fragment.attempt,
        "stormwatch.batches_together": together,
    }


@cache
def _sending(endpoint: str, topology: str) -> tuple[BatchSpanProcessor, Resource]:
    """One queue and thread a process."""
    own = logging.getLogger("opentelemetry")
    own.propagate = False  # a receiver that is away would be told of at each try
    own.addHandler(logging.NullHandler())
    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S),
        max_queue_size=QUEUE, schedule_delay_millis=EVERY_MS,
    )  # fmt: skip
    atexit.register(processor.shutdown)
    return processor, Resource.create({"service.name": f"stormwatch.{topology}"})
