"""Scores card transactions, one customer after another, and stores what was decided."""

from streamparse import Stream

from bolts.chain import ChainBolt
from bolts.decide import score, store
from stormwatch.adapters.threads.model_guard import supply
from stormwatch.codec import BATCH_FIELDS, Parsed
from stormwatch.domains.fraud import ALERT_OUTCOMES, Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.records import Outcomes
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain


def _domain(settings: Settings) -> Domain[Transaction, CustomerState]:
    return Fraud.from_settings(settings, supply(settings))


class FraudBolt(ChainBolt):
    """Score and store in one process. Guarantee: effects once (docs/guarantees)."""

    payload = Parsed[Transaction]
    together = True
    steps = (score(_domain), store(ALERT_OUTCOMES))


class ScoreTransactions(ChainBolt):
    """The first half of FraudBolt, for the spread form."""

    payload = Parsed[Transaction]
    outputs = [Stream(list(BATCH_FIELDS))]
    steps = (score(_domain),)


class StoreFraudDecisions(ChainBolt):
    """The second half of FraudBolt, for the spread form."""

    payload = Outcomes
    steps = (store(ALERT_OUTCOMES),)
