"""The sensors that the remaining-life model is made of: those of the shipped type turbofan."""

from stormwatch.domains.maintenance.equipment import Sensor, shipped

SENTINELS = frozenset({-9999.0, -999.0, 9999.0, 32767.0, -32768.0, 65535.0})
"""Values that mean "no measurement": accepted, and outside every plausible range."""

SENSORS: dict[str, Sensor] = shipped("turbofan").sensors
"""By name; a reading of a turbofan may carry any of these and no other."""
ALL = tuple(SENSORS.values())
WEARING = tuple(sensor for sensor in ALL if sensor.wear)
"""The sensors that a turbofan's state is made of, in the order of the state and the features."""
