"""Sensors under suspicion: from the first odd reading until what is wrong can be named.

A sensor becomes a suspect by a value farther off than any before (START sigmas), or by one value
again and again as never before. From then on counts of its distances z from what is normal, sigmas,
tell what it is:

- `offset`: all are off to one side, and as steady as ever; `drift`: the same, reached by degrees;
- `unit`: they are what is normal in another unit; `swapped`: in the place of another suspect;
- `spikes`: some are far off, each comes back at once, and between them all is as ever;
- `noise`: they are scattered widely about what is normal;
- `dropout`: 0, again and again, where 0 is far from normal; or the sensor is absent;
- `clipping`: the outermost value is one and the same again and again.

Where more than a few sensors are off in the same reading it is the machine that changed: none of
them becomes a suspect. Named, a sensor stays so until it reads as ever for a while, or for LONGEST
readings: then what it shows is learned anew. MOST are watched at a time.
"""

from collections.abc import Sequence
from math import copysign, sqrt
from struct import Struct
from typing import Any, NamedTuple

from stormwatch.domains.maintenance.health import units

KINDS = ("", "drift", "offset", "spikes", "noise", "dropout", "unit", "clipping", "swapped")
"""What is wrong with a sensor; the first: not known yet."""
MOST = 2
START, OUT, CALM = 4.5, 3.5, 2.0
"""Sigmas: a new extreme that makes a suspect; one that is off; and less than that is as ever."""
LONGEST = 300
"""Readings after which a sensor that is still at fault is learned anew."""
DRIFTED = 0.8
"""Sigmas that the mean of a sensor was off before it became a suspect: then it drifts."""
GROWN = 0.8
"""Sigmas that its mean rises from its first readings as a suspect to the later ones: likewise."""
EARLY, _SURELY = 6, 30  # readings: the first ones, and how many are asked for near the limit
_FAR = 6.0  # sigmas: what jumps so far does not drift
SLOWLY = 60  # readings as ever, after which a suspect is none, or one that comes and goes heals
_SOON = 8  # the same of one that stays off
_ROW = Struct("<BBH12B6f")
_FLOAT32, _FLOATS = Struct("<f"), Struct("<2f")
_CLIPPING = KINDS.index("clipping")
_FULL = 255


class Look(NamedTuple):
    """One sensor in one reading."""

    place: int  # a small number of the sensor
    z: float
    value: float
    centre: float
    sigma: float
    before: float  # how far the mean of the readings before was off, sigmas


class Named(NamedTuple):
    """What is wrong with a sensor."""

    place: int
    kind: str
    age: int  # readings since it became a suspect
    mean: float  # of its distances, sigmas
    spread: float
    unit: str  # of kind `unit`, in words
    partner: int  # of kind `swapped`: place of the other sensor


