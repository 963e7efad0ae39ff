"""Machine readings: what is learned of a unit and how much life it has left."""

from stormwatch.domains.maintenance.domain import ALERT_OUTCOMES, Maintenance

__all__ = ["ALERT_OUTCOMES", "Maintenance"]
