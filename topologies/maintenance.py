"""Machine readings from Kafka to healthy, watch or service in Cassandra."""

from streamparse import Grouping, Topology

from bolts.maintenance import (
    MaintenanceAfterSplit,
    MaintenanceBolt,
    ScoreReadings,
    SplitReadings,
    StoreMaintenanceDecisions,
)
from bolts.parse import ParseReadings
from bolts.reject import RejectReadings
from spouts.readings import ReadingSpout
from stormwatch.adapters.storm.config import storm_config
from stormwatch.adapters.storm.wiring import Checked
from stormwatch.parsing.mapping import is_rekeyed
from stormwatch.settings import load

settings = load()


class Maintenance(Checked, Topology):
    """spout -> parse (shuffle) -> score and store (fields: bucket); rejected go aside.

    Where a mapping says `rekey`, parse -> split by entity (shuffle) -> score and store.
    """

    config = storm_config(settings)

    readings = ReadingSpout.spec(par=settings.topology_spouts)
    parse = ParseReadings.spec(inputs={readings: Grouping.SHUFFLE}, par=settings.topology_parsers)
    refused = (parse["rejected"], parse["meters"])
    if is_rekeyed(settings, "readings"):
        split = SplitReadings.spec(inputs={parse: Grouping.SHUFFLE}, par=settings.topology_parsers)
        decide = MaintenanceAfterSplit.spec(
            inputs={split: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
        refused += (split["rejected"], split["meters"])
    elif settings.topology_chain:
        decide = MaintenanceBolt.spec(
            inputs={parse: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
    else:
        score = ScoreReadings.spec(
            inputs={parse: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
        store = StoreMaintenanceDecisions.spec(
            inputs={score: Grouping.fields("bucket")}, par=settings.topology_scorers
        )
    reject = RejectReadings.spec(
        inputs={
            **dict.fromkeys(refused, Grouping.SHUFFLE),
            readings["notices"]: Grouping.SHUFFLE,
        }
    )
