"""A range of the log is decided again by the pure core, and compared field by field."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from apps.data.generate.transactions import Transactions
from apps.prove.replay.course import Range
from apps.prove.replay.needs import ReplayRefused
from apps.prove.replay.session import Replay
from apps.prove.verdict import oracle
from apps.prove.verdict.oracle import Span, cut
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.domains.fraud.parse import parse
from stormwatch.errors import SettingsError
from stormwatch.ledger.reconcile import START
from stormwatch.records import Fragment, LedgerRow
from stormwatch.settings import Settings

SETTINGS = Settings()
TOPIC, COUNT = SETTINGS.topic_transactions, 300
KTIME = 1_900_000_000_000


class World:
    """A topic that was read and decided, by a run of the oracle in other batches."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(clock=lambda: KTIME)
        self.broker.create(TOPIC, 1, {})
        made, sent = iter(Transactions(3, run="a", customers=8)), []
        for i in range(COUNT):
            again = sent[i - 9] if i % 23 == 22 else None
            key, value = again or next(made)[:2]
            value = b"{" if i % 41 == 40 else value
            sent.append((key, value))
            self.broker.append(TOPIC, key, value)
        self.source = MemorySource(self.broker, TOPIC)
        self.store = self.decided(SETTINGS)

    def decided(self, settings: Settings, *, started: int = 0) -> MemoryStore:
        records = self.broker.log(TOPIC, 0).records
        batches = cut(Span(TOPIC, 0, 2, 0, COUNT), [records], lambda: 37, lambda record: False)
        store = oracle.expected(settings, batches, Fraud.from_settings(settings), parse)
        of = Fragment(TOPIC, 0, 2, started, started - 1, 1, 0)
        store.write_aside("fraud", [], LedgerRow(of, START, {}, 0), 1)
        return store

    def replay(self, first: int = 100, last: int = 250, store: MemoryStore | None = None) -> Replay:
        of = Range(TOPIC, 0, first, last)
        return Replay(SETTINGS, store or self.store, self.source, "fraud", of)

    def row(self, offset: int) -> tuple[tuple[object, ...], dict[str, tuple[int, object]]]:
        for key, row in self.store.tables["decisions"].items():
            if msgspec.json.decode(row["body"][1])["offset"] == offset:
                return key, row
        raise AssertionError(offset)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """The shipped model with another version and a threshold at which much more is declined."""
    for path in SHIPPED.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    card = json.loads((SHIPPED / "card.json").read_text())
    card |= {"version": "fraud-other", "thresholds": {"review": 0.0004, "decline": 0.001}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    assert sha256((tmp_path / card["artefact"]).read_bytes()).hexdigest() == card["sha256"]
    return tmp_path


@pytest.mark.parametrize(("first", "last"), [(0, COUNT - 1), (100, 250), (257, 257)])
def test_what_was_stored_comes_out_again_in_all_fields(world: World, first: int, last: int) -> None:
    proof = world.replay(first, last).proof()
    assert proof.same and not proof.differences
    assert proof.equal == proof.decisions == proof.ends["scored"]
    assert sum(proof.ends.values()) == last - first + 1
    assert proof.before == first


def test_decisions_by_rules_alone_are_proven_by_rules_alone(world: World) -> None:
    alone = world.decided(replace(SETTINGS, fraud_model="none"))
    for key, row in world.store.tables["decisions"].items():
        if msgspec.json.decode(row["body"][1])["offset"] % 3 == 0:
            row.update(alone.tables["decisions"][key])
    proof = world.replay().proof()
    assert proof.same and proof.equal == proof.decisions
    assert {version.split()[0] for version in proof.versions} > {"none"}
    change = world.replay().change(SHIPPED)
    assert change.score_max == 0, "a decision without a score has no distance"
    assert sum(change.gained.values()) == change.gained.get("model", 0)


def test_each_field_that_differs_is_named(world: World) -> None:
    key, row = world.row(120)
    body = msgspec.json.decode(row["body"][1])
    wrong = body | {"score": 0.987654, "reasons": [{"code": "x", "text": "y"}]}
    row["body"] = (row["body"][0], msgspec.json.encode(wrong))
    proof = world.replay().proof()
    (told,) = proof.differences
    assert (told.offset, told.entity, proof.different) == (120, key[3], 1)
    assert "score: 0.987654, not " in told.fields and "reasons: " in told.fields
    assert "features" not in told.fields
    row["body"] = (row["body"][0], b"{broken")
    (told,) = world.replay().proof().differences
    assert told.offset == 120 and "body: b'{broken', not " in told.fields
    row["body"] = (row["body"][0], msgspec.json.encode(wrong))
    assert proof.equal == proof.decisions - 1


def test_another_end_state_is_told(world: World) -> None:
    """As when a record broke the code of then, and does not break that of now."""
    for row in world.store.tables["ledger"].values():
        stamp, ledger = row["row"]
        of = ledger.fragment
        if ledger.part.startswith("score") and of.first <= 120 <= of.last:
            bit = 120 - of.first
            bits = bytearray(ledger.bitmaps["scored"])
            bits[bit // 8] &= ~(1 << bit % 8)
            late = bytes(bit // 8) + bytes([1 << bit % 8])
            ends = {**ledger.bitmaps, "scored": bytes(bits), "dead_lettered": late}
            row["row"] = (stamp, msgspec.structs.replace(ledger, bitmaps=ends))
    (told,) = world.replay().proof().differences
    assert told.fields == "end state: dead_lettered stored, scored replayed"


def test_a_quarantined_record_is_not_run_again(world: World) -> None:
    world.store = quarantined(world, 120)
    proof = world.replay().proof()
    assert proof.same and proof.ends["dead_lettered"] == 1


def quarantined(world: World, offset: int) -> MemoryStore:
    records = world.broker.log(TOPIC, 0).records
    span = Span(TOPIC, 0, 2, 0, COUNT)
    batches = cut(span, [records], lambda: 37, lambda record: record.offset == offset)
    store = oracle.expected(SETTINGS, batches, Fraud(), parse)
    assert any(a.row.code == "kills_process" for a in store.asides("fraud"))
    of = Fragment(TOPIC, 0, 2, 0, -1, 1, 0)
    store.write_aside("fraud", [], LedgerRow(of, START, {}, 0), 1)
    return store


def test_decisions_of_another_model_are_proven_with_that_model(
    world: World, other_model: Path
) -> None:
    store = world.decided(replace(SETTINGS, fraud_model=str(other_model)))
    with pytest.raises(ReplayRefused, match=r"model fraud-other, which is not here.*--models"):
        world.replay(store=store).proof()
    with pytest.raises(ReplayRefused, match=r"has fraud-"):
        world.replay(store=store).proof([SHIPPED])
    proof = world.replay(store=store).proof([SHIPPED, other_model])
    assert proof.same and proof.versions[0].startswith("fraud-other ")


def test_a_new_model_is_judged_by_what_it_would_change(world: World, other_model: Path) -> None:
    change = world.replay(0, COUNT - 1).change(other_model)
    assert change.model == "fraud-other"
    assert change.changed == sum(change.outcomes.values()) > 0
    assert "approve -> decline" in change.outcomes
    assert change.gained["model"] > 0 and not change.lost.get("model")
    assert change.score_max == 0.0  # the same trees
    assert change.examples[0].because
    same = world.replay(0, COUNT - 1).change(SHIPPED)
    assert (same.changed, same.outcomes, same.gained, same.lost) == (0, {}, {}, {})


def test_refused_with_the_reason_where_something_is_gone(world: World) -> None:
    key, _ = world.row(130)
    kept = world.store.tables["decisions"].pop(key)
    with pytest.raises(ReplayRefused, match=r"1 decisions .* offset 130: expired .*verdict fraud"):
        world.replay().proof()
    world.store.tables["decisions"][key] = kept
    body = msgspec.json.decode(kept["body"][1]) | {"rules": "fraud-rules-old"}
    kept["body"] = (kept["body"][0], msgspec.json.encode(body))
    with pytest.raises(ReplayRefused, match=r"rules fraud-rules-old .* Replay with the version"):
        world.replay().proof()
    world.broker.append(TOPIC, b"k", b"{")
    with pytest.raises(ReplayRefused, match=rf"1 offsets .* first is {COUNT}: they are not dec"):
        world.replay(100, COUNT).proof()
    with pytest.raises(SettingsError, match="ends at offset"):
        world.replay(0, COUNT + 9)
    with pytest.raises(SettingsError, match="was read from offset 5 on"):
        world.replay(0, 9, world.decided(SETTINGS, started=5))
    world.broker.delete_records(TOPIC, 0, 10)
    with pytest.raises(ReplayRefused, match=r"from offset 10 on only, reading began at 0"):
        world.replay()
    with pytest.raises(ReplayRefused, match="not known where the reading .* began"):
        world.replay(store=MemoryStore())


def test_new_rules_are_judged_by_what_they_would_change(world: World, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    rule = {
        "code": "any", "weight": 1.0, "conditions": [["amount", ">=", 0]], "text": "{amount} at all"
    }  # fmt: skip
    file.write_text(json.dumps({"rules": [rule]}))
    change = world.replay(0, COUNT - 1).change(None, file)
    assert change.changed == change.decisions - sum(
        msgspec.json.decode(row["body"][1])["outcome"] == "decline"
        for row in world.store.tables["decisions"].values()
    )
    assert change.gained["any"] == change.decisions
    assert change.rules != Fraud().rules_version and change.score_max == 0.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "contains no rules"),
        ('{"rules":[{"code":"a","weight":1,"conditions":[["x",">=",1]],"text":""}]}', "x"),
        ('{"rules":[{"code":"a","weight":1,"conditions":[],"text":""}]}', "no condition"),
        ('{"rules":[{"code":"a","weight":1,"conditions":[["amount",">",1]],"text":""}]}', "no rul"),
        (
            '{"rules":[{"code":"a","weight":1,"conditions":[["amount",">=",1]],"text":"{y}"}]}',
            "cannot be formatted",
        ),
        (
            '{"rules":[{"code":"a","weight":1,"conditions":[["amount",">=",1]],'
            '"text":"{amount:.1f}"}]}',
            "cannot be formatted",
        ),
    ],
)
def test_a_bad_rule_set_is_refused_whole(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "rules.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match=why) as told:
        Fraud.from_settings(replace(SETTINGS, fraud_rules=str(file)))
    assert str(file) in str(told.value)


def test_the_shipped_rules_keep_their_version() -> None:
    assert Fraud().rules_version == "fraud-rules-9b84ce6d"


def test_what_maintenance_has_no_rules_for_is_said(world: World, tmp_path: Path) -> None:
    other = Replay(SETTINGS, world.store, world.source, "maintenance", Range(TOPIC, 0, 100, 250))
    with pytest.raises(SettingsError, match="--rules: maintenance has no rules that can be"):
        other.change(None, tmp_path)
