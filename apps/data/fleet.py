"""An equipment type from a sample of a fleet: what is normal of each sensor, to begin with."""

from collections.abc import Iterable
from math import hypot
from statistics import median

from stormwatch.domains.maintenance.anomalies import Anomalies
from stormwatch.domains.maintenance.equipment import read, shipped
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.normals import known_of
from stormwatch.errors import SettingsError

SAMPLE = 100_000
"""Readings that are looked at, at most."""


def learned(name: str, readings: Iterable[Reading]) -> str:
    """The TOML of a type `name`, its sensors in the order of their coming.

    `nominal` is the middle of what is normal of the units, `noise` the typical spread of one unit
    with that of the units' normals in it. A sensor of which no unit had enough readings, or that
    never moved, has neither. Raises SettingsError for a name that no type can have, or no readings.
    """
    judge, bodies, names = Anomalies(shipped("any")), dict[str, bytes](), dict[str, None]()
    count = 0
    for reading in readings:
        if reading.event is None:
            count += 1
            names |= dict.fromkeys(reading.sensors)
            bodies[reading.unit], _ = judge.advance(bodies.get(reading.unit, b""), reading, 0)
    if not count:
        raise SettingsError("There is no reading in the sample: nothing can be learned of it.")
    lines = [
        f"# Learned of {count:,} readings of {len(bodies):,} units. Say what each sensor is.",
        f'name = "{name}"', 'version = "1"', "",
    ]  # fmt: skip
    for sensor in names:
        lines.append(f"[sensors.{_key(sensor)}]")
        found = [known_of(body, sensor, unit) for unit, body in bodies.items()]
        if normal := _fleet([one for one in found if one is not None]):
            lines += [f"nominal = {normal[0]:.6g}", f"noise = {normal[1]:.3g}"]
        lines.append("")
    text = "\n".join(lines)
    read(text, "the learned type")
    return text


def _fleet(units: list[tuple[float, float]]) -> tuple[float, float] | None:
    if not units:
        return None
    centre = median(one for one, _ in units)
    apart = 1.4826 * median(abs(one - centre) for one, _ in units)
    noise = hypot(apart, median(spread for _, spread in units))
    return (float(centre), noise) if noise > 0 else None


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("-", "_").isidentifier()
    return name if plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