class _Suspect:
    """Counts of a suspect's readings."""

    __slots__ = (
        "age", "before", "bottom", "bottoms", "calm", "early", "fits", "kind", "mean", "mids",
        "outs", "partner", "place", "returns", "squares", "swaps", "top", "tops", "unit", "was_out",
        "zeros",
    )  # fmt: skip

    age: int
    outs: int
    calm: int
    kind: int
    tops: int
    bottoms: int

    def __init__(self, row: tuple[Any, ...]) -> None:
        (
            self.place, self.kind, self.age, self.outs, self.mids, self.returns, self.calm,
            self.unit, self.fits, self.swaps, self.zeros, self.tops, self.bottoms, self.was_out,
            self.partner, self.mean, self.squares, self.top, self.bottom, self.before,
            self.early,
        ) = row  # fmt: skip

    def packed(self) -> bytes:
        """As it is kept."""
        counts: tuple[int, ...] = (
            self.outs, self.mids, self.returns, self.calm, self.unit, self.fits, self.swaps,
            self.zeros, self.tops, self.bottoms, self.was_out, self.partner,
        )  # fmt: skip
        if max(counts) > _FULL:
            counts = tuple(each if each < _FULL else _FULL for each in counts)
        age = self.age if self.age < 65535 else 65535
        return _ROW.pack(
            self.place, self.kind, age, *counts, self.mean, self.squares, self.top, self.bottom,
            self.before, self.early,
        )  # fmt: skip

    def meet(self, look: Look) -> None:
        """Count a reading."""
        clipped = look.z if -1e6 < look.z < 1e6 else max(-1e6, min(look.z, 1e6))
        if self.age < _FULL:  # later counts are of no use
            z, value = _FLOATS.unpack(_FLOATS.pack(clipped, look.value))
            size = z if z > 0.0 else -z
            is_out = size >= OUT
            self.age += 1
            if is_out:
                self.outs += 1
                if look.value == 0.0:
                    self.zeros += 1
                else:
                    self._fit(look)
            else:
                self.mids += size >= CALM
                if self.was_out:
                    self.returns += 1
            step = z - self.mean
            self.mean += step / self.age
            self.squares += step * (z - self.mean)
            if self.age == EARLY:
                self.early = self.mean
            if value >= self.top or self.age == 1:
                self.tops = self.tops + 1 if value == self.top else 1
                self.top = value
            if value <= self.bottom or self.age == 1:
                self.bottoms = self.bottoms + 1 if value == self.bottom else 1
                self.bottom = value
        else:
            (z,) = _FLOAT32.unpack(_FLOAT32.pack(clipped))
            is_out = not -OUT < z < OUT
            self.age += 1
        is_pinned = self.kind == _CLIPPING and look.value in (self.top, self.bottom)
        self.calm = 0 if is_out or is_pinned else self.calm + 1
        self.was_out = int(is_out)

    def _fit(self, look: Look) -> None:
        """Count a value that is far off and would be normal in another unit."""
        if not self.fits:
            self.unit = units.match(look.value, look.centre, look.sigma)
        if self.unit and units.fits(self.unit, look.value, look.centre, look.sigma):
            self.fits += 1

    @property
    def spread(self) -> float:
        """Standard deviation of its distances."""
        return sqrt(max(self.squares, 0.0) / max(min(self.age, _FULL) - 1, 1))

    def name(self) -> str:
        """What is wrong, as far as it can be told."""
        age = self.age
        most = 0.8 * age
        if self.zeros >= 2:
            return "dropout"
        if age < 5:
            return ""
        if self.swaps >= most or self.fits >= most:
            return "swapped" if self.swaps >= most else "unit"
        if age >= 16 and self._is_clipped():
            return "clipping"
        kind = self._name_of_some() if age >= 24 else ""
        return kind or (self._name_of_offset() if self.outs >= most else "")

    def _name_of_some(self) -> str:
        """Of a sensor that is off now and then."""
        age, outs = self.age, self.outs
        some = 0.2 * (age - outs)
        if self.returns >= 3 and outs <= 0.3 * age and self.mids < some:
            return "spikes"
        is_often = outs >= max(3, 0.08 * age) and self.mids >= some
        return "noise" if is_often and self.spread >= max(2.2, abs(self.mean)) else ""

    def _name_of_offset(self) -> str:
        """Of a sensor that is off nearly always: whether it stays so, and came there slowly."""
        age, off = self.age, abs(self.mean)
        is_sure = (age >= 10 and off >= _FAR) or age >= _SURELY
        if not is_sure or self.spread > max(2.5, 0.25 * off):
            return ""
        grown = (self.mean - self.early) * copysign(age / max(age - EARLY, 1), self.mean)
        came_slowly = abs(self.before) >= DRIFTED or (grown >= GROWN and off < _FAR)
        return "drift" if came_slowly else "offset"

    def _is_clipped(self) -> bool:
        hits = 0 if self.top == self.bottom else max(
            0 if self.top == 0 else int(self.tops), 0 if self.bottom == 0 else int(self.bottoms)
        )  # fmt: skip
        return hits >= max(4, 0.08 * self.age) and float(self.outs) <= 0.08 * self.age

    def is_over(self) -> bool:
        """Whether it reads as ever again, or was watched for long enough."""
        kind = KINDS[self.kind]
        stays = kind in ("offset", "drift", "unit", "swapped")
        return self.calm >= (_SOON if stays else SLOWLY)


