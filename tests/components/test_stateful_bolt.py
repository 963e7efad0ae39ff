"""A bolt with state of its own: judged in order, once, beside the ledger."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bolts.stateful import StatefulBolt
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.domains.fraud.event import Transaction
from stormwatch.records import Reason
from stormwatch.state.judge import Verdict
from stormwatch.testing import (
    assert_laws,
    batch,
    decisions,
    drive,
    example,
    fragment,
    memory_ports,
    payload,
)


class Seen(msgspec.Struct, array_like=True):
    ids: list[str] = []
    older: int = 0


class Watch(StatefulBolt):
    """Tells what it saw before; raises on an amount of 66."""

    payload = Parsed[Transaction]
    domain = "watch"
    version = 3
    state = Seen
    alerts = frozenset({"third"})

    @staticmethod
    def judge(state: Seen, event: Transaction) -> Verdict:
        before = ",".join(state.ids)
        state.ids = [*state.ids, event.id][-50:]
        if event.amount == 66:
            raise ValueError("66 cannot be judged")
        outcome = "third" if len(state.ids) == 3 else "noted"
        return Verdict(outcome, len(state.ids), (Reason("before", before),))


def send(*events: Transaction, first: int = 0, generation: int = 1) -> None:
    whole = fragment(first, first + len(events) - 1, topic="t", generation=generation)
    said = drive(Watch, batch(whole, payload(Watch.payload, whole, events=events)))
    assert said.acks == ["1"], said.log


def events(*amounts: int, customer: str = "C1") -> list[Transaction]:
    return [example(Transaction, n, amount=a, customer=customer) for n, a in enumerate(amounts)]


def test_it_sees_what_came_before_and_keeps_its_version(store: MemoryStore) -> None:
    send(*events(1, 2))
    send(*events(1, 2, 3)[2:], first=2)
    told = [(one.outcome, one.reasons[0].text, one.rules) for one in decisions(store, "watch")]
    assert told == [
        ("noted", "", "watch-3"),
        ("noted", "id-0", "watch-3"),
        ("third", "id-0,id-1", "watch-3"),
    ]
    assert [row.outcome for row in store.alerts("watch", 9)] == ["third"]


def test_it_says_nothing_in_the_ledger(store: MemoryStore) -> None:
    send(*events(1, 66, 3))
    assert not store.tables.get("ledger")


class Gathering(Watch):
    """The same, with the batches of several partitions at once."""

    together = True


def test_nor_for_batches_that_it_works_on_together(store: MemoryStore) -> None:
    def waiting(partition: int, *of: Transaction) -> dict[str, object]:
        whole = fragment(0, len(of) - 1, topic="t", partition=partition)
        return batch(whole, payload(Watch.payload, whole, events=of), f"{partition}")

    all_four = [waiting(p, *events(1, 2, customer=f"C{p}")) for p in range(4)]
    said = drive(Gathering, *all_four, at_once=True)
    assert said.acks == ["0", "1", "2", "3"], said.log
    assert len(decisions(store, "watch")) == 8
    assert not store.tables.get("ledger")


def test_a_bolt_that_would_change_only_batches_alone_is_refused() -> None:
    with pytest.raises(TypeError, match="Bad.handle would not see .* `prepare`"):
        type("Bad", (Watch,), {"handle": lambda self, fragment, payload, tup: None})


def test_what_it_raises_on_is_set_aside_alone(store: MemoryStore, broker: MemoryBroker) -> None:
    send(*events(1, 66, 3))
    assert [one.id for one in decisions(store, "watch")] == ["id-0", "id-2"]
    (letter,) = store.set_aside("watch", 9)
    assert (letter.row.offset, letter.row.code) == (1, "ValueError")
    assert "66 cannot be judged" in letter.row.reason
    assert msgspec.json.decode(letter.row.raw or b"")["customer"] == "C1"
    assert sum(len(log.records) for log in broker.topic("dead-letters").logs) == 1
    assert decisions(store, "watch")[-1].reasons[0].text == "id-0", "66 was learned by no one"


@given(cuts=st.lists(st.integers(1, 4), min_size=1, max_size=6), again=st.integers(0, 5))
def test_however_cut_and_replayed_it_learns_each_event_once(cuts: list[int], again: int) -> None:
    whole = events(*range(1, sum(cuts) + 1))
    with memory_ports() as ports:
        first = 0
        for nth, size in enumerate(cuts):
            part = whole[first : first + size]
            send(*part, first=first)
            if nth == again:
                send(*part, first=first, generation=2)
            first += size
        told = decisions(ports.store, "watch")
    assert [one.score for one in told] == list(range(1, len(whole) + 1))


def test_it_keeps_the_laws() -> None:
    assert_laws(Watch)


class NoDefault(msgspec.Struct, array_like=True):
    count: int


class HasSet(msgspec.Struct, array_like=True):
    seen: list[set[str]] = []


@pytest.mark.parametrize(
    ("state", "why"), [(NoDefault, "count"), (object, "object"), (HasSet, "sorted list")]
)
def test_a_state_that_cannot_be_kept_is_refused_when_the_class_is_made(
    state: type, why: str
) -> None:
    with pytest.raises(TypeError, match=rf"Bad.state cannot be kept: .*{why}.* with a default"):
        type("Bad", (Watch,), {"state": state})
