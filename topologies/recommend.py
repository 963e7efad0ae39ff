"""What users view, buy and rate, from Kafka to the items to show each of them in Cassandra."""

from streamparse import Grouping, Topology

from bolts.behaviour import ParseBehaviour, RejectBehaviour
from bolts.items import FirstItems, SecondItems
from bolts.recommend import PlanBolt, RecommendBolt
from spouts.behaviour import BehaviourSpout
from stormwatch.adapters.storm.config import storm_config
from stormwatch.adapters.storm.wiring import Checked
from stormwatch.settings import load

settings = load()


class Recommend(Checked, Topology):
    """spout -> parse -> plan (by user) -> each shard of items -> fill in and store (by user)."""

    config = storm_config(settings)

    behaviour = BehaviourSpout.spec(par=settings.topology_spouts)
    parse = ParseBehaviour.spec(inputs={behaviour: Grouping.SHUFFLE}, par=settings.topology_parsers)
    plan = PlanBolt.spec(inputs={parse: Grouping.fields("bucket")}, par=settings.topology_scorers)
    items_0 = FirstItems.spec(inputs={plan: Grouping.SHUFFLE})
    items_1 = SecondItems.spec(inputs={items_0: Grouping.SHUFFLE})
    recommend = RecommendBolt.spec(
        inputs={items_1: Grouping.fields("bucket")}, par=settings.topology_scorers
    )
    reject = RejectBehaviour.spec(
        inputs={
            parse["rejected"]: Grouping.SHUFFLE,
            parse["meters"]: Grouping.SHUFFLE,
            behaviour["notices"]: Grouping.SHUFFLE,
        }
    )
