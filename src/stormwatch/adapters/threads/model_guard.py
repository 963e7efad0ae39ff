"""A model behind a time limit: what it gives no score in time for is decided by rules alone.

The model runs on one thread of its own. A call that is not back in time is left alone and its
scores, if they ever come, are dropped; until it is back no other is made, so that there is never
more than one such thread. After a failure the model is tried again with one batch, after a pause
that doubles. Nothing here waits for longer than the limit: heartbeats are answered.
"""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from math import isfinite, nan
from typing import TYPE_CHECKING, NamedTuple

from stormwatch.adapters.threads.deadline import Helper, Late
from stormwatch.errors import ModelError
from stormwatch.metrics import Stopwatch
from stormwatch.models import Card, Model, NoModel, Supply
from stormwatch.models.circuit_breaker import Breaker
from stormwatch.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stormwatch.models.contributions import Parts

    Rows = Sequence[tuple[float, ...]] | NDArray[np.float64]

SAY_EVERY_S = 60.0
_BY_RULES = "Decided by rules alone, marked degraded"
_ADVICE = (
    "Raise model.deadline_s, give the machine more CPU or the topology a smaller model; "
    "a call that never comes back ends with the process: start the topology again"
)

logger = logging.getLogger(__name__)


class Scored(NamedTuple):
    """What came of one call."""

    model: Model
    scores: list[float]
    cause: str  # why there is no score of some rows


class Guard:
    """A `Model` that never raises and never takes longer than `deadline_s` (0: no limit).

    `model` is None where `load` raised: it is called again when the model is tried again. Rows on
    which the model raises have no score, the others of their batch have.
    """

    def __init__(
        self,
        load: Callable[[], Model],
        model: Model | None,
        *,
        deadline_s: float,
        probe_s: float,
        why: str = "",
    ) -> None:
        self._load, self._model = load, model
        self._deadline_s = deadline_s
        self._breaker = Breaker(probe_s)
        self._helper = Helper()
        self._why = why
        self._alone = 0
        self._said_at = -SAY_EVERY_S
        self.watch = Stopwatch()
        """Told of its time, between that of the rules; see `watched`."""

    @property
    def card(self) -> Card:
        """Of the model that gave the last scores; of no model before there was one."""
        return (self._model or NoModel).card

    def predict(self, rows: "Rows") -> list[float]:
        """See the port: nan where there is no score."""
        self.watch.lap("rules")  # so far it was the domain's own work
        try:
            return self._predicted(rows)
        finally:
            self.watch.lap("model")

    def _predicted(self, rows: "Rows") -> list[float]:
        now = _now()
        if self._why:
            self._failed(now, self._why)
            self._why = ""
        if not len(rows):
            return []
        if not self._breaker.ready(now):
            return self._none(rows)
        if self._helper.busy:
            self._failed(now, f"is still working on an earlier batch. {_ADVICE}")
            return self._none(rows)
        attempt = partial(_attempt, self._load, self._model, rows)
        try:
            made = self._helper.call(attempt, self._deadline_s) if self._deadline_s else attempt()
        except Late:
            limit = f"{self._deadline_s:g} s (model.deadline_s)"
            self._failed(_now(), f"has no scores for {len(rows)} records after {limit}. {_ADVICE}")
            return self._none(rows)
        except Exception as error:  # whatever loading it raises: told
            self._failed(_now(), f"cannot be used: {error or repr(error)}")
            return self._none(rows)
        self._passed(made, now)
        return made.scores

    def explain(self, row: "Sequence[float]") -> "Parts | None":
        """See `stormwatch.models.contributions`; None where the model has no score now, or raises.

        No deadline: whoever decides the record again has to get the same reasons, whatever the
        clock. The model has just scored the row in time, and how often it scores is bounded.
        """
        from stormwatch.models.contributions import parts_of

        model = self._model
        if model is None or not self._breaker.closed:
            return None
        try:
            return parts_of(model, row)
        except Exception as error:  # whatever a model raises: told, and nothing is explained
            logger.warning("The model explains nothing of a record: %s", error or repr(error))
            return None

    def _passed(self, made: Scored, now: float) -> None:
        self._model = made.model
        if not self._breaker.closed:
            self._breaker.passed()
            logger.warning(
                "The model works again (%s); %d records were decided by rules alone",
                made.model.card.version, self._alone,
            )  # fmt: skip
            self._alone = 0
        if not isfinite(sum(made.scores)) and now - self._said_at >= SAY_EVERY_S:
            self._said_at = now
            without = sum(not isfinite(score) for score in made.scores)
            logger.warning(
                "The model has no score of %d of %d records: %s. %s. Correct the model, or let the "
                "parser reject such records", without, len(made.scores), made.cause, _BY_RULES,
            )  # fmt: skip

    def _failed(self, now: float, what: str) -> None:
        pause = self._breaker.failed(now)
        logger.warning("The model %s. %s; tried again in %g s", what, _BY_RULES, pause)

    def _none(self, rows: "Rows") -> list[float]:
        self._alone += len(rows)
        return [nan] * len(rows)


def supply(settings: Settings) -> Supply:
    """How a bolt gets its model: behind a guard, as the settings say."""

    def guarded(load: Callable[[], Model]) -> Model:
        model: Model | None = None
        why = ""
        try:
            model = load()
        except ModelError as error:
            if settings.model_unusable == "stop":
                raise
            why = f"cannot be used: {error}"
        if isinstance(model, NoModel):
            return model
        deadline_s, probe_s = settings.model_deadline_s, settings.model_probe_s
        return Guard(load, model, deadline_s=deadline_s, probe_s=probe_s, why=why)

    return guarded


def watched(models: Iterable[Model], watch: Stopwatch) -> None:
    """From now on the time of these is told apart, of those that are behind a guard."""
    for model in models:
        if isinstance(model, Guard):
            model.watch = watch


def _now() -> float:
    return time.monotonic()


def _attempt(load: Callable[[], Model], model: Model | None, rows: "Rows") -> Scored:
    model = model or load()
    try:
        return Scored(model, _whole(model, rows), "it gave no finite number")
    except Exception as error:  # whatever a model raises: told, and the rows tried one by one
        cause = f"it raised {error!r}"
    scores = []
    for row in rows:
        try:
            scores += _whole(model, [row])
        except Exception:  # this one is decided by rules alone
            scores.append(nan)
    return Scored(model, scores, cause)


def _whole(model: Model, rows: "Rows") -> list[float]:
    scores = model.predict(rows)
    if len(scores) != len(rows):
        raise ValueError(f"{len(scores)} scores of {len(rows)} rows")
    return scores
