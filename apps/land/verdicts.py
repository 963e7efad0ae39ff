"""What a sender is told of its records: each on its own, in the order they came. Pure."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from apps.land.appender import Append
from apps.land.streams import Stream, is_event
from stormwatch.records import Rejection

ACCEPTED, REFUSED = "accepted", "refused"
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)")


class Decided(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decision, in short; the API tells all of it (`/v1/decision`)."""

    outcome: str
    score: float
    alert: bool
    reasons: list[str] = []


class Verdict(msgspec.Struct, omit_defaults=True):
    """Of one record: `accepted` is in the log; `refused` is not, the sender has to mend it."""

    status: str
    id: str = ""
    entity: str = ""
    time: int | None = None  # of the event, ms
    code: str = ""
    reason: str = ""
    field: str = ""
    decision: Decided | None = None


class Answer(msgspec.Struct):
    """Of one request."""

    accepted: int
    refused: int
    records: list[Verdict]


class Looked(NamedTuple):
    """A request's records, looked at."""

    appends: list[Append]
    events: list[Any]  # those accepted, None where the mapping ignores the record
    verdicts: list[Verdict]
    refused: dict[str, int]  # code -> records


def records_of(body: bytes, content_type: str) -> list[bytes]:
    """One record where the body is `application/json`, else one a line, empty lines left out."""
    if content_type.partition(";")[0].strip().lower() == "application/json":
        return [body]
    return [line for line in map(bytes.strip, body.split(b"\n")) if line]


def look(stream: Stream, values: Sequence[bytes], now: int) -> Looked:
    """Parse each as the topology will."""
    found = Looked([], [], [], {})
    for value in values:
        event = stream.look(value, now)
        if not is_event(event):
            found.verdicts.append(
                Verdict(REFUSED, code=event.code, reason=event.reason, field=event.field)
            )
            found.refused[event.code] = found.refused.get(event.code, 0) + 1
            continue
        ignored = isinstance(event, Rejection)
        entity = "" if ignored else event.entity
        found.verdicts.append(
            Verdict(ACCEPTED) if ignored else Verdict(ACCEPTED, event.id, entity, event.time)
        )
        found.events.append(None if ignored else event)
        found.appends.append(Append(stream.topic, stream.key(value), value))
    return found


def seconds(text: str, most: float) -> float | None:
    """`200ms`, `1.5s` in seconds, at most `most`; None for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    return min(float(match[1]) / (1000 if match[2] == "ms" else 1), most)
