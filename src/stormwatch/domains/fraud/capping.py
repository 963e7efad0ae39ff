"""The last word on a payment that rules with a cap fire on: those above it are noted alone."""

from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.rules.caps import over
from stormwatch.state.judge import Verdict


def settle(state: CustomerState, event: Transaction, verdict: Verdict) -> Verdict:
    """See `stormwatch.state.judge.Settles`."""
    capped = verdict.capped
    if capped is None:
        return verdict
    kept = state.capped or []
    above = over(kept, capped.rules, event.time)
    state.capped = kept
    if not above:
        return verdict
    return capped.again(above)._replace(by=verdict.by, shadow=verdict.shadow)
