"""Bad records among good ones, on a topic that is made after the start: one verdict each."""

from collections import Counter
from contextlib import closing
from itertools import zip_longest

import pytest

from apps.data.generate.transactions import Transactions
from apps.prove.chaos import oracle
from apps.prove.chaos.environment import Environment
from apps.prove.verdict import tables
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySource
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.ingest.commit_metadata import Epoch, epoch_key, write_epoch
from stormwatch.settings import Settings
from tests import corpus

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

VALID = {"scored", "duplicate", "conflict", "late"}
"""How a record of verdict A or N may end: they share ids and customers."""
Outcome = dict[tuple[str, str], tuple[str, float]]


def test_each_bad_record_has_its_verdict_and_the_good_ones_do_not_notice(
    environment: Environment,
) -> None:
    cases = corpus.cases("transactions")
    generated = iter(Transactions(3, customers=100, run="good"))
    good = [next(generated)[:2] for _ in range(5 * len(cases))]
    environment.prepare(topic=False)
    environment.start()
    environment.until_said(
        "does not exist, waiting for it: `./stormwatch up` creates the topics", 240
    )
    environment.prepare(**{"message.timestamp.after.max.ms": str(2**63 - 1)})  # takes any time
    mixed = []
    for i, case in zip_longest(range(len(good)), cases):
        if case is not None:
            mixed.append((b"corpus", case.value))
        mixed.append(good[i])
    places = environment.publish(mixed, corpus.TIME)
    environment.drain(len(mixed), 240)
    environment.stop()
    want = environment.check()

    ends = {key[0::2]: states for key, states in want.ends.items()}
    codes = {(key[2], key[5]): cells[1] for key, cells in want.dead_letters.items()}
    bad = [place for place, (key, _) in zip(places, mixed, strict=True) if key == b"corpus"]
    for case, place in zip(cases, bad, strict=True):
        if case.verdict.startswith("R "):
            assert ends[place] == {"rejected"}, case
            assert codes[place] == case.verdict[2:], case
        else:
            assert ends[place] <= VALID, case
    assert Counter(state for place in bad for state in ends[place])["scored"] > 0
    assert all(ends[place] == {"scored"} for place in set(places) - set(bad))
    alone, found = _alone(environment.settings, good), _outcomes(want)
    assert {key: found[key] for key in alone} == alone


def _alone(settings: Settings, records: list[tuple[bytes, bytes]]) -> Outcome:
    """The outcomes of the good records without the others."""
    broker = MemoryBroker(clock=lambda: corpus.TIME)
    broker.create(settings.topic_transactions, settings.kafka_partitions, {})
    for key, value in records:
        broker.append(settings.topic_transactions, key, value)
    with closing(MemorySource(broker, settings.topic_transactions)) as source:
        info = source.describe()
        assert info is not None
        epoch = write_epoch(Epoch(1, *info))
        source.remember(epoch_key(settings.topic_transactions), epoch)
        return _outcomes(tables.of_memory(oracle.expected(settings, source, Fraud(), parse)))


def _outcomes(tables: tables.Tables) -> Outcome:
    return {(key[3], key[5]): cells[:2] for key, cells in tables.decisions.items()}
