"""The judge `any`: learns in one pass what is normal of each sensor of a unit; tells anomalies.

The first LEARNING readings of a sensor are kept; their median and MAD (times 1.4826: consistent for
normal noise) begin its normal. Then centre and spread are exponentially weighted means of what is
left of each reading when its distance r from the centre is cut, so that outliers do not drag them:
the robust recursions of Gelper, Fried and Croux, "Robust forecasting with exponential and
Holt-Winters smoothing", Journal of Forecasting 29 (2010),

    centre += a * psi(r / s) * s        psi(z): z within [-k, k], Huber
    s^2 = a * rho(r / s) * s^2 + (1 - a) * s^2    rho(z) = c (1 - (1 - (z / k)^2)^3), c beyond k

with k = 2, c = 2.52 (so that E rho = 1 for normal noise) and the weight a = 1 / (n + 1), at least
ALPHA. A distance is measured in sigmas: s, but never less than the smallest step that the sensor
was ever seen to make, so that what is quantised, a switch too, is not odd for moving by one step.

The score of a reading is how surprising it is that its sensors are so far off (see `surprise`):
from a level with a wave of one day, by event time, which follow by gradient steps (least mean
squares). These distances are in units of the sensor's mean distance from its far mean.

A reading is judged by what was known before it, and learned if it is newer than what the sensor has
learned: each sensor has its own time and count, so that sensors may come one a record, at several
rates, appear and vanish. MOST_SENSORS are remembered, the one not heard of for longest leaves.
"""

from stormwatch.domains.maintenance.equipment import Equipment, Sensor
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.findings import Finding, Findings
from stormwatch.domains.maintenance.measuring import Column, Measuring, column_of
from stormwatch.domains.maintenance.normals import SIZE, Normals, digest_of

_PLANS = 1024  # sets of sensors that are kept ready


class Anomalies:
    """The judge of one equipment type."""

    def __init__(self, equipment: Equipment) -> None:
        self._sensors = equipment.sensors
        self._digests = {digest_of(name): name for name in equipment.sensors}
        self._plans: dict[tuple[str, ...], tuple[Column | None, ...]] = {}

    def advance(
        self, body: bytes, reading: Reading, since: int, *, is_usual: bool = True
    ) -> tuple[bytes, Findings]:
        """What is known of the unit after `reading`, and what there is to say of it.

        Nothing of before `since`, ms, is learned. How far off the unit is counts for what is usual
        if `is_usual`. Raises StateError for a `body` of another layout.
        """
        names = tuple(reading.sensors)
        plan = self._plans.get(names) or self._plan(names)
        known = Normals(body, reading.unit)
        work = Measuring(known, reading.time, since)
        for column, value in zip(plan, reading.sensors.values(), strict=True):
            if column is None:
                continue
            if not column.low <= value <= column.high:
                work.found.append(Finding("implausible", column.name, value))
            elif column.is_counter:
                work.count(value, column)
            else:
                work.take(value, column)
        if len(known.rows) > SIZE * len(plan):
            work.miss(plan, self._digests)
        findings = work.findings(is_usual=is_usual)
        return (known.packed if findings.learned else body), findings

    def _plan(self, names: tuple[str, ...]) -> tuple[Column | None, ...]:
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        plan = tuple(column_of(self._sensors.get(name) or Sensor(name=name)) for name in names)
        self._plans[names] = plan
        return plan
