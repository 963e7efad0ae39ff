"""What labels say of earlier decisions: alerts found and missed, and whether that gets worse.

A label may come before the event that it is of. It is learned at once; what it says of the decision
waits for that decision, in this process, until its time is over: when the events decided here are
past its arrival by the allowed lateness, what it is of would come too late to be judged.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

from stormwatch.metrics import Labelled
from stormwatch.records import DecisionRow

Key = tuple[str, str]
"""Entity and id of an event."""
MOST = 10_000
"""Labels that wait at once; the oldest is given up for one more."""
WINDOW = 100
"""Labelled alerts, or labelled events that deserved one, of which a share is taken."""
SIGMAS, LEAST = 3.0, 0.05
"""How far a share has to be below the one before, twice in a row: in standard deviations of the
difference of two shares, and at all."""


class _Waiting(NamedTuple):
    positive: bool
    until: int


class ByLabels:
    """Of one process. Observes only: no decision depends on it."""

    def __init__(self, counts: Counter[str], lateness_ms: int, *, window: int = WINDOW) -> None:
        """`counts`: of `Labelled`; this adds to it."""
        self._counts, self._lateness = counts, lateness_ms
        self._waiting: OrderedDict[Key, _Waiting] = OrderedDict()
        self._newest = 0
        self._shares = {
            "precision": _Share("alerts that a label answers, {share} were deserved", window),
            "recall": _Share("labelled events that deserved an alert, {share} had one", window),
        }
        self.alarms: dict[str, str] = {}
        """What has fallen, each in a sentence; gone when it has recovered."""

    def answer(self, positive: bool, alerted: bool) -> None:
        """A label of an event that had an alert, or had none."""
        self._counts[_became(positive, alerted)] += 1
        for name, counts, good in (
            ("precision", alerted, positive),
            ("recall", positive, alerted),
        ):
            if counts and self._shares[name].take(good):
                told = self._shares[name].told
                self.alarms.pop(name, None)
                if told:
                    self.alarms[name] = f"By labels {name} has fallen: {told}"

    def wait(self, key: Key, positive: bool, arrival: int) -> list[Key]:
        """A label of an event that is not decided: of several the newest counts. Those that are
        given up for it."""
        self._counts[Labelled.WAITING] += key not in self._waiting
        self._waiting[key] = _Waiting(positive, arrival + self._lateness)
        return self._give_up([next(iter(self._waiting))] if len(self._waiting) > MOST else [])

    def decided(self, rows: Iterable[DecisionRow]) -> list[Key]:
        """What was decided, labels among it; the labels whose time is over by then."""
        if not self._waiting:
            return []
        for row in rows:
            told = self._waiting.pop((row.entity, row.id), None)
            if told is not None:
                self._counts[Labelled.WAITING] -= 1
                self.answer(told.positive, row.alert)
            self._newest = max(self._newest, row.time)
        return self._give_up([k for k, one in self._waiting.items() if one.until < self._newest])

    def _give_up(self, keys: list[Key]) -> list[Key]:
        for key in keys:
            del self._waiting[key]
        if keys:
            self._counts[Labelled.WAITING] -= len(keys)
            self._counts[Labelled.UNKNOWN] += len(keys)
        return keys


def _became(positive: bool, alerted: bool) -> Labelled:
    if positive:
        return Labelled.FOUND if alerted else Labelled.MISSED
    return Labelled.FALSE_ALERT if alerted else Labelled.PASSED


class _Share:
    """A share by windows, the newest compared with all before it that had not fallen."""

    def __init__(self, text: str, window: int) -> None:
        self._text, self._window = text, window
        self._good = self._all = 0
        self._before = (0, 0)
        self._low = False
        self.told = ""

    def take(self, good: bool) -> bool:
        """Whether that ends a window."""
        self._good += good
        self._all += 1
        if self._all < self._window:
            return False
        low, was_low = self._is_low(), self._low
        self.told = self._sentence() if low and was_low else ""
        if not low:
            self._before = (self._before[0] + self._good, self._before[1] + self._all)
        self._low = low
        self._good = self._all = 0
        return True

    def _is_low(self) -> bool:
        good, count = self._before
        if not count:
            return False
        now, before = self._good / self._all, good / count
        both = (good + self._good) / (count + self._all)
        apart = sqrt(both * (1 - both) * (1 / count + 1 / self._all))
        return before - now > max(SIGMAS * apart, LEAST)

    def _sentence(self) -> str:
        newest = self._text.format(share=f"{self._good / self._all:.0%}")
        before = self._before[0] / self._before[1]
        return (
            f"of the newest {self._all} {newest}, of those before {before:.0%}. "
            "Look at what is missed or alerted wrongly (./stormwatch alerts), and train a model on "
            "data of your own: ./stormwatch train"
        )
