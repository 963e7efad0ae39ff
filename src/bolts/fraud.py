"""Scores card transactions, one customer after another, and stores what was decided."""

from bolts.deciding import DecideBolt, ScoreBolt, StoreBolt
from bolts.rekey import RekeyBolt, itself
from stormwatch.adapters.threads.model_guard import supply
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.parse import to_wire
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain


def _domain(settings: Settings) -> Domain[Transaction, CustomerState]:
    return Fraud.from_settings(settings, supply(settings))


class FraudBolt(DecideBolt):
    """Approve, review or decline."""

    payload = Parsed[Transaction]
    make = staticmethod(_domain)
    follows = "fraud"


class ScoreTransactions(ScoreBolt):
    """The first half of FraudBolt."""

    payload = Parsed[Transaction]
    make = staticmethod(_domain)
    follows = "fraud"


class StoreFraudDecisions(StoreBolt):
    """The second half of FraudBolt."""


class SplitTransactions(RekeyBolt):
    """By customer, where a topic is not keyed so."""

    payload = Parsed[Transaction]
    split = staticmethod(itself)
    to_wire = staticmethod(to_wire)


class FraudAfterSplit(FraudBolt):
    """FraudBolt of shares: several partitions feed a customer, so batches are worked on alone."""

    together = False
