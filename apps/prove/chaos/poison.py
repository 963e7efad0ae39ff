"""A fraud bolt whose domain raises on some customers. Copied into a campaign's project."""

from bolts import fraud
from bolts.decide import score, store
from stormwatch.domains.fraud import ALERT_OUTCOMES, Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.state import CustomerState

POISON = "C-poison"


class Poisoned(Fraud):
    """Raises where a record of such a customer is learned."""

    def advance(self, state: CustomerState, event: Transaction) -> tuple[float, ...]:
        if event.customer.startswith(POISON):
            raise ArithmeticError(f"{event.customer} cannot be learned")
        return super().advance(state, event)


class FraudBolt(fraud.FraudBolt):
    """Score and store with the poisoned domain."""

    steps = (score(Poisoned.from_settings), store(ALERT_OUTCOMES))
