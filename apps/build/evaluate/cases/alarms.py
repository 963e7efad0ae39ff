"""Alert rows of a unit that fails: turbofans of the project's own generator, to their failure.

Of UNITS units of each of 5 seeds, from new to failed, each reading is decided by the shipped model
through the domain's `advance`, `decide` and `settle`, one after another. An alert row is what is
written to the table of alerts. The baseline is a row for each reading whose outcome is one of the
alerts, which is what there was before alarms had episodes. A unit is warned if an alert says
`service` before its last cycle.

The same units once more with buffers: of each BURST readings the newest comes first and then the
others in order, as after a lost connection (what its last buffer tells of a unit is told after its
last cycle). `not learned` are readings that came too late for that.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.data.generate.readings import readings
from stormwatch.domains.maintenance import ALERT_OUTCOMES, Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.records import NOT_LEARNED

UNITS, SEEDS = 30, 5
BURST = 24
NEVER_LATE = 10**14
EARLY = 60
"""Cycles left from which up a `service` is too early."""


class Step(NamedTuple):
    """One reading of a unit, decided."""

    unit: str
    life: int  # cycles left
    outcome: str
    is_alert: bool
    is_learned: bool = True


class Lived(NamedTuple):
    """What came of one unit from new to failed."""

    rows: int  # alert rows
    readings: int  # readings whose outcome is one of the alerts
    is_warned: bool
    is_early: bool
    is_called: bool  # to service, by any reading


def fleet(seed: int, units: int) -> list[list[tuple[Reading, int]]]:
    """The readings of the first `units` units of a fleet, each to its failure, and cycles left."""
    parse = Maintenance.load().parse
    found: list[list[tuple[Reading, int]]] = [[] for _ in range(units)]
    left = units
    for made in readings(seed, units=units):
        number = int(made.key.rpartition(b"/")[2])
        if number <= units:
            event = parse(made.value, NEVER_LATE)
            assert isinstance(event, Reading), event
            found[number - 1].append((event, made.life))
            left -= made.life == 0
            if not left:
                break
    return found


def buffered(
    of: Sequence[tuple[Reading, int]], burst: int = BURST
) -> list[tuple[Reading, int]]:  # fmt: skip
    """The same readings, of each `burst` the newest first."""
    some = [of[start : start + burst] for start in range(0, len(of), burst)]
    return [each for one in some for each in (one[-1], *one[:-1])]


def steps(of: Iterable[tuple[Reading, int]]) -> Iterator[Step]:
    """The readings of one unit, decided as the bolt does."""
    domain, state = Maintenance.load(), UnitState()
    for event, life in of:
        row, carry = domain.advance(state, event)
        (verdict,) = domain.decide([event], [row], [carry])
        verdict = domain.settle(state, event, verdict)
        is_alert = verdict.outcome in ALERT_OUTCOMES and verdict.alert is not False
        yield Step(event.unit, life, verdict.outcome, is_alert, verdict.noted != NOT_LEARNED)


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
            any(step.outcome == "service" and step.is_alert for step in unit),
        )
        for unit in by_unit.values()
        if any(step.life == 0 for step in unit)
    ]


def run(data: Path | None, say: Say) -> list[Figure]:
    """See above."""
    fleets, late, unlearned = [], [], []
    for seed in range(1, SEEDS + 1):
        say(f"  seed {seed} of {SEEDS}")
        units = fleet(seed, UNITS)
        fleets.append(lived(step for unit in units for step in steps(unit)))
        came = [step for unit in units for step in steps(buffered(unit))]
        late.append(lived(came))
        unlearned.append(1 - sum(step.is_learned for step in came) / len(came))

    def mean(name: str, of: list[list[Lived]] = fleets) -> list[float]:
        return [sum(getattr(one, name) for one in units) / len(units) for units in of]

    many = [sum(one.rows > 2 for one in units) / len(units) for units in fleets]
    before = sum(mean("readings")) / SEEDS
    return [
        figure("alert rows a failing unit", mean("rows"), baseline=before, reach=2.0, up=False,
               note="baseline: a row for each reading that would be an alert"),
        figure("failing units with more than 2 alert rows, share", many, up=False),
        figure("failing units warned before their last cycle, share", mean("is_warned")),
        figure(f"units due for service {EARLY} cycles or more before they fail, share",
               mean("is_early"), up=False),
        figure("failing units called to service at all, with buffers, share",
               mean("is_called", late)),
        figure("alert rows a failing unit, with buffers", mean("rows", late), up=False),
        figure("readings not learned, with buffers, share", unlearned, up=False),
    ]  # fmt: skip


CASE = Case("alarms", "maintenance", "alert rows of a unit that fails (own generator)", "", run)
