"""Alert rows of a unit that fails: turbofans of the project's own generator, to their failure.

Of UNITS units of each of 5 seeds, from new to failed, each reading is decided by the shipped model
through the domain's `advance`, `decide` and `settle`, one after another. An alert row is what is
written to the table of alerts. The baseline is a row for each reading whose outcome is one of the
alerts, which is what there was before alarms had episodes. A unit is warned if an alert says
`service` before its last cycle.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.data.generate.readings import readings
from stormwatch.domains.maintenance import ALERT_OUTCOMES, Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.state import UnitState

UNITS, SEEDS = 30, 5
NEVER_LATE = 10**14
EARLY = 60
"""Cycles left from which up a `service` is too early."""


class Step(NamedTuple):
    """One reading of a unit, decided."""

    unit: str
    life: int  # cycles left
    outcome: str
    is_alert: bool


class Lived(NamedTuple):
    """What came of one unit from new to failed."""

    rows: int  # alert rows
    readings: int  # readings whose outcome is one of the alerts
    is_warned: bool
    is_early: bool


def steps(seed: int, units: int) -> Iterator[Step]:
    """The first `units` units of a fleet, each to its failure, decided as the bolt does."""
    domain, states, left = Maintenance.load(), defaultdict[str, UnitState](UnitState), units
    for made in readings(seed, units=units):
        event = domain.parse(made.value, NEVER_LATE)
        assert isinstance(event, Reading), event
        if int(event.unit.rpartition("/")[2]) > units:
            continue
        state = states[event.unit]
        row, carry = domain.advance(state, event)
        (verdict,) = domain.decide([event], [row], [carry])
        verdict = domain.settle(state, event, verdict)
        is_alert = verdict.outcome in ALERT_OUTCOMES and verdict.alert is not False
        yield Step(event.unit, made.life, verdict.outcome, is_alert)
        left -= made.life == 0
        if not left:
            return


def lived(of: Iterable[Step]) -> list[Lived]:
    """Each unit that failed."""
    by_unit: dict[str, list[Step]] = defaultdict(list)
    for step in of:
        by_unit[step.unit].append(step)
    return [
        Lived(
            sum(step.is_alert for step in unit),
            sum(step.outcome in ALERT_OUTCOMES for step in unit),
            any(step.outcome == "service" and step.is_alert and step.life > 0 for step in unit),
            any(step.outcome == "service" and step.life >= EARLY for step in unit),
        )
        for unit in by_unit.values()
        if unit[-1].life == 0
    ]


def run(data: Path | None, say: Say) -> list[Figure]:
    """See above."""
    fleets = []
    for seed in range(1, SEEDS + 1):
        say(f"  seed {seed} of {SEEDS}")
        fleets.append(lived(steps(seed, UNITS)))

    def mean(name: str) -> list[float]:
        return [sum(getattr(one, name) for one in fleet) / len(fleet) for fleet in fleets]

    many = [sum(one.rows > 2 for one in fleet) / len(fleet) for fleet in fleets]
    before = sum(mean("readings")) / SEEDS
    return [
        figure("alert rows a failing unit", mean("rows"), baseline=before, reach=2.0, up=False,
               note="baseline: a row for each reading that would be an alert"),
        figure("failing units with more than 2 alert rows, share", many, up=False),
        figure("failing units warned before their last cycle, share", mean("is_warned")),
        figure(f"units due for service {EARLY} cycles or more before they fail, share",
               mean("is_early"), up=False),
    ]  # fmt: skip


CASE = Case("alarms", "maintenance", "alert rows of a unit that fails (own generator)", "", run)
