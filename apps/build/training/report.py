"""The report of a trained model: `report.md` with the numbers, `report.svg` with curves."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.build.training.curves import Flags, Floats, Mark, Panel, at, ladder, svg
from stormwatch.models import Card

_BUDGETS = (1, 5, 10, 20, 50, 100, 200, 500, 1_000)


class Measured(NamedTuple):
    """What the model has not seen: scores, which of them are to be found, and of which days."""

    score: Floats
    fraud: Flags
    day: NDArray[np.int64]
    things: str = "payments"
    frauds: str = "frauds"
    """What is looked for, in words."""


def write(folder: Path, card: Card, test: Measured) -> None:
    """Of the scores of the days to measure on."""
    score, fraud, frauds = test.score, test.fraud, test.frauds
    days = max(1, len(set(test.day.tolist())))
    steps = ladder(score, fraud, days)
    chosen = [(name, at(limit, score, fraud, days)) for name, limit in card.thresholds.items()]
    daily = [step for step in steps if step.a_day <= max(5.0, 8 * chosen[0][1].a_day)]
    (folder / "report.svg").write_text(
        svg(
            f"{card.version}: {len(score):,} {test.things} of the last {days} days, "
            f"{int(fraud.sum()):,} {frauds}",
            [
                Panel(
                    "Precision and recall", f"recall: share of the {frauds} that are found",
                    f"precision: share of alerts that are {frauds}",
                    [(step.recall, step.precision) for step in steps],
                    [Mark(one.recall, one.precision, name) for name, one in chosen],
                ),
                Panel(
                    "What more reviews bring", "alerts a day", "recall",
                    [(step.a_day, step.recall) for step in daily],
                    [Mark(one.a_day, one.recall, name) for name, one in chosen],
                ),
            ],
        ),
        encoding="utf-8",
    )  # fmt: skip
    lines = [
        f"# {card.version}", "", f"Trained on {card.data}. Split {card.split}.", "",
        "![curves](report.svg)", "",
        "| alerts a day | threshold | precision | recall |", "|---|---|---|---|",
    ]  # fmt: skip
    for budget in _BUDGETS:
        within = [step for step in steps if step.a_day <= budget]
        if within and (len(within) < len(steps) or budget == _BUDGETS[0]):
            step = within[-1]
            lines.append(
                f"| up to {budget:,} | {step.score:.6f} | {step.precision:.1%} "
                f"| {step.recall:.1%} |"
            )
    lines += ["", "Chosen:", ""]
    lines += [
        f"- {name} from {card.thresholds[name]:.6f}: {one.a_day:,.1f} a day, of which "
        f"{one.precision:.1%} are {frauds}; {one.recall:.1%} of all {frauds}"
        for name, one in chosen
    ]
    lines += ["", "| measure | value |", "|---|---|"]
    lines += [f"| {name} | {value:.4f} |" for name, value in card.metrics.items()]
    lines += ["", *(f"- {note}" for note in card.notes)]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
