"""Readings of machines and events of their lives, as they travel between components.

Wire format: schema/readings.md.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta


class UnitEvent(msgspec.Struct, frozen=True, array_like=True):
    """What happened to a unit: it is in the log with the readings, so that their order is known."""

    kind: str  # a key of `equipment.document.EVENTS`
    sensor: str = ""  # of sensor_replaced
    until: int = 0  # of window: ms since the epoch, UTC
    words: str = ""  # of whoever reported it


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """Sensors of one unit at one time; or, with `event`, something that happened to it."""

    id: str
    unit: str  # a turbofan's is fleet/run/number, e.g. "FD001/r1/42"; also the record's Kafka key
    time: int  # ms since the epoch, UTC
    cycle: int  # operating cycles since the unit was new, >= 1; 0: not told
    settings: tuple[float, ...]  # operating settings, e.g. altitude, Mach, throttle
    sensors: dict[str, float]  # name -> finite value, units by the type's sensor
    equipment: Annotated[str, Meta(examples=["any"])] = ""
    """Name of the unit's type; "": the one that the settings name."""
    event: Annotated[UnitEvent | None, Meta(examples=[None])] = None
    learn_only: Annotated[bool, Meta(examples=[False])] = False
    """History: learned, and not judged."""

    @property
    def entity(self) -> str:
        return self.unit

    @property
    def content(self) -> Any:
        """What makes it another record, whether it is history or not; of a plain reading what it
        was before there was more."""
        if self.event is None and not self.equipment:
            return (self.id, self.unit, self.time, self.cycle, self.settings, self.sensors)
        return msgspec.structs.replace(self, learn_only=False) if self.learn_only else self
