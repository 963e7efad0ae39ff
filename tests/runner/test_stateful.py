"""Bolts with state of their own beside the one that decides, in the runner, whatever fails."""

from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamparse import Grouping, Topology

from apps.data.generate.transactions import Transactions
from apps.operate import domains
from apps.prove.verdict import judge, tables
from bolts.fraud import FraudBolt
from bolts.parse import ParseTransactions
from bolts.reject import RejectTransactions
from bolts.rekey import RekeyBolt
from bolts.stateful import StatefulBolt
from spouts.transactions import TransactionSpout
from stormwatch.codec import Parsed
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.parse import parse as parse_one
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.judge import Verdict
from tests.runner import drive

RECORDS = 300


class Total(msgspec.Struct, array_like=True):
    """Payments of a key, and their sum."""

    count: int = 0
    cents: int = 0


class Totals(StatefulBolt):
    """Of each customer."""

    payload = Parsed[Transaction]
    domain = "totals"
    state = Total
    alerts = frozenset({"even"})

    @staticmethod
    def judge(state: Total, event: Any) -> Verdict:
        state.count += 1
        state.cents += event.amount
        return Verdict("even" if state.count % 2 == 0 else "odd", state.cents)


class Payment(msgspec.Struct, frozen=True, array_like=True):
    """A transaction as its terminal sees it."""

    id: str
    terminal: str
    time: int
    amount: int

    @property
    def entity(self) -> str:
        return self.terminal


def at_terminal(event: Transaction) -> list[Payment]:
    return [Payment(event.id, event.terminal, event.time, event.amount)]


class ByTerminal(RekeyBolt):
    """Another key than Kafka's: its events come from all partitions."""

    payload = Parsed[Transaction]
    split = staticmethod(at_terminal)
    to_wire = staticmethod(msgspec.json.encode)
    accounted = True


class Takings(Totals):
    """Of each terminal."""

    payload = Parsed[Payment]
    domain = "takings"


def wired() -> type[Topology]:
    """The fraud topology with both beside it."""

    class Beside(Topology):
        transactions = TransactionSpout.spec()
        parse = ParseTransactions.spec(inputs=[transactions])
        decide = FraudBolt.spec(inputs={parse: Grouping.fields("bucket")}, par=2)
        totals = Totals.spec(inputs={parse: Grouping.fields("bucket")}, par=2)
        by_terminal = ByTerminal.spec(inputs=[parse])
        takings = Takings.spec(inputs={by_terminal: Grouping.fields("bucket")}, par=2)
        reject = RejectTransactions.spec(
            inputs=[parse["rejected"], by_terminal["rejected"], transactions["notices"]]
        )

    return Beside


def holds(
    monkeypatch: pytest.MonkeyPatch, seed: int, faults: Callable[[Plan], Faults], stores: list[int]
) -> None:
    """Whatever fails, every key has counted each payment once, and the ledger one word on each."""
    monkeypatch.setattr(drive, "topology", lambda root, name: wired())
    lateness = {"STORMWATCH_LATENESS_S": str(10**7)}  # partitions may be days apart
    monkeypatch.setattr(drive, "SETTINGS", drive.SETTINGS | lateness)
    customers: dict[str, Total] = defaultdict(Total)
    terminals: dict[str, Total] = defaultdict(Total)
    with drive.stage(monkeypatch) as made:
        topic = made.settings.topic_transactions
        for sent in islice(Transactions(seed % 5, run="t", customers=40), RECORDS):
            made.world.broker.append(topic, sent.key, sent.value)
            event = parse_one(sent.value, 1 << 62, future_skew_ms=0)
            assert isinstance(event, Transaction)
            for total in (customers[event.customer], terminals[event.terminal]):
                total.count += 1
                total.cents += event.amount
        account = made.run("beside", topic, faults, seed, store_faults=drive.store_faults(stores))
        store = made.world.store
        assert account.sound and account.states == {"scored": RECORDS}, made.happened
        assert states(store, "totals") == customers, made.happened
        assert states(store, "takings") == terminals, made.happened
        for domain in ("totals", "takings"):
            assert sum(1 for _ in store.all_decisions(domain)) == RECORDS, made.happened
        told = [stored.row for stored in store.all_decisions("totals") if stored.row.alert]
        assert len(told) == sum(total.count // 2 for total in customers.values())


def states(store: Any, domain: str) -> dict[str, Total]:
    codec = EnvelopeCodec(Total)
    return {
        key[-1]: codec.decode(row["state"][1], key[-1]).body
        for key, row in store.tables["states"].items()
        if key[0] == domain
    }


@pytest.mark.parametrize("act", [Act.CRASH_AFTER, Act.TIMEOUT, Act.DUPLICATE])
@pytest.mark.parametrize("component", ["totals", "takings"])
def test_a_fault_at_a_bolt_with_state(
    component: str, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = [Fault(Point.TUPLE, component, n, act) for n in (2, 5)]
    holds(monkeypatch, 1, lambda plan: Faults(planted), [])


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


def test_commands_find_what_they_store_under_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(domains, "topology_class", lambda path: wired())
    assert domains.own_domains("fraud") == ["totals", "takings"]


def test_what_they_store_is_no_difference_of_the_topology(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "own_domains_of_all", lambda: frozenset({"totals"}))
    found = tables.Tables(states={("totals", 1, "C1"): b"", ("fraud", 1, "C1"): b""})
    assert judge.differences(tables.Tables(), found) == ["states: 1 extra of 0: ('fraud', 1, 'C1')"]
