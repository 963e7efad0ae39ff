"""The verdict on recommendations, and replay: the users' half exactly, the items' in bounds."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from random import Random

import msgspec
import pytest

from apps.data.generate.behaviour import behaviour
from apps.operate.ledger_verify import verify
from apps.prove.replay.course import Range
from apps.prove.replay.session import Replay
from apps.prove.verdict import lists, oracle
from apps.prove.verdict.judge import FAIL, KINDS, PASS, Verdict
from apps.prove.verdict.oracle import Batch, Span
from apps.prove.verdict.tables import Stored, Table, Tables, of_memory, stored_in_memory
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.domains.recommend import Recommend
from stormwatch.domains.recommend.neighbours import ItemState
from stormwatch.domains.recommend.parse import parse
from stormwatch.errors import SettingsError
from stormwatch.runner.faults import Faults
from stormwatch.state.envelope import EnvelopeCodec
from tests.runner.drive import Stage, stage, store_faults

RECORDS = 700
CODEC: EnvelopeCodec = EnvelopeCodec(ItemState)


@dataclass
class Ran:
    """A run that was decided to its end, some of it more than once."""

    made: Stage
    topic: str
    want: Tables
    stored: Stored
    items: Table

    def verdict(self, have: Tables | None = None, items: Table | None = None) -> Verdict:
        return lists.judge(self.want, have or self.stored.tables, items or self.items, 7)


def ran(made: Stage, seed: int, faults: int, *, items: int = 300) -> Ran:
    topic, broker = made.settings.topic_behaviour, made.world.broker
    for nth, event in enumerate(islice(behaviour(seed % 5, users=80, items=items), RECORDS)):
        broker.append(topic, event.key, event.value)
        if nth % 50 == 20:
            broker.append(topic, event.key, event.value if nth % 100 == 20 else b"{")
    planted = lambda plan: Faults.seeded(seed, plan, faults, within=40)  # noqa: E731
    account = made.run(
        "recommend", topic, planted, seed, store_faults=store_faults(range(0, 4 * faults, 7))
    )
    assert account.sound and not account.in_flight
    have = stored_in_memory(made.world.store, lists.NAME, topic)
    want = oracle.expected(made.settings, _batches(made, topic, have), Recommend(), parse)
    items_of = stored_in_memory(made.world.store, lists.ITEMS, topic).tables.states
    return Ran(made, topic, of_memory(want), have, items_of)


def _batches(made: Stage, topic: str, have: Stored) -> Iterator[Batch]:
    random = Random(1)
    for partition, log in enumerate(made.world.broker.topic(topic).logs):
        epoch = next(epoch for place, epoch, _ in have.starts if place == partition)
        span = Span(topic, partition, epoch, 0, log.high)
        size = lambda: random.randint(1, 90)  # noqa: E731
        yield from oracle.cut(span, [log.records], size, lambda record: False)


@pytest.fixture(scope="module")
def run() -> Iterator[Ran]:
    with pytest.MonkeyPatch.context() as monkeypatch, stage(monkeypatch) as made:
        yield ran(made, 3, 8)


@pytest.fixture
def have(run: Ran) -> Tables:
    return deepcopy(run.stored.tables)


def only(verdict: Verdict, told: str = "", **counts: int) -> None:
    assert verdict.status == FAIL, verdict
    assert verdict.counts == {kind: counts.get(kind, 0) for kind in KINDS}, verdict.findings
    assert told in verdict.findings[0].told, verdict.findings


def test_a_run_in_which_things_failed_passes_and_says_what_was_not_proven(run: Ran) -> None:
    verdict = run.verdict()
    assert verdict.status == PASS, verdict.findings
    assert "a list does not keep the counts" in verdict.why[0]
    bodies = [msgspec.json.decode(cells[2]) for cells in run.stored.tables.decisions.values()]
    assert {body["outcome"] for body in bodies} == {"recommended", "popular"}
    assert {s for said in run.stored.tables.ends.values() for s in said} >= {"duplicate", "scored"}


def test_also_where_items_have_to_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with stage(monkeypatch) as made:
        many = ran(made, 2, 5, items=40)
    assert many.verdict().status == PASS, many.verdict().findings


def key_of(have: Tables, outcome: str = "recommended") -> tuple:
    return next(key for key, cells in sorted(have.decisions.items()) if cells[0] == outcome)


def change(have: Tables, key: tuple, **values: object) -> None:
    outcome, score, body, *rest = have.decisions[key]
    wrong = msgspec.json.decode(body) | values
    have.decisions[key] = (outcome, score, msgspec.json.encode(wrong), *rest)


def test_a_loss_a_double_and_a_wrong_byte(run: Ran, have: Tables) -> None:
    key = key_of(have)
    cells = have.decisions.pop(key)
    only(run.verdict(have), missing=1)
    have.decisions[key] = cells
    twice = (*key[:4], key[4] + 1, key[5])
    have.decisions[twice] = cells
    only(run.verdict(have), doubled=1)
    del have.decisions[twice]
    change(have, key, features=[1, 1, 1])
    only(run.verdict(have), "features", different=1)
    have.decisions[key] = (*cells[:2], cells[2][:-1] + b" }", *cells[3:])
    only(run.verdict(have), "not written as bodies are", different=1)


def test_what_no_order_of_events_gives_is_told_of_a_list(run: Ran, have: Tables) -> None:
    key = key_of(have)
    outcome, score, body, *rest = have.decisions[key]
    plain = msgspec.json.decode(body)
    first, *others = plain["reasons"]

    def told(words: str, **values: object) -> None:
        cells = values.get("outcome", outcome), values.get("score", score)
        have.decisions[key] = (*cells, msgspec.json.encode(plain | values), *rest)
        only(run.verdict(have), words, different=1)

    told("0.77", score=0.77)
    told("popular with", outcome="popular")
    told("is no neighbour of", reasons=[{**first, "code": "item-nobody-knows"}, *others])
    told("is no neighbour of", reasons=[{**first, "text": "because you bought a yacht"}, *others])
    high = {**first, "weight": 99.0}
    told("99.0, at most", reasons=[high, *others], score=99.0)
    told("items, ", reasons=[first, first, *others])
    told("never popular", reasons=[*plain["reasons"][:9], {"code": "x", "text": "popular now"}])


def test_an_item_s_state_is_held_to_what_it_was_told(run: Ran) -> None:
    key = next(
        key for key, blob in sorted(run.items.items())
        if key[2][0] != " " and len(CODEC.decode(blob, "").body.names) > 3
    )  # fmt: skip
    popular = next(key for key in sorted(run.items) if key[2][0] == " ")
    blob = run.items[key]

    def told(words: str, at: tuple, blob: bytes) -> None:
        only(run.verdict(items=run.items | {at: blob}), words, different=1)

    told("it cannot be read", key, b"no state")
    for field, words in (("counts", " has "), ("total", "its total is")):
        state = CODEC.decode(blob, "")
        counted = getattr(state.body, field)
        setattr(state.body, field, [counted[0] + 1, *counted[1:]] if field == "counts" else 1)
        told(words, key, CODEC.encode(state))
    state = CODEC.decode(blob, "")
    state.marks = state.marks[1:]
    told("it has counted up to", key, CODEC.encode(state))
    state = CODEC.decode(run.items[popular], "")
    state.body.counts[-1] += 1
    told("in their order", popular, CODEC.encode(state))
    only(run.verdict(items={k: v for k, v in run.items.items() if k != key}), missing=1)
    only(run.verdict(items=run.items | {(lists.ITEMS, 0, "nobody"): blob}), extra=1)


def replay(run: Ran, store: MemoryStore, first: int = 40, last: int = 150) -> Replay:
    settings, topic = run.made.settings, run.topic
    source = MemorySource(
        run.made.world.broker, topic, settings.kafka_group, settings.topic_control
    )
    return Replay(settings, store, source, lists.NAME, Range(topic, 0, first, last))


def test_a_replay_compares_all_but_what_the_items_said(run: Ran) -> None:
    store = MemoryStore(run.made.settings.layout_period_h)
    store.tables = deepcopy(run.made.world.store.tables)
    proof = replay(run, store).proof()
    assert proof.same and proof.equal == proof.decisions > 80, proof.differences
    assert "`outcome`, `score` and `reasons`" in proof.remark
    for row in store.tables["decisions"].values():
        body = msgspec.json.decode(row["body"][1])
        if (body["partition"], body["offset"]) == (0, 60):
            row["body"] = (row["body"][0], msgspec.json.encode(body | {"features": [0, 0, 0]}))
        if (body["partition"], body["offset"]) == (0, 61):
            again = [*body["reasons"], *body["reasons"]]
            row["body"] = (row["body"][0], msgspec.json.encode(body | {"reasons": again}))
    proof = replay(run, store).proof()
    assert [each.offset for each in proof.differences] == [60, 61]
    assert "features" in proof.differences[0].fields and " items" in proof.differences[1].fields


def test_there_is_no_other_model_to_replay_with(run: Ran) -> None:
    with pytest.raises(SettingsError, match="recommend has no model"):
        replay(run, run.made.world.store).change(lists.__file__)
    with pytest.raises(SettingsError, match="recommend has no rules"):
        replay(run, run.made.world.store).change(None, lists.__file__)


def test_the_ledger_of_recommendations_verifies_itself_against_the_tables(run: Ran) -> None:
    """Each record is decided once, under its key, as those of fraud and maintenance are."""
    settings, store = run.made.settings, run.made.world.store
    verified = verify(settings, MemoryAdmin(run.made.world.broker), store, lists.NAME, run.topic)
    assert verified.sound, verified
    assert verified.states["scored"] == RECORDS and verified.offsets > RECORDS
