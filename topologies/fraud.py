"""Card transactions from Kafka to approve, review or decline in Cassandra."""

from streamparse import Grouping, Topology

from bolts.fraud import (
    FraudAfterSplit,
    FraudBolt,
    ScoreTransactions,
    SplitTransactions,
    StoreFraudDecisions,
)
from bolts.parse import ParseTransactions
from bolts.reject import RejectTransactions
from bolts.second_key import TerminalBolt
from spouts.transactions import TransactionSpout
from stormwatch.adapters.storm.config import storm_config
from stormwatch.adapters.storm.wiring import Checked
from stormwatch.parsing.mapping import is_rekeyed
from stormwatch.settings import load

settings = load()


class Fraud(Checked, Topology):
    """spout -> parse (shuffle) -> score and store (fields: bucket); rejected go aside.

    Where a mapping says `rekey`, parse -> split by entity (shuffle) -> score and store. Beside
    that, what payments and labels tell their terminals: parse -> terminals (fields: bucket).
    """

    config = storm_config(settings)

    transactions = TransactionSpout.spec(par=settings.topology_spouts)
    parse = ParseTransactions.spec(
        inputs={transactions: Grouping.SHUFFLE}, par=settings.topology_parsers
    )
    refused = (parse["rejected"], parse["meters"])
    if is_rekeyed(settings, "transactions"):
        split = SplitTransactions.spec(
            inputs={parse: Grouping.SHUFFLE}, par=settings.topology_parsers
        )
        decide = FraudAfterSplit.spec(
            inputs={split: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
        refused += (split["rejected"], split["meters"])
    elif settings.topology_chain:
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
    if settings.topology_terminals:
        terminals = TerminalBolt.spec(
            inputs={parse["visits"]: Grouping.fields("bucket")}, par=settings.topology_terminals
        )
    reject = RejectTransactions.spec(
        inputs={
            **dict.fromkeys(refused, Grouping.SHUFFLE),
            transactions["notices"]: Grouping.SHUFFLE,
        }
    )
