"""A machine reading, as it travels between components. Wire format: schema/readings.md."""

import msgspec


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """All sensors of one unit at the end of one operating cycle."""

    id: str
    unit: str  # fleet/run/number, e.g. "FD001/r1/42"; also the record's Kafka key
    time: int  # ms since the epoch, UTC
    cycle: int  # operating cycles since the unit was new, >= 1
    settings: tuple[float, ...]  # operating settings, e.g. altitude, Mach, throttle
    sensors: dict[str, float]  # name -> finite value, units by sensor (schema/readings.md)

    @property
    def entity(self) -> str:
        return self.unit
