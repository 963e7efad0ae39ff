"""Posts: parsed, split by brand, scored one brand after another, stored; what is no post aside."""

from typing import ClassVar

from bolts.chain import ChainBolt
from bolts.decide import score, store
from bolts.parse import ParseBolt
from bolts.reject import RejectBolt
from bolts.rekey import RekeyBolt
from stormwatch.adapters.sentiment import sentiment
from stormwatch.codec import Parsed
from stormwatch.domains.social import Social
from stormwatch.domains.social.domain import BrandState
from stormwatch.domains.social.event import Mention, Post
from stormwatch.domains.social.mentions import mentions
from stormwatch.domains.social.parse import parse, to_wire
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain


def _split(post: Post) -> list[Mention]:
    return mentions(post, sentiment)


def make_domain(settings: Settings) -> Domain[Mention, BrandState]:
    """As the settings say."""
    return Social(sentiment, future_skew_ms=settings.future_skew_s * 1000)


class ParsePosts(ParseBolt):
    """schema/posts.md"""

    parse_one = staticmethod(parse)


class SplitPosts(RekeyBolt):
    """A post to its mentions, by brand; asks their sentiment, once a post."""

    payload = Parsed[Post]
    split = staticmethod(_split)
    to_wire = staticmethod(to_wire)


class SocialBolt(ChainBolt):
    """Score and store in one process, as after a repartition they must. Guarantee: effects once."""

    payload = Parsed[Mention]
    steps = (score(make_domain), store)


class RejectPosts(RejectBolt):
    """What is not a post."""

    domain: ClassVar[str] = "social"
