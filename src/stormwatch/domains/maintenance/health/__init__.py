"""Sensor health before machine health: which sensor is at fault, and with what.

`suspects` watches the few sensors of a unit that began to read as never before until it can name
what is wrong with them, `clock` watches the times of the unit's readings. Both are pure and of
bounded size; whoever knows what is normal of a sensor (the judge `any`, the remaining-life model)
hands them distances from it in sigmas.
"""

from stormwatch.domains.maintenance.health.suspects import (
    KINDS,
    LONGEST,
    OUT,
    START,
    Look,
    Named,
    Suspects,
)

__all__ = ["KINDS", "LONGEST", "OUT", "START", "Look", "Named", "Suspects"]
