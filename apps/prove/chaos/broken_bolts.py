"""Fraud bolts with a fault built in, copied into a campaign's project: one whose domain raises on
some customers, one whose model takes 2 s a record while a file is there.

Their components run in folders of their own: the file is named by the model's folder.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bolts import fraud
from stormwatch.adapters.threads.model_guard import supply
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.domains.fraud.terminals import UNKNOWN
from stormwatch.models import Model
from stormwatch.settings import Settings
from stormwatch.state.judge import Advanced, Domain

RECORD_S = 2.0
FLAG = "slow"


class Slow:
    """A model that takes its time."""

    def __init__(self, model: Model, flag: Path) -> None:
        self.card, self._model, self._flag = model.card, model, flag

    def predict(self, rows: Any) -> list[float]:
        """The model's own scores, late."""
        end = time.monotonic() + RECORD_S * len(rows)
        while self._flag.exists() and time.monotonic() < end:
            time.sleep(0.05)
        return self._model.predict(rows)


def _slow_domain(settings: Settings) -> Domain[Transaction, CustomerState]:
    flag = Path(settings.fraud_model) / FLAG

    def slow(load: Callable[[], Model]) -> Model:
        return supply(settings)(lambda: Slow(load(), flag))

    return Fraud.from_settings(settings, slow)


class SlowBolt(fraud.FraudBolt):
    """Score and store with the slow model."""

    make = staticmethod(_slow_domain)


POISON = "C-poison"


class Poisoned(Fraud):
    """Raises where a record of such a customer is learned."""

    def advance(
        self,
        state: CustomerState,
        event: Transaction,
        second: tuple[float, ...] = UNKNOWN,
    ) -> Advanced:
        if event.customer.startswith(POISON):
            raise ArithmeticError(f"{event.customer} cannot be learned")
        return super().advance(state, event, second)


class PoisonedBolt(fraud.FraudBolt):
    """Score and store with the poisoned domain."""

    make = staticmethod(Poisoned.from_settings)
