"""Set-aside records are sent again once, after a fix, whatever dies in between."""

from collections.abc import Iterator

import pytest

from apps.data.kinds import BY_TOPOLOGY
from apps.data.streams import Stream
from apps.operate import domains
from apps.operate.dlq.letters import OPEN, Letter, Wanted, by_name, find
from apps.operate.dlq.redrive import Redriver, Result, Who, discard
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.archive import DISCARDED, REDRIVEN, REDRIVING, LetterAct
from stormwatch.domains.fraud import Fraud
from stormwatch.errors import BrokerUnavailable, SettingsError, StoreUnavailable
from stormwatch.ingest.commit_metadata import Epoch, epoch_key, write_epoch
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.partitioner import partition_of
from stormwatch.records import Fragment, LedgerRow, SetAside
from stormwatch.settings import Settings

NOW = 1_795_252_530_000
GOOD = (
    b'{"id":"t%d","customer":"c-%d","terminal":"x","time":"2026-11-21T00:00:00Z",'
    b'"amount":5,"currency":"EUR"}'
)
SETTINGS = Settings(topic_transactions="t", mask_fields="merchant")
ANY = Wanted()
STREAM = Stream("fraud", "t", "transactions")


class World:
    """A topic of three partitions, its first records set aside one by one."""

    def __init__(self) -> None:
        self.broker, self.store = MemoryBroker(clock=lambda: NOW), MemoryStore()
        self.broker.create("t", 3, {})
        self.time = NOW
        self.source = MemorySource(self.broker, "t")
        info = self.source.describe()
        assert info is not None
        self.source.remember(epoch_key("t"), write_epoch(Epoch(0, info.topic_id, 3)))

    def letter(
        self, value: bytes | None, *, state: str = "dead_lettered", raw: bytes | None = b"",
        code: str = "raised", component: str = "parse",
    ) -> str:  # fmt: skip
        """One record in Kafka and set aside; `raw` is what was kept of it, b"" all."""
        offset = self.broker.log("t", 0).high
        self.broker.append("t", b"c-1", value, partition=0)
        kept = value if raw == b"" else raw
        row = SetAside(offset, NOW - offset, state, code, "It broke.", component, b"c-1", kept)
        bits = {state: bitmap_of([offset], offset)}
        of = Fragment("t", 0, 0, offset, offset, 1, 0)
        self.store.write_aside("fraud", [row], LedgerRow(of, "reject", bits, 0), 1)
        return f"t/0/0/{offset}"

    def find(self, wanted: Wanted = ANY, limit: int = 100) -> list[Letter]:
        return find(self.store, [STREAM], wanted, limit)

    def tick(self) -> int:
        self.time += 1
        return self.time

    @property
    def who(self) -> Who:
        return Who("ann@here", "mended", self.tick)

    def redrive(self, *, dry: bool = False) -> list[Result]:
        sink = MemorySink(self.broker)
        redriver = Redriver(SETTINGS, self.store, self.source, sink, Fraud(), self.who)
        return redriver.run(self.find(), dry=dry)

    def copies(self) -> list[tuple[int, int, bytes | None]]:
        return [
            (partition, record.offset, record.value)
            for partition in (1, 2)
            for record in self.broker.log("t", partition).records
        ]


@pytest.fixture
def world() -> Iterator[World]:
    yield World()


def good(number: int, customer: int = 2) -> bytes:
    """A right transaction of a customer whose partition is not 0."""
    return GOOD % (number, customer)


