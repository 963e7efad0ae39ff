"""Recommends items to users: planned by user, asked of the items, filled in and stored by user.

The order and what it promises: `stormwatch.domains.recommend.round`.
"""

from streamparse import Stream

from bolts.chain import ChainBolt
from bolts.decide import score, store
from stormwatch.codec import BATCH_FIELDS, Parsed
from stormwatch.domains.recommend.domain import Recommend
from stormwatch.domains.recommend.event import Behaviour
from stormwatch.domains.recommend.history import UserState
from stormwatch.domains.recommend.round import Round, begin, finish
from stormwatch.records import Fragment, Outcomes
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain


def _domain(settings: Settings) -> Domain[Behaviour, UserState]:
    return Recommend.from_settings(settings)


class PlanBolt(ChainBolt):
    """Learns each user's events and plans what to ask of the items. Writes nothing."""

    payload = Parsed[Behaviour]
    outputs = [Stream(list(BATCH_FIELDS))]
    steps = (score(_domain, begin),)


class RecommendBolt(ChainBolt):
    """Fills the lists in and stores them. Guarantee: effects once."""

    payload = Round
    steps = (store,)

    def prepare(self, fragment: Fragment, payload: Round) -> Outcomes:
        """The lists, filled in with what the items said."""
        return finish(payload)
