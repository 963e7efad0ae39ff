"""What each topology decides with, for a replay."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from apps.prove.replay.host import Host, RoundHost
from bolts.behaviour import ParseBehaviour
from bolts.chain import ChainBolt
from bolts.fraud import FraudBolt
from bolts.maintenance import MaintenanceBolt
from bolts.parse import ParseReadings, ParseTransactions
from bolts.social import SocialBolt
from stormwatch.settings import Settings


class Components(NamedTuple):
    """The parts that a replay runs, and those of them that can be replaced."""

    host: Callable[[Settings], Host | RoundHost]
    parse_one: Callable[..., Any]
    with_model: Callable[[Settings, str], Settings] | None = None  # the model in another folder
    with_rules: Callable[[Settings, str], Settings] | None = None  # those of another file
    listed: bool = False  # decisions are lists of items, of which a part cannot be replayed


OF = {
    "fraud": Components(
        partial(Host, FraudBolt),
        ParseTransactions.parse_one,
        lambda settings, folder: replace(settings, fraud_model=folder),
        lambda settings, file: replace(settings, fraud_rules=file),
    ),
    "maintenance": Components(
        partial(Host, MaintenanceBolt),
        ParseReadings.parse_one,
        lambda settings, folder: replace(settings, maintenance_model=folder),
    ),
    "recommend": Components(RoundHost, ParseBehaviour.parse_one, listed=True),
}
"""Of the topologies in which a key belongs to one partition."""

KEYED: dict[str, type[ChainBolt]] = {"social": SocialBolt}
"""What decides behind a re-key hop, where a key belongs to every partition."""
