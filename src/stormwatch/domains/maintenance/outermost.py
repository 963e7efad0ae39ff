"""Which sensors of a reading are farthest from what is normal of them, and how far."""

from stormwatch.domains.maintenance.findings import Finding
from stormwatch.domains.maintenance.health import Look
from stormwatch.domains.maintenance.surprise import Distances

DRIFTS, SLOWLY, ALONE, RARE_DRIFT = 2.5, 0.9, 0.4, 2.0
"""A sensor drifts if its far distance is so large, was nearly so before the reading, no other has
such a part of it, and it surprises by so many decades."""
_WIDE = 4.0  # sigmas: as much at least counts as seen
_NOBODY = ("near", "", 0.0)
_NO_LOOK = Look(0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Outermost:
    """The largest distances of a reading: near, far, beyond; and the sensors that have them."""

    __slots__ = ("_drifts", "_leads", "_second", "beyond", "far", "farthest", "near")

    def __init__(self) -> None:
        self.near = self.far = self.beyond = 0.0
        self.farthest = _NO_LOOK
        self._second, self._drifts = 0.0, False
        self._leads: list[tuple[str, str, float, float, float, float] | tuple[str, str, float]] = [
            _NOBODY, _NOBODY, _NOBODY,
        ]  # fmt: skip

    @property
    def distances(self) -> Distances:
        """All three."""
        return self.near, self.far, self.beyond

    def compare(
        self, name: str, look: Look, rest: float, near: float, far: float, unit: float, *,
        is_sure: bool,
    ) -> None:  # fmt: skip
        """Take a sensor whose value is `rest` off, its means `near` and `far`.

        `is_sure`: whether it is known for long, and the reading is learned.
        """
        apart = (near if near > 0.0 else -near) / unit
        if (alone := (rest if near > 0.0 else -rest) / unit) < apart:
            apart = alone  # a reading is not off because one before it was
        if apart > self.near:
            self.near = apart
            self._leads[0] = ("near", name, look.value, look.value - rest, unit, apart)
        apart = (far if far > 0.0 else -far) / unit
        if apart > self.far:
            self.far, self._second = apart, self.far
            before = look.before * look.sigma / unit
            self._drifts = is_sure and SLOWLY * apart <= (before if far > 0.0 else -before)
            self._leads[1] = ("off", name, look.value, look.value - rest, unit, apart)
            self.farthest = look
        elif apart > self._second:
            self._second = apart

    def outside(self, name: str, look: Look, low: float, high: float) -> None:
        """Take a value outside `low` to `high`, all that was seen, as distances from its normal."""
        distance = look.value - look.centre
        apart = (distance - high if distance > high else low - distance) / max(
            high - low, look.sigma * _WIDE
        )
        if apart > self.beyond:
            self.beyond = apart
            ends = look.centre + low, look.centre + high
            self._leads[2] = ("beyond", name, look.value, *ends, apart)

    def leads(self, parts: Distances, told: set[str]) -> list[Finding]:
        """The sensors that make the reading surprising by `parts`, but those that were told."""
        return [
            Finding(*lead)
            for part, lead in zip(parts, self._leads, strict=True)
            if part >= 1.0 and lead[1] not in told
        ]

    def shares(self, parts: Distances) -> list[tuple[float, Finding]]:
        """What each distance adds to the score, with the sensor that has it."""
        leads = zip(parts, self._leads, strict=True)
        return [(part, Finding(*lead)) for part, lead in leads if part]

    def drifter(self, parts: Distances) -> str:
        """The name of a sensor that goes away by degrees, alone of all; "": none does."""
        is_alone = self._drifts and self.far >= DRIFTS and self._second <= ALONE * self.far
        return self._leads[1][1] if is_alone and parts[1] >= RARE_DRIFT else ""