def test_a_redriven_record_goes_out_under_its_key_once(world: World) -> None:
    names = [world.letter(good(i)) for i in range(3)]
    results = world.redrive()
    assert [r.done for r in results] == [REDRIVEN] * 3
    assert [r.letter.name for r in results] == names  # the newest first, as they were found
    assert sorted(c[2] for c in world.copies()) == [good(i) for i in range(3)]
    assert {c[0] for c in world.copies()} == {partition_of(b"c-1", 3)}  # as they came
    assert {letter.status for letter in world.find(Wanted(done=True))} == {REDRIVEN}
    assert world.redrive() == []  # none is open
    sink = MemorySink(world.broker)
    again = Redriver(SETTINGS, world.store, world.source, sink, Fraud(), world.who)
    told = again.run(world.find(Wanted(done=True)))
    assert {r.done for r in told} == {"left"} and "by ann@here" in told[0].told
    assert len(world.copies()) == 3


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("deadly", [0, 1, 2, 3])
def test_a_death_at_any_write_leaves_one_copy(
    world: World, monkeypatch: pytest.MonkeyPatch, deadly: int, kept: bool
) -> None:
    for i in range(2):
        world.letter(good(i))
    writes, write = iter(range(9)), world.store.write_act

    def dies(domain: str, act: LetterAct) -> None:
        now = next(writes) == deadly
        if kept or not now:
            write(domain, act)
        if now:
            raise StoreUnavailable("died here")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "write_act", dies)
        with pytest.raises(StoreUnavailable):
            world.redrive()
    world.redrive()
    assert sorted(value for _, _, value in world.copies()) == [good(0), good(1)]
    assert {letter.status for letter in world.find(Wanted(done=True))} == {REDRIVEN}


def test_a_broker_that_does_not_confirm_leaves_one_copy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.letter(good(1))
    flush = MemorySink.flush

    def unconfirmed(sink: MemorySink, timeout: float) -> None:
        flush(sink, timeout)
        raise BrokerUnavailable("written, not confirmed")

    with monkeypatch.context() as patched:
        patched.setattr(MemorySink, "flush", unconfirmed)
        with pytest.raises(BrokerUnavailable):
            world.redrive()
    assert [letter.status for letter in world.find()] == [REDRIVING]
    assert [r.done for r in world.redrive()] == [REDRIVEN]
    assert len(world.copies()) == 1


@pytest.mark.parametrize(
    ("value", "kept", "why"),
    [
        (b"{", b"{", "rejected again: not_json"),
        (None, None, "tombstone"),
        (good(1), b'{"merchant":"***"}', ""),  # Kafka still has it whole
    ],
)
def test_what_cannot_be_decided_is_left_with_the_reason(
    world: World, value: bytes | None, kept: bytes | None, why: str
) -> None:
    world.letter(value, raw=kept)
    (result,) = world.redrive()
    assert (result.done == "left") is bool(why) and why in result.told
    assert len(world.copies()) == (0 if why else 1)


def test_a_conflict_stands_and_a_discarded_record_is_not_sent(world: World) -> None:
    world.letter(good(1), state="conflict", code="conflict")
    assert "new id" in world.redrive()[0].told
    (result,) = discard(world.store, world.find(), world.who)
    assert result.done == DISCARDED
    assert world.find() == []
    (left,) = discard(world.store, world.find(Wanted(done=True)), world.who)
    assert left.done == "left" and "discarded before" in left.told
    assert world.copies() == []


@pytest.mark.parametrize(
    ("raw", "why"), [(b'{"merchant":"***"}', "masked"), (b"x" * 65_536, "truncated"), (good(1), "")]
)
def test_what_kafka_deleted_is_sent_as_it_was_kept_if_that_is_whole(
    world: World, raw: bytes, why: str
) -> None:
    world.letter(good(1), raw=raw)
    world.broker.delete_records("t", 0, 1)
    (result,) = world.redrive()
    assert (result.done == "left") is bool(why) and why in result.told
    assert len(world.copies()) == (0 if why else 1)


@pytest.mark.parametrize("kafka", [True, False])
def test_a_post_goes_out_under_its_author_though_its_brands_are_decided(kafka: bool) -> None:
    """After a repartition the event's entity is not the record's key."""
    made = World()
    post = b'{"id":"p","author":"c-2","time":"2026-11-21T00:00:00Z","text":"oh no @acme"}'
    made.broker.append("t", None, post, partition=0)
    row = SetAside(0, NOW, "dead_lettered", "ValueError", "It broke.", "decide", b"acme", post)
    ledger = LedgerRow(Fragment("t", 0, 0, 0, 0, 1, 0), "score/1", {}, 0)
    made.store.write_aside("social", [row], ledger, 1)
    if not kafka:
        made.broker.delete_records("t", 0, 1)
    letters = find(made.store, [Stream("social", "t", "posts")], ANY, 9)
    domain = BY_TOPOLOGY["social"].make(SETTINGS)
    redriver = Redriver(
        SETTINGS, made.store, made.source, MemorySink(made.broker), domain, made.who
    )
    assert [r.done for r in redriver.run(letters)] == [REDRIVEN]
    partition = partition_of(b"c-2", 3)
    assert partition != partition_of(b"acme", 3)
    records = made.broker.log("t", partition).records
    assert [(r.key, r.value) for r in records][-1] == (b"c-2", post)


