"""Marks, known ids and blobs of one entity."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.recommend.domain import Recommend
from stormwatch.domains.social import Social
from stormwatch.errors import StateError
from stormwatch.settings import Settings
from stormwatch.state import envelope as entity
from stormwatch.state.envelope import Envelope, EnvelopeCodec


class Sums(msgspec.Struct, array_like=True):
    count: int = 0
    values: list[float] = []


def envelope(**changes: object) -> Envelope[Sums]:
    fields = {
        "version": 1,
        "stamp": 5,
        "marks": [(0, 1, 7)],
        "newest": 9,
        "ids": b"",
        "body": Sums(),
    }
    return Envelope(**(fields | changes))  # type: ignore[arg-type]


finite = st.floats(allow_nan=False, allow_infinity=False)
marks = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99), st.integers(0, 1 << 35)))


@given(marks, st.binary(), st.integers(0, 1 << 40), st.lists(finite))
def test_blob_and_back_is_bit_for_bit(marks, ids, newest, values):
    codec = EnvelopeCodec(Sums)
    before = envelope(marks=marks, ids=ids, newest=newest, body=Sums(len(values), values))
    blob = codec.encode(before)
    assert codec.decode(blob, "x") == before
    assert codec.encode(codec.decode(blob, "x")) == blob


def test_a_decoded_blob_is_a_private_copy():
    codec = EnvelopeCodec(Sums)
    blob = codec.encode(envelope())
    codec.decode(blob, "x").body.values.append(1.0)
    assert codec.decode(blob, "x").body.values == []


@pytest.mark.parametrize(
    "blob", [b"", b"\x00", b"\x93\x01\x02\x03", EnvelopeCodec(Sums).encode(envelope())[:-1]]
)
def test_an_unreadable_blob_says_whose_it_is_and_what_to_do(blob):
    with pytest.raises(StateError, match="'machine-7' cannot be read.*stormwatch state reset"):
        EnvelopeCodec(Sums).decode(blob, "machine-7")


def test_a_blob_of_another_version_is_refused():
    blob = EnvelopeCodec(Sums).encode(envelope(version=2))
    with pytest.raises(StateError, match="version 2, this code reads version 1"):
        EnvelopeCodec(Sums).decode(blob, "x")


DOMAINS: dict[str, Callable[[], Any]] = {
    "fraud": lambda: Fraud.load().by_rules(),
    "maintenance": lambda: Maintenance.load().by_rules(),
    "social": lambda: Social(lambda text: 0),
    "recommend": lambda: Recommend.from_settings(Settings()),
}


@pytest.mark.parametrize("make", DOMAINS.values(), ids=DOMAINS)
def test_a_state_that_was_started_afresh_is_that_of_a_new_entity_in_every_domain(make):
    domain = make()
    codec = EnvelopeCodec(domain.state, domain.new_state)
    for before in (b"", b"not a state at all"):
        found = codec.decode(entity.reset(before, 8, 99), "x")
        assert found == Envelope(1, 8, [], 0, b"", domain.new_state())
        assert codec.decode(codec.encode(found), "x") == found


def test_what_was_decided_stays_known_when_an_entity_starts_afresh():
    ids = entity.remember_id(b"", entity.digest_of("a"), 1, 9, 0, 9)[0]
    before = envelope(ids=ids, newest=9_999, floor=3, body=Sums(4, [1.0]))
    codec = EnvelopeCodec(Sums)
    found = codec.decode(entity.reset(codec.encode(before), 7, 500), "x")
    assert found == envelope(stamp=7, ids=ids, newest=500, floor=3, body=Sums())
    other = envelope(ids=ids, version=2)
    assert codec.decode(entity.reset(codec.encode(other), 7, 500), "x").ids == b""


def test_marks_decide_per_partition_and_incarnation():
    marks = [(0, 33, 10), (1, 33, 5)]
    assert entity.is_decided(marks, 0, 33, 10)
    assert not entity.is_decided(marks, 0, 33, 11)
    assert not entity.is_decided(marks, 2, 33, 0)
    # A partition was added: offsets run on, so the mark still counts.
    assert entity.is_decided(marks, 0, 34, 10)
    # The topic was made again: offsets start again, so it does not.
    assert not entity.is_decided(marks, 0, 64, 10)


def test_the_partition_used_last_stands_last():
    marks = [(0, 1, 10)]
    entity.advance_marks(marks, 1, 1, 3)
    assert marks == [(0, 1, 10), (1, 1, 3)]
    assert entity.is_misplaced(marks, 0, 1)
    entity.advance_marks(marks, 0, 1, 11)
    assert marks == [(1, 1, 3), (0, 1, 11)]
    assert not entity.is_misplaced(marks, 0, 1)
    assert not entity.is_misplaced(marks, 1, 2), "a new partition count moves entities by right"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 100)), max_size=60), st.integers(1, 8))
def test_the_ring_of_ids_against_a_list(events, limit):
    horizon, newest, ids = 30, 0, b""
    model: list[tuple[int, int]] = []
    for name, at in events:
        newest = max(newest, at)
        digest = entity.digest_of(str(name))
        ids, given_up, floor = entity.remember_id(ids, digest, name, at, newest - horizon, limit)
        model = [(n, t) for n, t in model if t >= newest - horizon]
        model = sorted([*model, (name, at)], key=lambda one: one[1])
        dropped = [model.pop(0) for _ in range(len(model) - limit)]
        assert (given_up, floor) == (len(dropped), dropped[-1][1] + 1 if dropped else 0)
        for known in range(21):
            last = next(((n, t) for n, t in reversed(model) if n == known), None)
            assert entity.find_id(ids, entity.digest_of(str(known))) == last
    assert len(ids) <= 16 * limit


def test_a_ring_that_af92a6c_left_in_the_order_of_arrival_is_read_and_grows_on():
    """Its floor is never below what was given up of it."""
    old = b"".join(entity._ID.pack(entity.digest_of(str(n)), n, at) for n, at in [(1, 9), (2, 5)])
    assert entity.find_id(old, entity.digest_of("1")) == (1, 9)
    ids, given_up, floor = entity.remember_id(old, entity.digest_of("3"), 3, 7, 0, 2)
    assert (given_up, floor) == (1, 10)
    assert entity.find_id(ids, entity.digest_of("1")) is None
    assert entity.find_id(ids, entity.digest_of("2")) == (2, 5)


def test_a_blob_of_af92a6c_is_read_and_written_as_it_was():
    blob = bytes.fromhex("960105919300010709c400920090")
    found = EnvelopeCodec(Sums).decode(blob, "x")
    assert found == envelope()
    assert EnvelopeCodec(Sums).encode(found) == blob
    found.floor = 7
    assert EnvelopeCodec(Sums).decode(EnvelopeCodec(Sums).encode(found), "x").floor == 7


def test_a_digest_across_two_entries_is_not_found():
    ids = entity.remember_id(b"", b"AAAABBBB", 1, 2, 0, 9)[0]
    assert entity.find_id(ids, ids[4:12]) is None
