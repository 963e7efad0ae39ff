"""The 21 sensors of a turbofan: units, what can be, what is believable, what wears.

Names and units follow Saxena, Goebel, Simon and Eklund, "Damage Propagation Modeling for Aircraft
Engine Run-to-Failure Simulation" (PHM 2008). Two ranges with two consequences: outside
`possible` no sensor of that kind can be (the record is rejected, `out_of_range`); inside it but
outside `plausible`, which spans every flight condition with a margin, the sensor is broken (the
record is accepted and decided `sensor_fault`). A sentinel, the number an acquisition unit sends
instead of a measurement, also passes as a broken sensor.
"""

from typing import NamedTuple

SENTINELS = frozenset({-9999.0, -999.0, 9999.0, 32767.0, -32768.0, 65535.0})
"""Values that mean "no measurement": accepted, and outside every plausible range."""


class Sensor(NamedTuple):
    """One sensor. `noise` is the standard deviation of a healthy unit's readings from cycle to
    cycle; `wear` the sign of the drift as the unit wears (0: carries nothing about wear)."""

    name: str
    unit: str
    words: str
    possible: tuple[float, float]
    plausible: tuple[float, float]
    nominal: float = 0.0
    noise: float = 0.0
    wear: int = 0

    def believes(self, value: float) -> bool:
        """Whether this value can be a measurement of a working sensor."""
        return self.plausible[0] <= value <= self.plausible[1]


_HEAT, _PRESSURE, _SPEED, _RATIO, _FLOW = (0, 5e3), (0, 2e3), (0, 5e4), (0, 1e3), (0, 5e3)

ALL = (
    Sensor("T2", "°R", "fan inlet temperature", _HEAT, (380, 620)),
    Sensor("T24", "°R", "low-pressure compressor outlet temperature", _HEAT, (480, 800),
           642.3, 0.30, 1),
    Sensor("T30", "°R", "high-pressure compressor outlet temperature", _HEAT, (1100, 1900),
           1586.0, 4.0, 1),
    Sensor("T50", "°R", "low-pressure turbine outlet temperature", _HEAT, (800, 1800),
           1402.0, 4.0, 1),
    Sensor("P2", "psia", "fan inlet pressure", _PRESSURE, (1, 25)),
    Sensor("P15", "psia", "bypass duct pressure", _PRESSURE, (2, 40)),
    Sensor("P30", "psia", "high-pressure compressor outlet pressure", _PRESSURE, (60, 800),
           554.0, 0.41, -1),
    Sensor("Nf", "rpm", "fan speed", _SPEED, (1200, 3200), 2388.05, 0.030, 1),
    Sensor("Nc", "rpm", "core speed", _SPEED, (5500, 9990), 9055.0, 4.2, 1),
    Sensor("epr", "1", "engine pressure ratio", _RATIO, (0.4, 2.5)),
    Sensor("Ps30", "psia", "high-pressure compressor outlet static pressure", _PRESSURE, (20, 80),
           47.35, 0.10, 1),
    Sensor("phi", "pps/psi", "ratio of fuel flow to Ps30", _RATIO, (60, 800), 522.0, 0.30, -1),
    Sensor("NRf", "rpm", "corrected fan speed", _SPEED, (1200, 3200), 2388.05, 0.030, 1),
    Sensor("NRc", "rpm", "corrected core speed", _SPEED, (5500, 9990), 8138.0, 3.1, 1),
    Sensor("BPR", "1", "bypass ratio", _RATIO, (4, 20), 8.418, 0.020, 1),
    Sensor("farB", "1", "burner fuel-air ratio", _RATIO, (0.005, 0.1)),
    Sensor("htBleed", "1", "bleed enthalpy", _FLOW, (200, 600), 392.3, 0.94, 1),
    Sensor("Nf_dmd", "rpm", "demanded fan speed", _SPEED, (1200, 3200)),
    Sensor("PCNfR_dmd", "rpm", "demanded corrected fan speed", _RATIO, (40, 140)),
    Sensor("W31", "lbm/s", "high-pressure turbine coolant bleed", _FLOW, (3, 100),
           38.93, 0.10, -1),
    Sensor("W32", "lbm/s", "low-pressure turbine coolant bleed", _FLOW, (2, 60),
           23.36, 0.060, -1),
)  # fmt: skip

SENSORS = {sensor.name: sensor for sensor in ALL}
"""By name; a reading may carry any of these and no other."""

WEARING = tuple(sensor for sensor in ALL if sensor.wear)
"""The 14 sensors that a unit's state is made of, in the order of the state and the features."""
