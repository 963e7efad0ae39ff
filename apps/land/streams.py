"""Where a landed record goes: its topic, its key, and what the topology will say of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from apps.data import mappings
from apps.data.event_formats import JsonLines
from apps.data.kinds import BY_EVENTS, Kind
from apps.data.streams import every
from stormwatch.errors import SettingsError
from stormwatch.parsing.batch import CODES
from stormwatch.parsing.rejections import UNPARSABLE
from stormwatch.records import IGNORED, Rejection
from stormwatch.settings import Settings

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Stream(NamedTuple):
    """A topic that a topology reads."""

    topic: str
    kind: Kind
    parse: Callable[[bytes, int], Any]
    """Value and Kafka's time of it, ms: the event, or a Rejection. As the parse bolt does."""
    key: Callable[[bytes], bytes | None]
    """The key that puts all of an entity's records into one partition, None where none is found."""
    named: Callable[[bytes, str], bytes]
    """A value with this id where it has none, and no mapping that makes one."""
    record_max_bytes: int

    def look(self, value: bytes, now: int) -> Any:
        """The event that the topology will make of a value, or the Rejection. Never raises."""
        if not value.strip():
            return Rejection("empty", CODES["empty"])
        if len(value) > self.record_max_bytes:
            return Rejection(
                "too_large",
                f"the record has {len(value)} bytes, more than record.max_bytes "
                f"({self.record_max_bytes}) allows",
            )
        return self.parse(value, now)

    def bounded(self, value: bytes) -> bytes:
        """A value that is not too large for the log: cut where the topology will refuse it anyway,
        for its being larger than record.max_bytes."""
        return value[: self.record_max_bytes + 1]


def of_topics(settings: Settings, topics: list[str]) -> dict[str, Stream]:
    """These topics, else all that topologies read. Raises SettingsError."""
    known = {topic: stream for stream in every(settings) for topic in stream.topics}
    if unknown := sorted(set(topics) - set(known)):
        raise SettingsError(
            f"No topology reads a topic {unknown[0]!r}. There are: {', '.join(sorted(known))}; "
            "settings topic.* and mappings name others."
        )
    return {
        topic: _made(settings, topic, BY_EVENTS[known[topic].events]) for topic in topics or known
    }


def _made(settings: Settings, topic: str, kind: Kind) -> Stream:
    domain = kind.make(settings)
    parse = mappings.parser(settings, topic, domain)
    skew_ms = settings.future_skew_s * 1000
    mapped = mappings.of(settings, kind.events, topic)
    lines = JsonLines(kind.events)

    def key(value: bytes) -> bytes | None:
        if mapped is None:
            return lines.event(value).key
        try:
            return mapped.entity(value).encode()
        except UNPARSABLE:
            return None

    return Stream(
        topic, kind, lambda value, now: parse(value, now, future_skew_ms=skew_ms), key,
        with_id if mapped is None else lambda value, identity: value, settings.record_max_bytes,
    )  # fmt: skip


def with_id(value: bytes, identity: str) -> bytes:
    """A JSON object that has no `id` gets this one as its first field; all else stays as it is."""
    try:
        if "id" in _object(value):
            return value
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return value
    rest = value.strip()[1:]
    more = b"" if rest.strip() == b"}" else b","
    return b'{"id":' + msgspec.json.encode(identity) + more + rest


def is_event(found: Any) -> bool:
    """Whether it will be decided, or passed over as its mapping says."""
    return found is IGNORED or not isinstance(found, Rejection)
