"""What both stores keep of logs: incarnations given out once, sizes, stretches."""

import pytest

from stormwatch.errors import TopicError
from stormwatch.ports import Store
from stormwatch.records import Fingerprint, Fragment, LedgerRow
from stormwatch.stretches import FIRST_INCARNATION, Stretch


@pytest.fixture
def name(unique) -> str:
    return unique("log")


def test_an_incarnation_is_of_one_log_and_its_nth_stretches(store: Store, name: str) -> None:
    first = store.incarnation(name, 0, None)
    assert first >= FIRST_INCARNATION
    others = [store.incarnation(f"{name}{n}", n, None) for n in range(3)]
    assert len({first, *others, store.incarnation(name, 1, None)}) == 5
    assert store.incarnation(name, 0, None) == first
    assert min(others) > first


def test_a_log_that_was_read_before_keeps_its_number_and_no_other_of_its_stream_has_it(
    store: Store, name: str
) -> None:
    assert store.incarnation(name, 0, (3, f"{name}-s")) == 3
    assert store.incarnation(name, 0, None) == 3
    assert store.incarnation(f"{name}2", 0, (3, f"{name}-s")) >= FIRST_INCARNATION
    assert store.incarnation(f"{name}3", 0, (3, f"{name}-t")) == 3


def test_resizes_are_counted_once_for_each_number_of_partitions(store: Store, name: str) -> None:
    assert [store.resizes(name, n, None) for n in (2, 2, 3, 3, 2, 7)] == [0, 0, 1, 1, 1, 2]
    older = f"{name}-older"
    assert [store.resizes(older, n, (4, 5)) for n in (4, 6, 6)] == [5, 6, 6]
    full = f"{name}-full"
    assert store.resizes(full, 1, (1, 31)) == 31
    with pytest.raises(TopicError, match="no number left"):
        store.resizes(full, 2, None)


def test_of_a_stretch_the_greatest_generation_and_the_greatest_position_stand(
    store: Store, name: str
) -> None:
    some = (Fingerprint(3, 4, 5), Fingerprint(9, 8, -1))
    first = Stretch(1, 70, 0, 5, 5, generation=2, position=10, fingerprints=some)
    store.write_stretches(name, [first, Stretch(0, 71, 1, 0, 0, decided_to=9)])
    assert store.stretches(name) == [Stretch(0, 71, 1, 0, 0, decided_to=9), first]
    cut = Stretch(1, 70, 0, 5, 5, believed_to=8, generation=3, position=6)
    store.write_stretches(name, [cut])
    late = Stretch(1, 70, 0, 5, 5, generation=1, position=7)
    store.write_stretches(name, [late])
    store.note_position(name, late)
    [_, found] = store.stretches(name)
    assert found == Stretch(
        1, 70, 0, 5, 5, believed_to=8, generation=3, position=10, fingerprints=some
    )  # fmt: skip
    assert store.stretches(f"{name}-other") == []


def test_a_ledger_row_keeps_the_fingerprint_of_its_last_record_alone(
    store: Store, name: str
) -> None:
    believed = ((64, 0, 9),)
    taken = Fingerprint(1, 1_700_000_000_000, 2**32 - 1)
    for attempt, fingerprint in enumerate((taken, None)):
        of = Fragment(name, 0, 2080, 0, 1, 1, attempt, believed, fingerprint)
        store.write_aside("fraud", [], LedgerRow(of, "reject", {"rejected": b"\x03"}, 0), 1)
    found = [row.fragment for row in store.ledger(name, 0, 2080, 0, 9)]
    assert [(f.believed, f.fingerprint) for f in found] == [((), taken), ((), None)]
