"""The frauds that our own generator plants, scenario by scenario, with the shipped model.

Protocol: 60 days to get to know customers and terminals, then 60 days of test, of a seed that the
model was not trained on; labels seven days late. One percent of the test's payments, those of the
highest score, are alerts. An episode is one attack: the payments of one scenario at one terminal
(compromised terminals, mule accounts) or of one customer (all others) with no gap above 15 days;
a large amount is one by itself. Measured are the episodes that begin in the first 45 test days:
recall is the share with an alert, delay how many payments of the episode went by before the first.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.build.training.payments import Rows, rows_of, simulated
from apps.data.generate.transactions import Fraud as Planted
from stormwatch.domains.fraud import Fraud

SEED, CUSTOMERS = 20_017, 2_000
KNOWN, TEST, BEGIN = 60, 60, 45  # days
ALERTS = 0.01
GAP = 15
"""Days without a payment that end an episode."""
AT_TERMINAL = (Planted.TERMINAL, Planted.MULE)


class Caught(NamedTuple):
    """Of the episodes of one scenario."""

    episodes: int
    found: int
    delays: list[int]  # of those found

    @property
    def recall(self) -> float:
        return self.found / self.episodes if self.episodes else 0.0


def episodes(rows: Rows, kind: Planted) -> list[list[int]]:
    """The positions of each attack's payments, in order."""
    own = np.flatnonzero(rows.label == kind).tolist()
    if kind == Planted.LARGE:
        return [[at] for at in own]
    entity = rows.terminal if kind in AT_TERMINAL else rows.customer
    found, last = list[list[int]](), dict[int, list[int]]()
    for at in own:
        before = last.get(int(entity[at]))
        if before is None or rows.day[at] - rows.day[before[-1]] > GAP:
            before = last[int(entity[at])] = []
            found.append(before)
        before.append(at)
    return found


def caught(rows: Rows, alerted: Sequence[bool], kind: Planted, first: int, days: int) -> Caught:
    """Of the episodes that begin in so many days from `first` on."""
    began = [one for one in episodes(rows, kind) if first <= rows.day[one[0]] < first + days]
    delays = [[alerted[at] for at in one].index(True) for one in began
              if any(alerted[at] for at in one)]  # fmt: skip
    return Caught(len(began), len(delays), delays)


def run(data: Path | None, say: Say) -> Sequence[Figure]:
    """See the module's text."""
    del data
    say(f"features of {2 * CUSTOMERS * (KNOWN + TEST):,} payments, one after another")
    rows = rows_of(simulated(SEED, CUSTOMERS, KNOWN + TEST), np.float32)
    model = Fraud.load().model
    score = np.full(len(rows.label), -1.0)
    test = rows.day >= KNOWN
    score[test] = model.predict(rows.features[test].astype(np.float64))
    alerted = (score >= np.quantile(score[test], 1 - ALERTS, method="higher")).tolist()
    right = float((rows.label[np.array(alerted)] > 0).mean())
    figures = [figure(f"precision at {ALERTS:.0%} alerts", [right])]
    for kind in Planted:
        if not kind:
            continue
        of = caught(rows, alerted, kind, KNOWN, BEGIN)
        word = kind.name.lower()
        figures.append(
            figure(
                f"{word}: recall of episodes",
                [of.recall],
                reach=0.8,
                note=f"of {of.episodes}",
            )
        )
        if of.delays:
            figures.append(
                figure(f"{word}: delay, payments", [float(median(of.delays))], reach=3.0, up=False)
            )
    return figures


CASE = Case("scenarios", "fraud", "Planted frauds, scenario by scenario, at 1 % alerts", "", run)
