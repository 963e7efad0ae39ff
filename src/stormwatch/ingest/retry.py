"""Waiting for Kafka or the store: calls that fail are tried again with back-off, and said once."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from stormwatch.errors import BrokerUnavailable, StoreUnavailable
from stormwatch.ingest.in_flight import backoff

_FIRST = 3
"""The first wait is about 0.6 s."""

logger = logging.getLogger(__name__)


class Patience:
    """Whether Kafka answers, and when to ask again. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float], random: Random) -> None:
        self._clock, self._random = clock, random
        self._failures = 0
        self._retry_at = 0.0
        self._who = "Kafka"

    @property
    def troubled(self) -> bool:
        """Whether the last answer is missing."""
        return self._failures > 0

    @property
    def ready(self) -> bool:
        """Whether it is time to ask (again)."""
        return not self._failures or self._clock() >= self._retry_at

    @contextmanager
    def attempt(self, *, proves: bool = True) -> Iterator[None]:
        """Absorbs BrokerUnavailable and StoreUnavailable. `proves`: going well means an answer."""
        try:
            yield
        except (BrokerUnavailable, StoreUnavailable) as error:
            if not self._failures:
                self._who = "Kafka" if isinstance(error, BrokerUnavailable) else "The store"
                logger.warning("%s does not answer, waiting for it: %s", self._who, str(error))
            self._retry_at = self._clock() + backoff(_FIRST + self._failures, self._random)
            self._failures += 1
        else:
            if self._failures and proves:
                logger.warning("%s answers again", self._who)
                self._failures = 0
