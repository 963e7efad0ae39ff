"""Posts from Kafka to spikes and posts that need an answer, by brand, in Cassandra."""

from streamparse import Grouping, Topology

from bolts.social import ParsePosts, RejectPosts, SocialBolt, SplitPosts
from spouts.posts import PostSpout
from stormwatch.adapters.storm.config import storm_config
from stormwatch.adapters.storm.wiring import Checked
from stormwatch.settings import load

settings = load()


class Social(Checked, Topology):
    """spout -> parse (shuffle) -> split by brand -> score and store (fields: bucket)."""

    config = storm_config(settings)

    posts = PostSpout.spec(par=settings.topology_spouts)
    parse = ParsePosts.spec(inputs={posts: Grouping.SHUFFLE}, par=settings.topology_parsers)
    split = SplitPosts.spec(inputs={parse: Grouping.SHUFFLE}, par=settings.topology_parsers)
    decide = SocialBolt.spec(
        inputs={split: Grouping.fields("bucket")}, par=settings.topology_scorers
    )
    reject = RejectPosts.spec(
        inputs={
            parse["rejected"]: Grouping.SHUFFLE,
            split["rejected"]: Grouping.SHUFFLE,
            parse["meters"]: Grouping.SHUFFLE,
            split["meters"]: Grouping.SHUFFLE,
            posts["notices"]: Grouping.SHUFFLE,
        }
    )
