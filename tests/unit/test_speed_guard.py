"""The guarantees must not become dear unnoticed: the core with them against the lean core.

Processor time of the same records in the same process, by turns, so that the machine's speed and
its other work cancel out. The ratio is recorded in `docs/performance.md`.
"""

import statistics
import time
from itertools import islice

import pytest

from apps.data.generate.transactions import Transactions
from benchmarks.contenders.core import Core, Taken
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

RECORDED = 1.6
"""Processor time of the contract's core ÷ that of the lean core."""
MARGIN = 0.3
"""Share of it by which it may be exceeded: turns differ by so much on a busy machine."""
RECORDS, BATCH, TURNS = 4_000, 500, 7
MS = 1_950_000_000_000


def lean(records: list[Taken]) -> float:
    core, began = Core(), time.process_time()
    for first in range(0, RECORDS, BATCH):
        core.decide(records[first : first + BATCH])
    return time.process_time() - began


def guarded(domain: Fraud, records: list[Taken]) -> float:
    contract, known = Contract(domain, Policy.of(Settings()), "guard"), dict[str, Entry]()
    began = time.process_time()
    for first in range(0, RECORDS, BATCH):
        some = records[first : first + BATCH]
        events = [(one.offset, MS, domain.parse(one.value, MS)) for one in some]
        parsed = Parsed(events, [], [])
        fragment = Fragment("t", 0, 2048, first, first + BATCH - 1, 1, 0)
        names = {event.entity for _, _, event in parsed.events}
        states = {name: known.get(name) or Entry(0, b"") for name in names}
        for row in contract.apply(fragment, parsed, states, MS).states:
            known[row.entity] = Entry(row.stripe, row.blob)
    return time.process_time() - began


@pytest.mark.slow
def test_the_guarantees_cost_no_more_than_was_recorded() -> None:
    made = islice(Transactions(1, run="guard", customers=400), RECORDS)
    records = [Taken("t", 0, nth, MS, one.value) for nth, one in enumerate(made)]
    domain = Fraud.load()
    lean(records)
    ratio = statistics.median(guarded(domain, records) / lean(records) for _ in range(TURNS))
    assert ratio <= RECORDED * (1 + MARGIN), f"{ratio:.2f}; find the stage: bench core_by_stage"
