"""The shipped model where it has not been: turbofans in six flight conditions.

The shipped model knows one condition. Units of our simulator that fly in six (and those of any
C-MAPSS set in the data folder that has several) go through the shipped domain, a reading at a time.
A reading is marked if the decision says so: it is `unknown_regime`, or has that reason beside a
broken sensor. A silence is a reading with 20 cycles left or fewer that was told `healthy`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.build.training.engines import Unit, run_to_failure, sets, simulated
from apps.build.training.regimes import discover
from apps.data.generate.flights import flights
from stormwatch.domains.maintenance import Maintenance
from stormwatch.state.judge import Verdict

SEEDS = (1, 2, 3, 4, 5)
UNITS = 20
NEAR = 20.0
"""Cycles before failure."""


class Told(NamedTuple):
    """Of the readings of one fleet."""

    marked: float  # share
    silent: int  # healthy within NEAR cycles of failure


def run(data: Path | None, say: Say) -> Sequence[Figure]:
    """Marked readings and silences of simulated fleets and C-MAPSS sets of several conditions."""
    domain = Maintenance.load()
    found = []
    for seed in SEEDS:
        found.append(told(domain, simulated(flights(seed, units=UNITS), UNITS)))
        say(f"seed {seed}: {found[-1].marked:.1%} marked, {found[-1].silent} silent")
    out = _figures("six conditions", found)
    folder = data / "cmapss" if data else None
    for name in sets(folder) if folder else ():
        assert folder is not None
        units = run_to_failure(folder, name)
        if len(discover(units).known) > 1:
            out += _figures(name, [told(domain, units)])
    return out


def _figures(name: str, found: Sequence[Told]) -> list[Figure]:
    return [
        figure(f"{name}, readings marked", [each.marked for each in found], reach=0.95),
        figure(
            f"{name}, healthy within {NEAR:.0f} cycles of failure",
            [float(each.silent) for each in found], up=False, reach=0.0,
        ),
    ]  # fmt: skip


def told(domain: Maintenance, units: Iterable[Unit]) -> Told:
    """What a domain says of fleets that it may not know."""
    readings = marked = silent = 0
    for unit in units:
        state = domain.new_state()
        made = [domain.advance(state, reading) for reading in unit.readings]
        verdicts = domain.decide(unit.readings, *zip(*made, strict=True))
        for verdict, left in zip(verdicts, unit.left.tolist(), strict=True):
            readings += 1
            marked += is_marked(verdict)
            silent += verdict.outcome == "healthy" and left <= NEAR
    return Told(marked / readings, silent)


def is_marked(verdict: Verdict) -> bool:
    """Whether it says that the model has not been there."""
    return any(reason.code == "unknown_regime" for reason in verdict.reasons)


CASE = Case("unknown-conditions", "maintenance", "The shipped model in unknown conditions", "", run)
