"""Card transactions from Kafka to approve, review or decline in Cassandra."""

from streamparse import Grouping, Topology

from bolts.fraud import FraudBolt, ScoreTransactions, StoreFraudDecisions
from bolts.parse import ParseTransactions
from bolts.reject import RejectTransactions
from spouts.transactions import TransactionSpout
from stormwatch.adapters.storm.config import storm_config
from stormwatch.adapters.storm.wiring import Checked
from stormwatch.settings import load

settings = load()


class Fraud(Checked, Topology):
    """spout -> parse (shuffle) -> score and store (fields: bucket); rejected go aside."""

    config = storm_config(settings)

    transactions = TransactionSpout.spec(par=settings.topology_spouts)
    parse = ParseTransactions.spec(
        inputs={transactions: Grouping.SHUFFLE}, par=settings.topology_parsers
    )
    if settings.topology_chain:
        decide = FraudBolt.spec(
            inputs={parse: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
    else:
        score = ScoreTransactions.spec(
            inputs={parse: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
        store = StoreFraudDecisions.spec(
            inputs={score: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
    reject = RejectTransactions.spec(
        inputs={parse["rejected"]: Grouping.SHUFFLE, transactions["notices"]: Grouping.SHUFFLE}
    )
