"""States of a second key: each visit counted once, read by closed hours, recorded in decisions."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stormwatch.adapters.memory.store import Fault, MemoryStore
from stormwatch.codec import Parsed
from stormwatch.errors import StoreUnavailable
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, Fragment
from stormwatch.state.cache import Entry, StateCache
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.judge import Advanced, Verdict
from stormwatch.state.learn import LearnStep
from stormwatch.state.news import MOST, NewsReader, NewsWriter, is_news
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.recorded import AsRecorded, read
from stormwatch.state.second_key import HOUR, SecondStates, visits_of

T0 = 400_000 * HOUR


class Sale(msgspec.Struct, frozen=True, array_like=True):
    id: str
    entity: str
    time: int
    shop: str


class Visit(msgspec.Struct, frozen=True, array_like=True):
    id: str
    entity: str
    time: int


class Hours(msgspec.Struct, array_like=True):
    count: dict[int, int] = {}


class Shops:
    """Sales at a shop in the hours before."""

    name = "toy.shops"
    visit, state = Visit, Hours
    serves_h, counts_after_h = 0, 1
    feature_names = ("before",)

    def is_news(self, visit: Visit) -> bool:
        return visit.id.startswith("news")

    def key(self, event: Sale) -> str:
        return event.shop

    def visits(self, event: Sale) -> Sequence[Visit]:
        if event.shop == "raises":
            raise RuntimeError("no such shop")
        return (Visit(event.id, event.shop, event.time),)

    def to_wire(self, event: Sale) -> bytes:
        return msgspec.json.encode(event)

    def new_state(self) -> Hours:
        return Hours({})

    def learn(self, state: Hours, visit: Visit) -> None:
        if visit.id.startswith("poison"):
            raise ZeroDivisionError(visit.id)
        hour = visit.time // HOUR
        state.count[hour] = state.count.get(hour, 0) + 1

    def values(self, state: Hours | None, event: Sale) -> tuple[float, ...]:
        if state is None:
            return (0.0,)
        return (sum(n for hour, n in state.count.items() if hour < event.time // HOUR),)


class Seen(msgspec.Struct, array_like=True):
    seen: int = 0


class Toy:
    name = "toy"
    event, state = Sale, Seen
    feature_set, rules_version, model_version = "toy-1", "toy", "none"
    feature_names = ("seen", "before", "after")
    alert_outcomes: frozenset[str] = frozenset()
    second = Shops()

    def to_wire(self, event: Sale) -> bytes:
        return msgspec.json.encode(event)

    def new_state(self) -> Seen:
        return Seen()

    def advance(self, state: Seen, event: Sale, told: tuple[float, ...]) -> Advanced:
        state.seen += 1
        return (state.seen, *told, 0.0), None

    def decide(self, events: Any, features: Any, carries: Any) -> list[Verdict]:
        return [Verdict("fine", row[1]) for row in features]


SHOPS = Shops()
STRIPE = partial(stripe_of, stripes=4)
POLICY = Policy(0, 24 * HOUR, 100)


def step(store: MemoryStore, cache: StateCache | None = None) -> LearnStep[Visit, Hours]:
    """As a process has it that was just started."""
    return LearnStep(
        SHOPS, POLICY, cache or StateCache(1 << 20), STRIPE,
        lambda: store, msgspec.json.encode, "shops", lambda fragment, parsed: None,
    )  # fmt: skip


def states_of(store: MemoryStore) -> dict[str, dict[int, int]]:
    rows = store.tables.get("states", {})
    codec: EnvelopeCodec[Hours] = EnvelopeCodec(Hours)
    blobs = {key[2]: row["state"][1] for key, row in rows.items() if not is_news(key[2])}
    return {key: codec.decode(blob, key).body.count for key, blob in blobs.items()}


def batch(
    partition: int, sales: Sequence[tuple[int, Sale]], **more: Any
) -> tuple[Fragment, Parsed[Visit]]:
    events = [(offset, 0, Visit(sale.id, sale.shop, sale.time)) for offset, sale in sales]
    epoch = (10 + partition // 2) << 5  # two logs
    place = Fragment("t", partition % 2, epoch, sales[0][0], sales[-1][0], **more)
    return place, Parsed(events, [], [])


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_each_visit_counts_once_whatever_fails_and_whoever_dies(seed: int) -> None:
    """Four partitions of two logs, cut at random; every batch until it succeeds, some again after
    that, some doubled in the log; writes fail in whole or in part, processes die."""
    random, store = Random(seed), MemoryStore(24)
    logs: list[list[tuple[int, Sale]]] = []
    want: dict[str, Counter[int]] = {}
    for partition in range(4):
        log: list[tuple[int, Sale]] = []
        for offset in range(random.randint(1, 25)):
            again = log[-1][1] if log and random.random() < 0.1 else None
            time = T0 + random.randint(0, 60) * HOUR // 7
            sale = again or Sale(f"{partition}-{offset}", "c", time, f"s{random.randint(0, 3)}")
            log.append((offset, sale))
            if again is None:
                want.setdefault(sale.shop, Counter())[sale.time // HOUR] += 1
        logs.append(log)
    cuts = []
    for log in logs:
        ends = sorted({0, len(log), *(random.randint(0, len(log)) for _ in range(3))})
        cuts.append([log[low:high] for low, high in pairwise(ends)])
    attempts: Counter[int] = Counter()
    process = step(store)
    while any(cuts):
        places = [p for p in range(4) if cuts[p]]
        together = random.sample(places, random.randint(1, len(places)))
        store.faults = [Fault(random.randint(0, 3))] if random.random() < 0.3 else []
        try:
            process.work_all([
                batch(p, cuts[p][0], generation=1, attempt=attempts[p]) for p in together
            ])  # fmt: skip
            done = [p for p in together if random.random() < 0.8]  # else another bolt failed
        except StoreUnavailable:
            done = []
        for p in together:
            attempts[p] += 1
            if p in done:
                del cuts[p][0]
        if random.random() < 0.2:
            process = step(store)
    assert states_of(store) == want


def test_a_visit_that_cannot_be_learned_is_kept_and_the_rest_is_learned() -> None:
    store = MemoryStore(24)
    sales = [Sale(name, "c", T0, "s") for name in ("a", "poison", "b")]
    step(store).work_all([batch(0, list(enumerate(sales)), generation=1, attempt=0)])
    assert states_of(store) == {"s": {400_000: 2}}
    (aside,) = store.asides(SHOPS.name)
    assert (aside.row.state, aside.row.code) == ("dead_lettered", "ZeroDivisionError")
    assert b"poison" in (aside.row.raw or b"")


def test_visits_go_by_bucket_and_what_raises_is_kept() -> None:
    sales = [Sale(str(n), "c", T0, f"s{n}") for n in range(40)] + [Sale("x", "c", T0, "raises")]
    parsed = Parsed([(n, 7, sale) for n, sale in enumerate(sales)], [], [])
    found = visits_of(parsed, SHOPS, 3, "parse")
    assert [bucket for bucket, _ in found.by_bucket] == [0, 1, 2]
    for bucket, share in found.by_bucket:
        assert {stripe_of(visit.entity, 3) for _, _, visit in share.events} == {bucket}
    assert sum(len(share.events) for _, share in found.by_bucket) == 40
    assert [(row.offset, row.code) for row in found.aside] == [(40, "RuntimeError")]


class Counting(MemoryStore):
    """Knows what was read of it."""

    def __init__(self) -> None:
        super().__init__(24)
        self.read: list[str] = []

    def load_states(self, domain: str, entities: Any) -> dict[str, bytes]:
        asked = [name for names in entities.values() for name in names]
        self.read += [name for name in asked if not is_news(name)]
        return super().load_states(domain, entities)


def learn(store: MemoryStore, first: int, *sales: Sale) -> None:
    step(store).work_all([batch(0, list(enumerate(sales, first)), generation=1, attempt=0)])


def test_a_state_is_read_once_an_hour_and_told_by_closed_hours() -> None:
    store = Counting()
    learn(store, 0, Sale("a", "c", T0, "s"), Sale("b", "c", T0 + HOUR, "s"))
    states: SecondStates[Hours] = SecondStates(SHOPS, STRIPE, lambda: store, 1 << 20)
    store.read.clear()

    def told(time: int) -> float:
        event = Sale("x", "c", time, "s")
        return states.look([event])(event)[0]

    assert told(T0 + HOUR + 5) == 1  # of its own hour nothing
    learn(store, 2, Sale("c", "c", T0, "s"))
    assert told(T0 + HOUR + 6) == 1 and told(T0) == 0
    assert store.read.count("s") == 2  # once here, once by `learn`
    assert told(T0 + 2 * HOUR) == 3
    assert store.read.count("s") == 3


class Slow(Shops):
    """What is told is of use two days later, but for news."""

    serves_h = 48


def test_what_was_read_serves_for_days_but_where_there_is_news() -> None:
    store = Counting()
    learn(store, 0, *(Sale(f"a{n}", "c", T0, f"s{n}") for n in range(3)))
    states: SecondStates[Hours] = SecondStates(Slow(), STRIPE, lambda: store, 1 << 20)

    def read(hour: int) -> list[str]:
        store.read.clear()
        states.look([Sale("x", "c", T0 + hour * HOUR, f"s{n}") for n in range(3)])
        return sorted(store.read)

    assert read(1) == ["s0", "s1", "s2"]
    assert read(2) == read(40) == []
    process = step(store)
    process.work_all([batch(0, [(3, Sale("news1", "c", T0, "s1"))], generation=1, attempt=0)])
    assert read(40) == []  # it is heard of once an hour
    assert read(41) == ["s0", "s1", "s2"]  # of a process just started all is read
    process.work_all([batch(0, [(4, Sale("news2", "c", T0, "s2"))], generation=1, attempt=0)])
    process.work_all([batch(0, [(5, Sale("b", "c", T0, "s1"))], generation=1, attempt=0)])
    assert read(42) == ["s2"]
    assert read(90) == ["s0", "s1"] and read(91) == ["s2"]


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_no_news_is_missed_whatever_fails_and_whoever_dies(seed: int) -> None:
    """And what is said of the oldest visit is true of all that were acked."""
    random, store = Random(seed), MemoryStore(24)
    reader = NewsReader("toy", 3)
    reader.look(store)
    unheard, named, oldest = set[str](), set[str](), dict[str, int]()
    writer, is_first = NewsWriter("toy", 3), True
    for stamp in range(1, 60):
        size = random.choice([0, 1, 2, 5, MOST if random.random() < 0.1 else 3])
        keys = {f"k{random.randint(0, 40)}" for _ in range(size)}
        visited = [(f"k{random.randint(0, 99)}", random.randint(500, 600)) for _ in range(4)]
        fault = Fault(random.choice([None, 0, 1]), random.choice(["", "write_states"]))
        store.faults = [fault] if random.random() < 0.1 else []
        try:
            writer.write(store, keys, iter(visited), stamp, is_first=is_first)
            unheard |= keys
            named |= keys
            for key, hour in visited:
                oldest[key] = min(hour, oldest.get(key, hour))
        except StoreUnavailable:
            pass
        store.faults = []
        if random.random() < 0.05:
            writer, is_first = NewsWriter("toy", 3), False
        if random.random() < 0.4:
            found = reader.look(store)
            assert found.missed or unheard <= found.keys
            unheard = set()
            if found.since:
                assert named <= found.named
                assert found.since <= min(oldest.values(), default=found.since)


def test_what_nobody_can_have_told_anything_of_is_not_read() -> None:
    store = Counting()
    process = step(store)
    process.work_all([batch(0, [(0, Sale("a", "c", T0, "s"))], generation=1, attempt=0)])
    states: SecondStates[Hours] = SecondStates(Week(), STRIPE, lambda: store, 1 << 20)

    def read(hour: int) -> list[str]:
        store.read.clear()
        states.look([Sale("x", "c", T0 + hour * HOUR, shop) for shop in ("s", "t")])
        return sorted(store.read)

    assert read(0) == read(167) == []
    process.work_all([batch(0, [(1, Sale("news", "c", T0, "t"))], generation=1, attempt=0)])
    assert read(167) == [] and read(168) == ["s", "t"]
    other: SecondStates[Hours] = SecondStates(Week(), STRIPE, lambda: store, 1 << 20)
    states = other
    assert read(100) == ["t"] and read(101) == []
    learn(store, 2, Sale("b", "c", T0, "u"))  # by another process, of which nothing is known
    assert read(102) == ["s", "t"]


class Week(Shops):
    """What is told is of use a week later, but for news."""

    serves_h, counts_after_h = 48, 168


def test_what_is_known_of_second_keys_is_bounded() -> None:
    store = Counting()
    states: SecondStates[Hours] = SecondStates(SHOPS, STRIPE, lambda: store, 3_000)
    for n in range(50):
        states.look([Sale("x", "c", T0, f"s{n}")])
        assert states.size <= 3_000
    states.look([Sale("x", "c", T0, "s49")])
    assert len(store.read) == 50


def decided(store: MemoryStore, domain: Any, told: Any = None) -> list[Decision]:
    sales = [Sale(str(n), "c", T0 + 2 * HOUR + n, "s") for n in range(3)]
    parsed = Parsed([(n, 0, sale) for n, sale in enumerate(sales)], [], [])
    contract: Contract[Any, Any] = Contract(domain, POLICY, "decide")
    outcomes = contract.apply(
        Fragment("t", 0, 0, 0, 2, 1, 0), parsed, {"c": Entry(0, b"")}, 0, told
    )
    return [msgspec.json.decode(row.body, type=Decision) for row in outcomes.decisions]


def test_decisions_record_what_they_were_told_and_are_made_again_of_that() -> None:
    store = MemoryStore(24)
    learn(store, 0, Sale("a", "c", T0, "s"), Sale("b", "c", T0 + HOUR, "s"))
    states: SecondStates[Hours] = SecondStates(SHOPS, STRIPE, lambda: store, 1 << 20)
    event = Sale("0", "c", T0 + 2 * HOUR, "s")
    first = decided(store, Toy(), states.look([event]))
    assert [one.features for one in first] == [(1, 2, 0), (2, 2, 0), (3, 2, 0)]

    stored = {one.id: read(msgspec.json.encode(one)) for one in first}
    again = decided(store, AsRecorded(Toy(), lambda event: stored.get(event.id)))
    assert again == first
    assert decided(store, Toy()) != first  # computed anew, of a key never seen

    learn(store, 2, *(Sale(f"l{n}", "c", T0, "s") for n in range(5)))  # came since then
    anew = decided(store, Toy(), states.look([Sale("1", "c", T0 + 3 * HOUR, "s")]))
    assert anew != first
    assert decided(store, AsRecorded(Toy(), lambda event: stored.get(event.id))) == first


def test_what_no_decision_is_stored_of_is_told_as_of_a_key_never_seen() -> None:
    found = decided(MemoryStore(24), AsRecorded(Toy(), lambda event: None))
    assert [one.features[1] for one in found] == [0, 0, 0]
