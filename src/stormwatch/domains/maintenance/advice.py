"""What an estimate of the remaining life means for whoever plans the service. Pure."""

from math import erf, sqrt

from stormwatch.domains.maintenance.equipment import Costs
from stormwatch.records import Reason

_END = 1.6449
"""Standard deviations of a normal distribution from its middle to either end of its middle 90 %."""
_NARROWEST = 0.5  # cycles: an estimate is never surer than that


def left_in_words(life: float, interval: tuple[float, float] | None) -> str:
    """The cycles left, with their interval where there is one."""
    said = f"about {life:.0f} operating cycles left"
    if interval is None:
        return said
    return f"{said} (in nine of ten cases {interval[0]:.0f} to {interval[1]:.0f})"


def risk(cycles: float, life: float, interval: tuple[float, float]) -> float:
    """The probability that the unit fails within so many cycles.

    By a normal distribution around `life` on either side, as wide as the interval is there.
    """
    low, high = interval
    side = life - low if cycles < life else high - life
    return 0.5 * (1.0 + erf((cycles - life) / max(side / _END, _NARROWEST) / sqrt(2.0)))


def advice(life: float, interval: tuple[float, float], costs: Costs) -> Reason:
    """Until when a service may wait, and what waiting costs on the average; weight: its risk."""
    wait = costs.wait_cycles
    fails = risk(wait, life, interval)
    cost = fails * costs.failure + (1.0 - fails) * costs.service
    calm = (
        f"within {interval[0]:.0f} cycles it fails in at most 5 of 100 cases"
        if interval[0] >= 1
        else "it may fail at any moment"
    )
    text = (
        f"{calm}; to wait {wait} cycles more is a failure in {100 * fails:.0f} of 100 cases and "
        f"costs {_amount(cost)} {costs.unit} on average, a service now {_amount(costs.service)}"
    )
    return Reason("waiting", text, round(fails, 6))


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
