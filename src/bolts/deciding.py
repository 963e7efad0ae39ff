"""Bolts that decide each record of a topic: score and store in one process, or one half in each.

A domain's three, which differ in nothing but the domain:

    class FraudBolt(DecideBolt):
        payload = Parsed[Transaction]
        make = staticmethod(_domain)  # settings -> the domain, its model loaded
        alerts = ALERT_OUTCOMES

    class ScoreTransactions(ScoreBolt):
        payload = Parsed[Transaction]
        make = staticmethod(_domain)

    class StoreFraudDecisions(StoreBolt):
        alerts = ALERT_OUTCOMES
"""

from collections.abc import Callable
from typing import Any, ClassVar

from streamparse import Stream

from bolts.base import BatchBolt
from bolts.chain import ChainBolt
from bolts.decide import STORED, score, store
from stormwatch.codec import BATCH_FIELDS
from stormwatch.records import Outcomes
from stormwatch.state.step import DECISIONS, Step


def _score(bolt: BatchBolt) -> Step:
    assert isinstance(bolt, DecideBolt | ScoreBolt)
    return score(type(bolt).make, follows=bolt.follows)(bolt)


def _store(bolt: BatchBolt) -> Step:
    assert isinstance(bolt, DecideBolt | StoreBolt)
    return store(bolt.alerts)(bolt)


class DecideBolt(ChainBolt):
    """Score and store in one process. Guarantee: effects once (docs/guarantees.md).

    What is decided goes out on the stream `decisions`, after the commit and anchored to the batch:
    `records.Decided`, at least once. Where no bolt takes it nothing is emitted.
    """

    make: ClassVar[Any]
    """Settings to the domain, its model loaded: `bolts.decide.MakeDomain`."""
    follows: ClassVar[str] = ""
    """The domain, where its rules and model may be changed while it runs (docs/rollout.md)."""
    alerts: ClassVar[frozenset[str]]
    """Outcomes that go to the table and the topic of alerts."""
    outputs = [Stream(list(BATCH_FIELDS), name=DECISIONS)]
    optional_streams = frozenset({DECISIONS})
    together = True
    steps: ClassVar[tuple[Callable[[Any], Step], ...]] = (_score, _store)
    writes = STORED


class ScoreBolt(ChainBolt):
    """The first half of a DecideBolt, for the spread form."""

    make: ClassVar[Any]
    """Settings to the domain, its model loaded: `bolts.decide.MakeDomain`."""
    follows: ClassVar[str] = ""
    """The domain, where its rules and model may be changed while it runs (docs/rollout.md)."""
    outputs = [Stream(list(BATCH_FIELDS))]
    steps: ClassVar[tuple[Callable[[Any], Step], ...]] = (_score,)


class StoreBolt(ChainBolt):
    """The second half of a DecideBolt, for the spread form; with its stream `decisions`."""

    payload = Outcomes
    alerts: ClassVar[frozenset[str]]
    outputs = [Stream(list(BATCH_FIELDS), name=DECISIONS)]
    optional_streams = frozenset({DECISIONS})
    steps: ClassVar[tuple[Callable[[Any], Step], ...]] = (_store,)
    writes = STORED
