"""Bolts that decide each record of a topic: score and store in one process, or one half in each.

A domain's three, which differ in nothing but the domain:

    class FraudBolt(DecideBolt):
        payload = Parsed[Transaction]
        make = staticmethod(_domain)  # settings -> the domain, its model loaded

    class ScoreTransactions(ScoreBolt):
        payload = Parsed[Transaction]
        make = staticmethod(_domain)

    class StoreFraudDecisions(StoreBolt):
        pass
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


class DecideBolt(ChainBolt):
    """Score and store in one process. Guarantee: effects once (docs/guarantees.md).

    What is decided goes out on the stream `decisions`, after the commit and anchored to the batch:
    `records.Decided`, at least once. Where no bolt takes it nothing is emitted.
    """

    make: ClassVar[Any]
    """Settings to the domain, its model loaded: `bolts.decide.MakeDomain`."""
    follows: ClassVar[str] = ""
    """The domain, where its rules and model may be changed while it runs (docs/rollout.md)."""
    outputs = [Stream(list(BATCH_FIELDS), name=DECISIONS)]
    optional_streams = frozenset({DECISIONS})
    together = True
    steps: ClassVar[tuple[Callable[[Any], Step], ...]] = (_score, store)
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
    outputs = [Stream(list(BATCH_FIELDS), name=DECISIONS)]
    optional_streams = frozenset({DECISIONS})
    steps: ClassVar[tuple[Callable[[Any], Step], ...]] = (store,)
    writes = STORED
