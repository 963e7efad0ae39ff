"""Machine readings from Kafka to healthy, watch or service in Cassandra."""

from streamparse import Grouping, Topology

from bolts.maintenance import MaintenanceBolt, ScoreReadings, StoreMaintenanceDecisions
from bolts.parse import ParseReadings
from bolts.reject import RejectReadings
from spouts.readings import ReadingSpout
from stormwatch.adapters.storm.config import storm_config
from stormwatch.adapters.storm.wiring import Checked
from stormwatch.settings import load

settings = load()


class Maintenance(Checked, Topology):
    """spout -> parse (shuffle) -> score and store (fields: bucket); rejected go aside."""

    config = storm_config(settings)

    readings = ReadingSpout.spec(par=settings.topology_spouts)
    parse = ParseReadings.spec(inputs={readings: Grouping.SHUFFLE}, par=settings.topology_parsers)
    if settings.topology_chain:
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
        inputs={parse["rejected"]: Grouping.SHUFFLE, readings["notices"]: Grouping.SHUFFLE}
    )
