"""Readings of turbofans in trouble, for whoever compares two ways to learn them."""

import random
from itertools import islice
from typing import Any

import msgspec

from apps.data.generate.readings import HOUR, readings
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading, UnitEvent

NEVER_LATE = 4_102_444_800_000
_DOMAIN = Maintenance.load()
_HAPPENED = ("maintenance", "overhaul", "failure", "check")


def troubled(seed: int, count: int) -> list[Reading]:
    """Of eight units: sensors at fault, gone and stuck, other conditions and types, late readings,
    readings out of order, counters that begin again, and events."""
    draw = random.Random(seed)
    at_fault: dict[str, tuple[str, float]] = {}
    made = []
    for one in islice(readings(seed, units=8), count):
        event = _DOMAIN.parse(one.value, NEVER_LATE)
        assert isinstance(event, Reading)
        sensors = dict(event.sensors)
        if draw.random() < 0.03:
            at_fault[event.unit] = draw.choice(["T24", "P30", "Nf"]), draw.choice([0.0, 0.5, 1.03])
        name, factor = at_fault.get(event.unit, ("T24", 1.0))
        sensors[name] *= factor if draw.random() < 0.8 else 1.0
        if draw.random() < 0.05:
            sensors[draw.choice(["T30", "W31"])] = draw.choice([-9999.0, 500.0])
        for gone in draw.sample(sorted(sensors), draw.choice([0] * 9 + [1, 5])):
            del sensors[gone]
        changed: dict[str, Any] = {"sensors": sensors}
        for share, field, value in (
            (0.02, "settings", (35.0, 0.84, 60.0)), (0.005, "settings", ()), (0.01, "cycle", 1),
            (0.02, "time", event.time + draw.randint(-30, 30) * HOUR),
            (0.01, "event", UnitEvent(draw.choice(_HAPPENED))), (0.01, "equipment", "turbofan"),
            (0.005, "event", UnitEvent("sensor_replaced", "T24")), (0.01, "equipment", "any"),
        ):  # fmt: skip
            if draw.random() < share:
                changed[field] = value
        made.append(msgspec.structs.replace(event, **changed))
    for at in range(count - 30):
        if draw.random() < 0.03:
            other = at + draw.randint(1, 29)
            made[at], made[other] = made[other], made[at]
    return made
