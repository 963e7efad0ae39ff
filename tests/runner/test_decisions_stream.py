"""A bolt after the decisions: it is told what is stored, after the commit, whatever fails."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamparse import Grouping, Topology

from apps.data.generate.transactions import Transactions
from bolts.base import BatchBolt
from bolts.fraud import FraudBolt, ScoreTransactions, StoreFraudDecisions
from bolts.parse import ParseTransactions
from bolts.reject import RejectTransactions
from spouts.transactions import TransactionSpout
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed, decoder
from stormwatch.domains.fraud.event import Transaction
from stormwatch.records import Decided, Decision, Fragment, Reason
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from stormwatch.testing import batch, drive, example, fragment, memory_ports, payload
from stormwatch.testing import storm as bytes_of
from tests.runner import drive as stage

RECORDS = 200


class Listener(BatchBolt):
    """Takes note of what it is told, and of what was stored at that moment."""

    payload = Decided
    heard: ClassVar[list[tuple[Fragment, list[Decision]]]] = []
    store: ClassVar[Callable[[], MemoryStore] | None] = None
    early: ClassVar[list[str]] = []

    def handle(self, fragment: Fragment, payload: Decided, tup: Any) -> None:
        found = payload.decisions
        self.heard.append((fragment, found))
        if type(self).store is not None:
            kept = type(self).store().tables["states"]
            known = {key[-1] for key in kept if key[0] == payload.domain}
            self.early.extend(one.id for one in found if one.entity not in known)


def wired(chained: bool) -> type[Topology]:
    """The fraud topology with a bolt after its decisions."""

    class After(Topology):
        transactions = TransactionSpout.spec()
        parse = ParseTransactions.spec(inputs={transactions: Grouping.SHUFFLE})
        if chained:
            decide = FraudBolt.spec(inputs={parse: Grouping.fields("bucket")}, par=2)
        else:
            score = ScoreTransactions.spec(inputs={parse: Grouping.fields("bucket")}, par=2)
            decide = StoreFraudDecisions.spec(inputs={score: Grouping.fields("bucket")}, par=2)
        listen = Listener.spec(inputs={decide["decisions"]: Grouping.SHUFFLE})
        reject = RejectTransactions.spec(
            inputs={parse["rejected"]: Grouping.SHUFFLE, transactions["notices"]: Grouping.SHUFFLE}
        )

    return After


def holds(
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    faults: Callable[[Plan], Faults],
    stores: list[int],
    chained: bool = True,
) -> None:
    """All that is stored was told, as it is stored, its state written before."""
    monkeypatch.setattr(stage, "topology", lambda root, name: wired(chained))
    with stage.stage(monkeypatch) as made:
        topic = made.settings.topic_transactions
        monkeypatch.setattr(Listener, "heard", [])
        monkeypatch.setattr(Listener, "early", [])
        monkeypatch.setattr(Listener, "store", staticmethod(lambda: made.world.store))
        for sent in islice(Transactions(seed % 5, run="t", customers=40), RECORDS):
            made.world.broker.append(topic, sent.key, sent.value)
        account = made.run("after", topic, faults, seed, store_faults=stage.store_faults(stores))
        assert account.sound and account.states == {"scored": RECORDS}, made.happened
        told = {(one.entity, one.time, one.id): one for _, many in Listener.heard for one in many}
        stored = [
            msgspec.json.decode(bytes(row.row.body), type=Decision)
            for row in made.world.store.all_decisions("fraud")
        ]
        assert len(stored) == RECORDS
        assert told == {(one.entity, one.time, one.id): one for one in stored}, made.happened
        for where, many in Listener.heard:
            offsets = [one.offset for one in many]
            assert offsets == sorted(set(offsets))
            assert where.first <= offsets[0] and offsets[-1] <= where.last
        assert not Listener.early, "told before the commit"


@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize("act", [Act.CRASH_AFTER, Act.TIMEOUT, Act.DUPLICATE])
@pytest.mark.parametrize("component", ["decide", "listen"])
def test_a_fault_before_or_behind_the_stream(
    component: str, act: Act, chained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = [Fault(Point.TUPLE, component, n, act) for n in (2, 5)]
    holds(monkeypatch, 1, lambda plan: Faults(planted), [], chained)


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32),
    faults=st.integers(0, 8),
    stores=st.lists(st.integers(-1, 60), max_size=6),
)
def test_any_faults_at_any_moments(seed: int, faults: int, stores: list[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        planted = lambda plan: Faults.seeded(seed, plan, faults, within=40)  # noqa: E731
        holds(monkeypatch, seed, planted, stores)


READ = {"decisions": {"listen": {"type": "SHUFFLE"}}}


@pytest.mark.parametrize("context", [{}, {"stream->target->grouping": READ}])
def test_nothing_is_emitted_where_nobody_listens(
    context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = bytes_of.handshake

    def with_context(folder: str, conf: Any = None) -> Any:
        hello = plain(folder, conf)
        hello["context"] |= context
        return hello

    monkeypatch.setattr(bytes_of, "handshake", with_context)
    whole = fragment(0, 2)
    events = [example(Transaction, n, customer=f"C{n}") for n in range(3)]
    with memory_ports():
        said = drive(FraudBolt, batch(whole, payload(Parsed[Transaction], whole, events=events)))
    assert said.acks == ["1"], said.log
    assert [m["stream"] for m in said.emits] == (["decisions"] if context else [])
    for emitted in said.emits:
        assert emitted["anchors"] == ["1"]
        told = decoder(Decided)(emitted["tuple"][-1])
        assert (told.domain, [one.offset for one in told.decisions]) == ("fraud", [0, 1, 2])


def test_the_bolt_of_the_guide_pages_about_each_declined_payment() -> None:
    text = (Path(__file__).parents[2] / "docs" / "add-a-bolt.md").read_text()
    code, line = (
        block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Pager" in block
    )
    made: dict[str, Any] = {"__name__": "bolts.pager"}
    exec(code, made)
    source = FraudBolt.spec(name="decide")
    spec = eval(line.partition(" = ")[2], made | {"decide": source, "Grouping": Grouping})
    assert [place.streamId for place in spec.inputs] == ["decisions"]
    reasons = (Reason("r", "too much"),)
    bodies = [
        msgspec.json.encode(
            Decision(f"t{n}", "C1", n, outcome, 0.5, reasons, (), "f", "m", "r", "t", 0, n, n)
        )
        for n, outcome in enumerate(["approve", "decline", "review", "decline"])
    ]
    told = batch(fragment(0, 3), Decided("fraud", bodies))
    said = drive(made["Pager"], told)
    assert said.acks == ["1"]
    assert said.log.count("C1: too much") == 2