def test_another_incarnation_s_record_is_not_taken_for_the_original(world: World) -> None:
    world.letter(good(1))
    info = world.source.describe()
    assert info is not None
    world.source.remember(epoch_key("t"), write_epoch(Epoch(32, info.topic_id, 3)))
    world.broker.log("t", 0).records[0] = (
        world.broker.log("t", 0).records[0].__class__(0, NOW, b"c-9", good(9))
    )
    assert [r.done for r in world.redrive()] == [REDRIVEN]
    assert [value for _, _, value in world.copies()] == [good(1)]


def test_a_dry_run_sends_and_keeps_nothing(world: World) -> None:
    world.letter(good(1))
    assert "would go to partition" in world.redrive(dry=True)[0].told
    assert [letter.status for letter in world.find()] == [OPEN] and not world.copies()


def test_filters_limits_and_names(world: World) -> None:
    world.letter(b"{", state="rejected", code="not_json")
    world.letter(good(1), state="late", code="late", component="decide")
    last = world.letter(good(2))
    codes = [letter.stored.row.code for letter in world.find()]
    assert codes == ["not_json", "late", "raised"]  # by Kafka's time, newest first
    assert [x.stored.row.code for x in world.find(limit=1)] == ["not_json"]
    assert [x.stored.row.code for x in world.find(Wanted(component="decide"))] == ["late"]
    assert [x.stored.row.code for x in world.find(Wanted(code="raised"))] == ["raised"]
    assert [x.stored.row.code for x in world.find(Wanted(state="late"))] == ["late"]
    assert by_name(world.store, SETTINGS, last).place == ("t", 0, 0, 2)
    for wrong in ("t/0/0/77", "t", "u/0/0/1", "t/0/x/1"):
        with pytest.raises(SettingsError):
            by_name(world.store, SETTINGS, wrong)


def test_what_is_shown_is_masked_and_safe_to_print(world: World) -> None:
    name = world.letter(b'{"merchant":"Bob","x":"4111111111111111"}\x1b[2J')
    shown = by_name(world.store, SETTINGS, name).shown(frozenset({"merchant"}))
    text = str(shown)
    assert "Bob" not in text and "411111" not in text and "\x1b" not in text
    assert shown["record"] == name and shown["status"] == OPEN


def test_what_a_bolt_with_state_of_its_own_set_aside_is_found_and_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(domains, "own_domains", lambda name: ["spree"] if name == "fraud" else [])
    world = World()
    world.broker.append("t", b"c-1", GOOD % (1, 1), partition=0)
    row = SetAside(0, NOW, "dead_lettered", "ValueError", "It broke.", "spree", b"c-1", b"{}")
    nothing = LedgerRow(Fragment("t", 0, 0, 0, 0, 1, 0), "score/0", {}, 0)
    world.store.write_aside("spree", [row], nothing, 1)
    found = find(world.store, domains.chosen(SETTINGS, "all"), ANY, 9)
    assert [(letter.domain, letter.name) for letter in found] == [("spree", "t/0/0/0")]
    assert by_name(world.store, SETTINGS, "t/0/0/0").domain == "spree"
    sink = MemorySink(world.broker)
    redriver = Redriver(SETTINGS, world.store, world.source, sink, Fraud(), world.who)
    assert [result.done for result in redriver.run(found)] == [REDRIVEN]
    assert [value for _, _, value in world.copies()] == [GOOD % (1, 1)]
