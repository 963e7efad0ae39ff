"""What a person sees of a campaign: what is done, and the ledger as it moves."""

import time
from collections.abc import Callable

from stormwatch.ledger.reconcile import TopicLedger

_EVERY_S = 1.0


class Screen:
    """Lines with the seconds since the start; the ledger at most once a second, if it changed."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._last = ""

    def tell(self, words: str) -> None:
        """What was done or seen."""
        self._write(f"{self._clock()} {words}")
        self._shown_at = 0.0

    def show(self, ledger: TopicLedger) -> None:
        """The ledger, once."""
        line = in_words(ledger)
        now = time.monotonic()
        if line != self._last and now - self._shown_at >= _EVERY_S:
            self._write(f"{self._clock()}   ledger: {line}")
            self._last, self._shown_at = line, now

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._began)
        return f"{seconds // 60}:{seconds % 60:02d}"


def in_words(ledger: TopicLedger) -> str:
    """One line."""
    ended = sum(ledger.states.values())
    more = f", conflicting {ledger.conflicting}" if ledger.conflicting else ""
    return f"{ended:,} ended, {ledger.in_flight:,} to go, unaccounted {ledger.unaccounted}{more}"
