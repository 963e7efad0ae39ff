"""A fraud bolt whose model takes 2 s a record while a file is there: for a campaign's project.

Its components run in folders of their own: the file is named by the model's folder.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bolts import fraud
from bolts.decide import score, store
from stormwatch.adapters.threads.model_guard import supply
from stormwatch.domains.fraud import ALERT_OUTCOMES, Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.models import Model
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain

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


def _domain(settings: Settings) -> Domain[Transaction, CustomerState]:
    flag = Path(settings.fraud_model) / FLAG

    def slow(load: Callable[[], Model]) -> Model:
        return supply(settings)(lambda: Slow(load(), flag))

    return Fraud.from_settings(settings, slow)


class FraudBolt(fraud.FraudBolt):
    """Score and store with the slow model."""

    steps = (score(_domain), store(ALERT_OUTCOMES))
