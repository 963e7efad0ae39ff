"""Builders: the payload of a batch of any bolt."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin

import msgspec

from stormwatch.codec import Asides, Parsed
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import (
    Decision,
    DecisionRow,
    EndState,
    Fragment,
    LedgerRow,
    Outcomes,
    Record,
    SetAside,
    StateRow,
)
from stormwatch.state.write_timestamps import outcome_stamp
from stormwatch.testing.clock import START_MS
from stormwatch.testing.examples import example

ODD: tuple[bytes | None, ...] = (
    None, b"", b" ", b"null", b"[]", b"{}", b'"', b"{", b"\xff\xfe", b"\x00", b"NaN",
    b'{"id":1e999}', b'{"id":"\\ud800"}', b'{"id":null,"time":-1}', b"[" * 5000, b'{"a":1,"a":2}',
    b'{"id":"' + b"x" * 70_000 + b'"}', b'{"id":"x","time":"9999-99-99T00:00:00Z"}',
)  # fmt: skip
"""Values of records that no parser should stumble over."""


def payload(
    kind: Any, fragment: Fragment, *, events: Sequence[Any] | None = None,
    values: Sequence[bytes | None] | None = None,
) -> Any:  # fmt: skip
    """What a bolt with this `payload` type gets for the fragment, an event or record an offset.

    `events` (of `Parsed[T]`) and `values` (of records) are taken in turn where given.
    """
    offsets = range(fragment.first, fragment.last + 1)
    if get_origin(kind) is Parsed:
        (event,) = get_args(kind)
        rows = [
            (o, START_MS + i, events[i % len(events)] if events else example(event, o))
            for i, o in enumerate(offsets)
        ]
        return Parsed(rows, [], [])
    if get_origin(kind) is list and get_args(kind) == (Record,):
        chosen = ODD if values is None else values
        return [
            Record(o, START_MS + i, b"k%d" % o, chosen[i % len(chosen)])
            for i, o in enumerate(offsets)
        ]
    if kind is Asides:
        return _asides(fragment)
    if kind is Outcomes:
        return _outcomes(fragment)
    return example(kind, fragment.first)


def _asides(fragment: Fragment) -> Asides:
    offsets = range(fragment.first, fragment.last + 1)
    rows = [
        SetAside(o, START_MS, EndState.REJECTED, "not_json", "no JSON", "parse", b"k", b"{")
        for o in offsets
    ]
    bits = {EndState.REJECTED.value: bitmap_of(list(offsets), fragment.first)}
    return Asides(rows, LedgerRow(fragment, "reject", bits, 5))


def _outcomes(fragment: Fragment) -> Outcomes:
    f, stamp = fragment, outcome_stamp(fragment)
    offsets = range(f.first, f.last + 1)
    decided = [
        Decision(
            f"id-{o}", f"entity-{o}", START_MS + o, "ok", 0.5, (), (1.0,), "f-1", "none", "r-1",
            f.topic, f.partition, o, START_MS,
        )
        for o in offsets
    ]  # fmt: skip
    rows = [
        DecisionRow(
            0, d.entity, d.time, d.id, d.outcome, d.score, msgspec.json.encode(d), d.timestamp,
            d.offset % 3 == 0,
        )
        for d in decided
    ]  # fmt: skip
    states = [StateRow(0, d.entity, b"state", stamp) for d in decided]
    bits = {EndState.SCORED.value: bitmap_of(list(offsets), f.first)}
    ledger = LedgerRow(f, "score", bits, 5)
    return Outcomes(f, "test", stamp, rows, states, [], ledger, [], [START_MS] * len(rows))