class Suspects:
    """The suspects of one unit."""

    def __init__(self, body: bytes) -> None:
        made = (_Suspect(row) for row in _ROW.iter_unpack(body))
        self.by_place = {each.place: each for each in made}

    @property
    def packed(self) -> bytes:
        """As they are kept."""
        return b"".join(each.packed() for each in self.by_place.values())

    def named(self, place: int) -> bool:
        """Whether it is known what is wrong with a sensor."""
        return place in self.by_place and self.by_place[place].kind > 0

    def kind(self, place: int) -> str:
        """What is wrong with a sensor; "": nothing, or it is not known."""
        return KINDS[self.by_place[place].kind] if place in self.by_place else ""

    def look(
        self, looks: Sequence[Look], others: int, off: int
    ) -> tuple[list[Named], list[int], list[int]]:
        """Learn one reading; what is wrong with which sensor, whose normal is to begin anew, and
        which read as ever again.

        `looks`: of sensors that are suspects, or began to read as never before. `others`: sensors
        that were judged; `off`: how many of them are.
        """
        is_machine = off > max(MOST, others // 3)
        for look in looks:
            suspect = self.by_place.get(look.place)
            if suspect is None:
                if is_machine or not self._has_room(is_far=abs(look.z) >= START):
                    continue
                suspect = _Suspect((look.place, 0, *[0] * 13, *[0.0] * 4, look.before, 0.0))
                self.by_place[look.place] = suspect
            suspect.meet(look)
        self._pair([look for look in looks if look.place in self.by_place])
        if is_machine:
            young = [each.place for each in self.by_place.values() if not each.kind]
            for place in young:
                del self.by_place[place]
        met = {look.place for look in looks}
        named, anew, healed = [], [], []
        for suspect in list(self.by_place.values()):
            if suspect.place not in met:
                continue
            if not suspect.kind:
                suspect.kind = KINDS.index(suspect.name())
            if suspect.is_over():
                del self.by_place[suspect.place]
                healed.append(suspect.place)
            elif suspect.kind and suspect.age > LONGEST:
                del self.by_place[suspect.place]
                anew.append(suspect.place)
            elif suspect.kind:
                named.append(self._named(suspect))
        return named, anew, healed

    def drifts(self, look: Look) -> None:
        """Name a sensor that is off by degrees, alone of all, before it is far off."""
        if look.place not in self.by_place and self._has_room(is_far=True):
            kind = KINDS.index("drift")
            suspect = _Suspect((look.place, kind, *[0] * 13, *[0.0] * 4, look.before, 0.0))
            self.by_place[look.place] = suspect

    def _has_room(self, *, is_far: bool) -> bool:
        """Whether one more can be watched; one that is far off takes the place of one that never
        was."""
        if len(self.by_place) >= MOST and is_far:
            idle = next((one for one in self.by_place.values() if not one.outs + one.kind), None)
            if idle is not None:
                del self.by_place[idle.place]
        return len(self.by_place) < MOST

    def _pair(self, looks: Sequence[Look]) -> None:
        """Count where two suspects read what is normal of each other."""
        if len(looks) != MOST:
            return
        one, two = looks
        if _swapped(one, two) and _swapped(two, one):
            for mine, other in ((one, two), (two, one)):
                suspect = self.by_place[mine.place]
                suspect.swaps = min(suspect.swaps + 1, _FULL)
                suspect.partner = other.place

    def _named(self, suspect: _Suspect) -> Named:
        kind = KINDS[suspect.kind]
        unit = units.CONVERSIONS[suspect.unit - 1].words if kind == "unit" else ""
        return Named(
            suspect.place, kind, suspect.age, suspect.mean, suspect.spread, unit, suspect.partner
        )


def _swapped(one: Look, two: Look) -> bool:
    return abs(one.z) >= OUT and abs(one.value - two.centre) <= units.NEAR * two.sigma
