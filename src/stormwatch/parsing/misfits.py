"""Tells of a topic most of whose records its mapping refuses, while they come. Pure."""

from collections import Counter
from collections.abc import Sequence

from stormwatch.records import EndState, SetAside

LEAST = 10
"""Records before anything is said of them."""
EVERY_S = 60.0
"""Between two words about a topic; what they count begins anew with each."""
WINDOW_S = 5.0
"""Records are counted together for so long, or until there are LEAST of them."""
SHOWN = 3


class Misfits:
    """Counts of one process, by topic."""

    def __init__(self) -> None:
        self._seen = Counter[str]()
        self._codes: dict[str, Counter[str]] = {}
        self._examples: dict[tuple[str, str], str] = {}
        self._told: dict[str, float] = {}
        self._since: dict[str, float] = {}

    def look(self, topic: str, mark: str, count: int, aside: Sequence[SetAside], now: float) -> str:
        """Count a batch of `count` records; a sentence where most were refused of late, else "".

        `mark` names the mapping; `aside` has its dead letters, already redacted; `now`: seconds.
        """
        codes = self._codes.setdefault(topic, Counter())
        self._seen[topic] += count
        for row in aside:
            if row.state == EndState.REJECTED:
                codes[row.code] += 1
                self._examples.setdefault((topic, row.code), row.reason)
        seen, refused = self._seen[topic], codes.total()
        waits = now < self._told.get(topic, -EVERY_S) + EVERY_S
        if seen < LEAST or waits:
            return ""
        told = ""
        if 2 * refused > seen:
            most = codes.most_common(SHOWN)
            why = "; ".join(
                f"{n:,} as {code}, for example {self._examples[topic, code]}" for code, n in most
            )
            told = (
                f"{refused:,} of {seen:,} records of the topic {topic!r} do not fit its mapping "
                f"{mark}: {why}. They are kept: mend the mapping, start again, and then "
                "`./stormwatch dlq redrive`."
            )
            self._told[topic] = now
        if told or now >= self._since.setdefault(topic, now) + WINDOW_S:
            self._forget(topic)
        return told

    def _forget(self, topic: str) -> None:
        self._seen[topic] = 0
        self._since.pop(topic, None)
        for code in self._codes.pop(topic, ()):
            self._examples.pop((topic, code), None)
