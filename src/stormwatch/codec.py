"""The one place that knows tuple fields and the encoding of payloads between components.

A batch is encoded once, as one opaque string (base64 of msgpack), beside the routing fields:
a hop through Storm then costs a JSON string, not a JSON list of records.
"""

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from stormwatch.records import Fingerprint, Fragment, LedgerRow, Record, SetAside

BATCH_FIELDS = (
    "bucket",  # the grouping key: the Kafka partition, after a repartition a hash of the key
    "topic",
    "partition",
    "epoch",
    "first",
    "last",
    "generation",
    "attempt",
    "log",  # Fragment.fingerprint, a semicolon, Fragment.believed: numbers with colons between
    "payload",
)
"""Declared fields of every stream between components."""

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


class Asides(msgspec.Struct, array_like=True):
    """Payload of the streams that end in the reject bolt: rows and their ledger."""

    rows: list[SetAside]
    ledger: LedgerRow


class Share(msgspec.Struct, frozen=True, array_like=True):
    """What a repartition gave to one bucket of a fragment; see `stormwatch.state.repartition`."""

    bucket: int
    secondary: list[int]  # positions of events for whose offsets another writer accounts


class Parsed(msgspec.Struct, Generic[T], array_like=True):
    """Payload between parse and score, of the domain's event type: `Parsed[Transaction]`."""

    events: list[tuple[int, int, T]]  # offset, Kafka timestamp, event
    elsewhere: list[int]  # offsets that parse sent to another stream
    absent: list[int]  # offsets that never held a record
    share: Share | None = None  # after a repartition: not the whole fragment, but a bucket's events


def encode(payload: object) -> str:
    """Encode any msgspec-able object as an ASCII string safe inside JSON."""
    return b64encode(_encoder.encode(payload)).decode("ascii")


def decoder(kind: type[T]) -> "PayloadDecoder[T]":
    """A decoder for payloads of `kind`; build once, use for each tuple."""
    return PayloadDecoder(kind)


class PayloadDecoder(Generic[T]):
    """Decodes what `encode` made. Raises msgspec.ValidationError on another shape."""

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)

    def __call__(self, payload: str) -> T:
        return self._decoder.decode(a2b_base64(payload))  # type: ignore[no-any-return]


def to_values(fragment: Fragment, payload: object, bucket: int | None = None) -> list[Any]:
    """The tuple of a batch, in the order of BATCH_FIELDS; `bucket` defaults to the partition."""
    f = fragment
    return [
        f.partition if bucket is None else bucket, f.topic, f.partition, f.epoch, f.first, f.last,
        f.generation, f.attempt, _of_log(f), encode(payload),
    ]  # fmt: skip


def to_fragment(values: Sequence[Any]) -> Fragment:
    """The fragment of a tuple made by `to_values`."""
    topic, partition, epoch, first, last, generation, attempt, log = values[1:9]
    fingerprint, _, believed = log.partition(";")
    return Fragment(
        topic, partition, epoch, first, last, generation, attempt,
        tuple(map(_numbers, believed.split(","))) if believed else (),
        Fingerprint(*_numbers(fingerprint)) if fingerprint else None,
    )  # fmt: skip


def _of_log(fragment: Fragment) -> str:
    believed, fingerprint = fragment.believed, fragment.fingerprint
    if not believed and fingerprint is None:
        return ""
    taken = (
        ""
        if fingerprint is None
        else f"{fingerprint.offset}:{fingerprint.timestamp}:{fingerprint.checksum}"
    )
    return f"{taken};{','.join(':'.join(map(str, each)) for each in believed)}"


def _numbers(text: str) -> tuple[int, int, int]:
    first, second, third = map(int, text.split(":"))
    return first, second, third


RECORDS = list[Record]
"""Payload of spout -> parse."""
