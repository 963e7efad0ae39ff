"""Waiting for Kafka and the store: calls that fail are tried again with back-off, and said once.

Each kind of call has its own back-off, and only one of its kind that goes well ends it: that Kafka
answers a question proves nothing of a commit that it refuses. What it refuses lasts until a person
acts: it is asked for ever more seldom, and said again every SAY_AGAIN_S.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from stormwatch.errors import (
    BrokerRefused,
    BrokerUnavailable,
    InfrastructureError,
    StoreUnavailable,
)
from stormwatch.ingest.in_flight import BACKOFF_MAX_S, backoff

_FIRST = 3
"""The first wait is about 0.6 s."""
REFUSED_MAX_S = 30.0
SAY_AGAIN_S = 300.0
LOOK, FETCH, COMMIT, STORE = "look at the topic", "fetch", "commit", "ask the store"
"""Kinds of calls."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Trouble:
    """Of one kind of call. Times: seconds of the clock."""

    refused: bool
    failures: int
    retry_at: float
    say_at: float


class Retry:
    """Whether Kafka answers, and when to ask again. `clock` gives monotonic seconds; `kind` is what
    is said where the log is another."""

    def __init__(self, clock: Callable[[], float], random: Random, kind: str = "Kafka") -> None:
        self._clock, self._random, self._kind = clock, random, kind
        self._troubles: dict[str, _Trouble] = {}

    @property
    def troubled(self) -> bool:
        """Whether the last look at the topic went wrong."""
        return LOOK in self._troubles or STORE in self._troubles

    @property
    def ready(self) -> bool:
        """Whether the topic may be looked at (again)."""
        return self.may(LOOK)

    def may(self, call: str) -> bool:
        """Whether it is time for a call of this kind: while Kafka is away, for none of any."""
        now = self._clock()
        return all(
            now >= trouble.retry_at
            for kind, trouble in self._troubles.items()
            if kind == call or not trouble.refused
        )

    def well(self, call: str) -> None:
        """A call of this kind went well."""
        trouble = self._troubles.pop(call, None)
        if trouble is None:
            return
        if trouble.refused:
            logger.warning("%s no longer refuses to let us %s", self._kind, call)
        elif call == STORE:
            logger.warning("The store answers again")
        elif all(other.refused for other in self._troubles.values()):
            logger.warning("%s answers again", self._kind)

    @contextmanager
    def attempt(self, call: str = LOOK, *, proves: bool = True) -> Iterator[None]:
        """Absorbs BrokerUnavailable and StoreUnavailable.

        `proves`: if nothing is raised, the call went well.
        """
        try:
            yield
        except BrokerUnavailable as error:
            refused = isinstance(error, BrokerRefused)
            # Whether a fetch would find Kafka again is not known: an idle topic looks the same.
            self._failed(LOOK if call == FETCH and not refused else call, error, refused)
        except StoreUnavailable as error:
            self._failed(STORE, error, False)
        else:
            if proves:
                self.well(call)
                if call == LOOK:
                    self.well(STORE)

    def _failed(self, call: str, error: InfrastructureError, refused: bool) -> None:
        now = self._clock()
        away = any(not trouble.refused for trouble in self._troubles.values())
        trouble = self._troubles.setdefault(call, _Trouble(refused, 0, now, now))
        changed = trouble.refused != refused
        trouble.refused = refused
        if refused and (now >= trouble.say_at or changed):
            logger.warning("%s refuses, waiting until that is mended: %s", self._kind, str(error))
            trouble.say_at = now + SAY_AGAIN_S
        elif not refused and not away:
            who = "The store" if call == STORE else self._kind
            logger.warning("%s does not answer, waiting for it: %s", who, str(error))
        most = REFUSED_MAX_S if refused else BACKOFF_MAX_S
        trouble.retry_at = now + backoff(_FIRST + trouble.failures, self._random, most)
        trouble.failures += 1
