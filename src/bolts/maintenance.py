"""Scores machine readings, one unit after another, and stores what was decided."""

from streamparse import Stream

from bolts.chain import ChainBolt
from bolts.decide import score, store
from stormwatch.adapters.threads.model_guard import supply
from stormwatch.codec import BATCH_FIELDS, Parsed
from stormwatch.domains.maintenance import ALERT_OUTCOMES, Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import UnitState
from stormwatch.records import Outcomes
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain


def _domain(settings: Settings) -> Domain[Reading, UnitState]:
    return Maintenance.from_settings(settings, supply(settings))


class MaintenanceBolt(ChainBolt):
    """Score and store in one process. Guarantee: effects once."""

    payload = Parsed[Reading]
    together = True
    steps = (score(_domain), store(ALERT_OUTCOMES))


class ScoreReadings(ChainBolt):
    """The first half of MaintenanceBolt, for the spread form."""

    payload = Parsed[Reading]
    outputs = [Stream(list(BATCH_FIELDS))]
    steps = (score(_domain),)


class StoreMaintenanceDecisions(ChainBolt):
    """The second half of MaintenanceBolt, for the spread form."""

    payload = Outcomes
    steps = (store(ALERT_OUTCOMES),)
