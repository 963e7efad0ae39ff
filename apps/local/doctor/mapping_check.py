"""Can the mappings be read, and do the newest records of their topics fit them?"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from functools import partial

from apps.data import mappings, samples
from apps.local.doctor.finding import FAIL, OK, WARN, Finding
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.dead_letters import redaction
from stormwatch.errors import SettingsError, StormwatchError, TopicError
from stormwatch.parsing.batch import parse_batch
from stormwatch.parsing.mapping import Mapped
from stormwatch.ports import Source
from stormwatch.records import Fragment, Record, SetAside
from stormwatch.settings import Settings

MOST = 1_000
"""Records of a topic that are looked at, for at most `samples.WITHIN_S`."""
SHOWN = 3


def readable(settings: Settings) -> Iterator[Finding]:
    """Of the settings alone, whether Kafka is there or not."""
    try:
        for events in mappings.TARGETS:
            for topic, mapped in mappings.by_topic(settings, events).items():
                yield Finding("mapping", OK, f"{mapped.mark} of the topic {topic} can be used.")
    except SettingsError as error:
        yield Finding("mapping", FAIL, str(error))


def fitting(settings: Settings) -> Iterator[Finding]:
    """Of a Kafka that accepts connections: a finding for each topic that has a mapping."""
    from stormwatch.adapters import connect

    for events in mappings.TARGETS:
        try:
            found = mappings.by_topic(settings, events)
        except SettingsError:
            continue  # told by `readable`
        for topic, mapped in found.items():
            try:
                with closing(connect.source(settings, topic)) as source:
                    yield fits(settings, source, topic, mapped)
            except TopicError:
                yield Finding(f"mapping of {topic}", OK, "The topic is not there yet.")
            except StormwatchError as error:
                yield Finding(f"mapping of {topic}", FAIL, str(error))


def fits(settings: Settings, source: Source, topic: str, mapped: Mapped) -> Finding:
    """What the parse bolt would refuse of the topic's newest records. Raises TopicError,
    BrokerUnavailable."""
    read = defaultdict[int, list[Record]](list)
    for place, record in samples.newest(source, topic, MOST):
        read[place].append(record)
    count, name = sum(map(len, read.values())), f"mapping of {topic}"
    if not count:
        return Finding(name, OK, "The topic holds no record yet.")
    refused = [row for place, some in read.items() for row in _refused(
        settings, Fragment(topic, place, 0, some[0].offset, some[-1].offset, 0, 0), some, mapped
    )]  # fmt: skip
    if not refused:
        return Finding(name, OK, f"The newest {count:,} records fit the mapping {mapped.mark}.")
    codes, examples = Counter(row.code for row in refused), dict[str, str]()
    for row in refused:
        examples.setdefault(row.code, row.reason)
    why = "; ".join(
        f"{n:,} as {code}, for example {examples[code]}" for code, n in codes.most_common(SHOWN)
    )
    return Finding(
        name,
        WARN,
        f"{len(refused):,} of the newest {count:,} records do not fit the mapping {mapped.mark}: "
        f"{why}.",
        "What a mapping refuses is kept in the dead-letter queue, and decides nothing.",
        f"`./stormwatch map --check MAPPING --topic {topic}` tries a mended one; then start again, "
        "and `./stormwatch dlq redrive`.",
    )


def _refused(
    settings: Settings, fragment: Fragment, records: list[Record], mapped: Mapped
) -> list[SetAside]:
    batch = parse_batch(
        fragment,
        records,
        partial(mapped.parse, future_skew_ms=settings.future_skew_s * 1000),
        component="doctor",
        record_max_bytes=settings.record_max_bytes,
        masked=redaction.names(settings.mask_fields),
        now=now_ms(),
    )
    return batch.rejected.rows if batch.rejected is not None else []
