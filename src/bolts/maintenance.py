"""Scores machine readings, one unit after another, and stores what was decided."""

from bolts.deciding import DecideBolt, ScoreBolt, StoreBolt
from bolts.rekey import RekeyBolt, itself
from stormwatch.adapters.threads.model_guard import supply
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.parse import to_wire
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain


def _domain(settings: Settings) -> Domain[Reading, UnitState]:
    return Maintenance.from_settings(settings, supply(settings))


class MaintenanceBolt(DecideBolt):
    """Healthy, watch, service or sensor_fault; anomaly, no_data or learning of other machines."""

    payload = Parsed[Reading]
    make = staticmethod(_domain)
    follows = "maintenance"


class ScoreReadings(ScoreBolt):
    """The first half of MaintenanceBolt."""

    payload = Parsed[Reading]
    make = staticmethod(_domain)
    follows = "maintenance"


class StoreMaintenanceDecisions(StoreBolt):
    """The second half of MaintenanceBolt."""


class SplitReadings(RekeyBolt):
    """By unit, where a topic is not keyed so."""

    payload = Parsed[Reading]
    split = staticmethod(itself)
    to_wire = staticmethod(to_wire)


class MaintenanceAfterSplit(MaintenanceBolt):
    """MaintenanceBolt of shares: several partitions feed a unit, so batches are worked on alone."""

    together = False
