"""What a person reads while a demo runs: alerts with their reasons and the truth, then sums."""

import time
from collections import Counter
from collections.abc import Callable

from apps.data.in_words import in_words, score_in_words
from apps.data.printable import lines_shown, shown
from apps.local.dev.truth import Frauds, Machines, Spikes
from apps.local.run.view import clock
from stormwatch.records import DecisionRow, Outcomes
from stormwatch.runner.events import Died, Event, Faulted, Logged

SUM_EVERY_S = 5.0
LINE_EVERY_S = {
    "decline": 1.5,
    "review": 5.0,
    "anomaly": 2.0,
    "no_data": 2.0,
    "unknown_regime": 2.0,
}
"""Of one outcome at most; the sums tell of the rest."""
UNPLANTED = ("anomaly", "no_data", "unknown_regime")
"""Alerts of machines of one's own: the generator plants none."""
_WARNING = 3


class Narrator:
    """Prints by `say`. `outcomes` and `event` are its ears."""

    def __init__(
        self, say: Callable[[str], None], frauds: Frauds, machines: Machines, spikes: Spikes
    ) -> None:
        self._say, self.frauds, self.machines, self.spikes = say, frauds, machines, spikes
        self._start = self._summed = time.monotonic()
        self._quiet: dict[str, float] = {}
        self._decided: Counter[tuple[str, str]] = Counter()
        self.first_alert: float | None = None
        self.shown, self.hidden = 0, Counter[str]()
        """Alerts that were told, and by domain those that were only counted."""

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._start

    def outcomes(self, outcomes: Outcomes) -> None:
        """What a batch led to."""
        for row in outcomes.decisions:
            self._decided[outcomes.domain, row.outcome] += 1
            if row.alert:
                self._alert(outcomes.domain, row)

    def event(self, topology: str, event: Event) -> None:
        """What a run tells."""
        match event:
            case Died():
                why = lines_shown(event.why.strip())
                self._say(f"{self._now()} {topology}: {event.component} died: {why}")
                if event.again:
                    self._say(f"{self._now()} {topology}: starting it again")
            case Logged() if event.level >= _WARNING:
                self._say(f"{self._now()} {topology}: {event.component}: {lines_shown(event.text)}")
            case Faulted():
                self._say(f"{self._now()} {topology}: fault: {event.text}")

    def tick(self) -> None:
        """From time to time: the sums."""
        if time.monotonic() - self._summed >= SUM_EVERY_S:
            self._summed = time.monotonic()
            for domain in sorted({domain for domain, _ in self._decided}):
                hidden = self.hidden[domain]
                more = f"; {hidden:,} alerts so far were not shown" if hidden else ""
                self._say(f"{self._now()} {domain:<11} {self.decided(domain)}{more}")

    def decided(self, domain: str) -> str:
        """Decisions by outcome."""
        counts = {o: n for (d, o), n in self._decided.items() if d == domain}
        parts = ", ".join(f"{outcome} {n:,}" for outcome, n in sorted(counts.items()))
        return f"{sum(counts.values()):,} decided: {parts}"

    def _alert(self, domain: str, row: DecisionRow) -> None:
        what = score_in_words(domain, row)
        if domain == "fraud":
            truth = self.frauds.alert(row.id)
        elif domain == "social":
            truth = self.spikes.alert(row.entity) if row.outcome == "spike" else ""
        else:
            truth = self.machines.alert(row.entity, row.id) if row.outcome == "service" else ""
        if self.first_alert is None and truth.startswith(("planted", "in truth")):
            self.first_alert = self.elapsed
        quiet_until = self._quiet.get(row.outcome, 0.0)
        is_telling = truth or row.outcome in UNPLANTED
        if is_telling and self.elapsed >= quiet_until:
            self.shown += 1
            self._quiet[row.outcome] = self.elapsed + LINE_EVERY_S.get(row.outcome, 0.0)
            head = f"{self._now()} {domain:<11} {row.outcome.upper():<8}"
            self._say(f"{head} {shown(row.entity)}  {what}{f'  [{truth}]' if truth else ''}")
            self._say(f"{'':>18}{in_words(row)}")
        else:
            self.hidden[domain] += 1

    def _now(self) -> str:
        return f"{clock(self.elapsed):>5}"
