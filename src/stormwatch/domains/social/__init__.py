"""Social media monitoring: posts to mentions of brands; spikes and posts that need an answer."""

from stormwatch.domains.social.domain import ALERT_OUTCOMES, Social

__all__ = ["ALERT_OUTCOMES", "Social"]
