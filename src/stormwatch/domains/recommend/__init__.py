"""Items to show to users, from what they and others view, buy and rate."""

from stormwatch.domains.recommend.domain import ALERT_OUTCOMES, Recommend

__all__ = ["ALERT_OUTCOMES", "Recommend"]
