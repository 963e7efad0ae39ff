"""What users do, from record values to events; what is not behaviour goes aside."""

from bolts.parse import ParseBolt
from bolts.reject import RejectBolt
from stormwatch.domains.recommend.domain import NAME
from stormwatch.domains.recommend.parse import parse


class ParseBehaviour(ParseBolt):
    """schema/behaviour.md"""

    parse_one = staticmethod(parse)


class RejectBehaviour(RejectBolt):
    """What is not behaviour."""

    domain = NAME
