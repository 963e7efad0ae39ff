"""Card fraud: what a transaction is, what is learned of a customer, what is decided."""

from stormwatch.domains.fraud.domain import ALERT_OUTCOMES, Fraud

__all__ = ["ALERT_OUTCOMES", "Fraud"]
