"""Turbofans in six flight conditions, of our own simulator (`apps.data.generate.flights`).

A seed at a time: 200 engines run to failure to learn from (every second reading, to be quick) and
50 others, each estimated at 20 random cycles from the 30th on; labels capped at 125 cycles. The
same learner twice: with the conditions that are found in the training settings, each sensor taken
from what is normal there; and without, every sensor taken from the mean of all. What the conditions
are the learner is not told.
"""

from collections.abc import Sequence
from pathlib import Path

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.build.training.engines import Engine, Unit, engine, simulated
from apps.build.training.regimes import discover, pooled
from apps.build.training.remaining_life import cut, estimator, fit, metrics
from apps.data.generate.flights import flights
from stormwatch.domains.maintenance.features import Normal

SEEDS = (1, 2, 3, 4, 5)
TRAIN, TEST = 200, 50
REACH = 0.6


def run(data: Path | None, say: Say) -> Sequence[Figure]:
    """RMSE with and without conditions, and their ratio."""
    del data
    within, without, score = [], [], []
    for seed in SEEDS:
        units = simulated(flights(seed, units=TRAIN + TEST), TRAIN + TEST)
        found = [
            estimated(units[:TRAIN], units[TRAIN:], normal, seed)
            for normal in (Normal(discover(units[:TRAIN])), Normal(pooled(units[:TRAIN])))
        ]
        within.append(found[0]["rmse"])
        score.append(found[0]["nasa_score"])
        without.append(found[1]["rmse"])
        say(f"seed {seed}: RMSE {within[-1]:.2f} with conditions, {without[-1]:.2f} without")
    ratio = [a / b for a, b in zip(within, without, strict=True)]
    return [
        figure("six conditions, RMSE, cycles", within, up=False),
        figure("six conditions, NASA score of 100 estimates", score, up=False),
        figure("without conditions, RMSE, cycles", without, up=False),
        figure("RMSE with conditions, of that without", ratio, up=False, reach=REACH),
    ]


def estimated(
    train: Sequence[Unit], test: Sequence[Unit], normal: Normal, seed: int
) -> dict[str, float]:
    """RMSE and score of the learner on `test`."""
    learned = [engine(unit, normal) for unit in train]
    estimate = estimator(fit([Engine(e.rows[::2], e.life[::2]) for e in learned], seed))
    known = [engine(unit, normal) for unit in test]
    return metrics(cut(known, [estimate(each.rows) for each in known], seed))


CASE = Case("conditions", "maintenance", "Turbofans in six flight conditions", "", run)
