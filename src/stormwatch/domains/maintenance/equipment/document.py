"""The TOML of an equipment type: what may stand in it, and sentences for what may not."""

from math import isfinite
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stormwatch.domains.maintenance.equipment.derived import FUNCTIONS, Step
from stormwatch.errors import SettingsError
from stormwatch.features import Feature
from stormwatch.models.window import MOST as MOST_ROWS
from stormwatch.parsing.toml_document import Document

EVENTS = {
    "maintenance": "work that changes nothing of what is known of the unit",
    "overhaul": "the unit is as new: its age and what was learned of it begin again",
    "sensor_replaced": "what was learned of the sensor begins again",
    "failure": "the unit failed: what comes after it is another life",
    "window": "work is going on until a time: what the unit shows until then is no alert",
    "check": "nothing happened: it is told if the unit has been silent for too long",
}
"""What may happen to a unit."""
MOST_SENSORS = 64
"""Of a type, and of a unit whose type names none."""
MOST_FEATURES = 128
"""Of a model of failures."""

Role = Literal["condition", "load", "setting", "counter", "state"]
Range = tuple[float, float]
_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Words = Annotated[str, Meta(max_length=200)]


class EquipmentError(SettingsError):
    """An equipment type cannot be used. Names file, line and key, and what is allowed."""


class Sensor(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One sensor. Outside `possible` no sensor of that kind can be: the record is rejected. Inside
    it but outside `plausible` the sensor is broken: the reading is accepted and says so."""

    name: str = ""  # the table's own
    unit: Annotated[str, Meta(max_length=20)] = "1"
    words: _Words = ""
    role: Role = "condition"
    """condition and counter (by its rate) are judged; load, setting and state are not."""
    possible: Range = (-1e15, 1e15)
    plausible: Range = (-1e15, 1e15)
    nominal: float = 0.0  # what healthy units read: its normal, before a unit's own is known
    noise: float = 0.0  # the standard deviation of a healthy unit's readings; 0: not known
    wear: Literal[-1, 0, 1] = 0  # the sign of its drift as the unit wears; 0: none is known
    wrap: float | None = None  # of a counter: the value that it begins at 0 again from

    def believes(self, value: float) -> bool:
        """Whether this value can be a measurement of a working sensor."""
        return self.plausible[0] <= value <= self.plausible[1]


class Derived(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A value that is computed of a reading's sensors, and of what is derived before it."""

    name: str = ""  # the table's own
    function: str  # a key of `derived.FUNCTIONS`
    of: list[_Name]
    limits: list[float] = []
    unit: Annotated[str, Meta(max_length=20)] = "1"
    words: _Words = ""
    nominal: float = 0.0  # what healthy machines have
    knows_simulator: bool = False
    """Whether it was designed knowing how a public data set was simulated."""


class Mode(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A way to fail: a warning names the one whose values speak for it."""

    words: _Words
    by: Annotated[list[_Name], Meta(min_length=1)]
    """Those of `failure.features` that speak for it."""


class Failure(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What a model of the probability of failure sees."""

    features: Annotated[list[_Name], Meta(min_length=1, max_length=64)]
    """Sensors and derived values, in the order of the model."""
    over: Annotated[list[Annotated[int, Meta(ge=2, le=MOST_ROWS)]], Meta(max_length=3)] = []
    """Over so many of the unit's last readings each feature has a mean and a spread, too."""
    model: str = ""  # its folder; "": the one that is shipped with the type


class Sampling(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """When readings come. `cycle` and `hour` say in words what one of them is."""

    kind: Literal["per_cycle", "period", "irregular"] = "irregular"
    period_s: Annotated[float, Meta(gt=0)] | None = None
    cycle: _Words = ""
    hour: _Words = ""


class Costs(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What a planned service and a failure cost, in `unit`, to say what waiting costs."""

    unit: Annotated[str, Meta(min_length=1, max_length=40)] = "planned services"
    service: Annotated[float, Meta(ge=0)] = 1.0
    failure: Annotated[float, Meta(ge=0)] = 5.0
    wait_cycles: Annotated[int, Meta(ge=1)] = 10
    """How long a wait the advice looks at."""


class Equipment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """An equipment type as it stands in its file."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    version: Annotated[str, Meta(min_length=1, max_length=40)] = "1"
    words: _Words = ""
    model: Literal["turbofan", "any", "failure"] = "any"
    """What judges it: the remaining-life model; how far each sensor is from its normal; or that
    and, of readings that have all it takes, a model of the probability of failure."""
    requires: list[Literal["cycle", "settings"]] = []
    """What every reading has to have beside id, unit, time and sensors."""
    unit_form: Literal["id", "fleet/run/number"] = "id"
    other_sensors: bool = False  # whether a reading may have sensors that are not named here
    silent_after_s: Annotated[float, Meta(gt=0)] | None = None
    """A longer time between two readings of a unit is told."""
    sampling: Sampling = Sampling()
    costs: Costs = Costs()
    events: dict[str, _Words] = {}
    """What an event means for this machine, in words, by its kind."""
    sensors: dict[_Name, Sensor] = {}
    derived: dict[_Name, Derived] = {}
    failure: Failure | None = None
    modes: dict[_Name, Mode] = {}

    @property
    def label(self) -> str:
        """Name and version, as decisions have it."""
        return f"{self.name}-{self.version}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its derived values, ready to be computed in their order."""
        return tuple(
            Step(name, tuple(one.of), tuple(one.limits), FUNCTIONS[one.function].compute)
            for name, one in self.derived.items()
        )

    @property
    def failure_features(self) -> tuple[Feature, ...]:
        """What its model of the probability of failure sees, in order; () where it has none."""
        if self.failure is None:
            return ()
        own = tuple(map(self._feature, self.failure.features))
        return (
            *own,
            *(made for size in self.failure.over for one in own for made in _over(one, size)),
        )

    def _feature(self, name: str) -> Feature:
        one = self.derived.get(name)
        if one is None:
            sensor = self.sensors[name]
            return Feature(name, sensor.words or name, sensor.unit, default=sensor.nominal)
        words = FUNCTIONS[one.function].words
        limits = f"; limits {', '.join(f'{each:g}' for each in one.limits)}" if one.limits else ""
        return Feature(
            name, f"{one.words or name}: of {', '.join(one.of)}, {words}{limits}", one.unit,
            default=one.nominal, knows_simulator=one.knows_simulator,
        )  # fmt: skip


def _over(one: Feature, size: int) -> tuple[Feature, Feature]:
    """Mean and spread of a feature over a unit's last readings."""
    span = f"{size} readings"
    return (
        Feature(
            f"{one.name}_mean_{size}", f"{one.meaning}: mean", one.unit, span, default=one.default
        ),
        Feature(f"{one.name}_spread_{size}", f"{one.meaning}: standard deviation", one.unit, span),
    )


def read(text: str, where: str) -> Equipment:
    """The type that `text` is; `where` names it in messages. Raises EquipmentError."""
    document = Document(text, where, EquipmentError)
    raw = document.tables()
    sensors = raw.get("sensors")
    for name, one in sensors.items() if isinstance(sensors, dict) else ():
        # One by one: msgspec does not name a table's key.
        document.converted(one, Sensor, f"sensors.{name}")
    found: Equipment = document.converted(raw, Equipment)
    for kind in found.events:
        if kind not in EVENTS:
            raise document.wrong(f"events.{kind}", f"is no event; there are {', '.join(EVENTS)}")
    for name, sensor in found.sensors.items():
        if why := _contradiction(name, sensor):
            raise document.wrong(f"sensors.{name}", why)
    for name in found.derived:
        if why := _underivable(name, found):
            raise document.wrong(f"derived.{name}", why)
    for whole in (_whole(found), _failing(found), _over_contradiction(found.failure)):
        if whole:
            raise document.wrong(*whole)
    named = {n: msgspec.structs.replace(s, name=n) for n, s in found.sensors.items()}
    derived = {n: msgspec.structs.replace(d, name=n) for n, d in found.derived.items()}
    return msgspec.structs.replace(found, sensors=named, derived=derived)


def _underivable(name: str, found: Equipment) -> str:
    """Why a derived value cannot be computed; "" where it can."""
    one = found.derived[name]
    if one.name or name in found.sensors:
        return "has the name of a sensor, or a key `name`; its name is the table's"
    function = FUNCTIONS.get(one.function)
    if function is None:
        return f"has function = {one.function!r}; there are {', '.join(FUNCTIONS)}"
    before = [*found.sensors, *list(found.derived)[: list(found.derived).index(name)]]
    if unknown := [each for each in one.of if each not in before]:
        return f"is of {unknown[0]!r}, which is no sensor, and nothing that is derived before it"
    if len(one.of) != function.takes:
        return f"is of {len(one.of)} values; {one.function} takes {function.takes}"
    wanted = str(function.limits) if function.limits >= 0 else "1 or more"
    if len(one.limits) != function.limits and (function.limits >= 0 or not one.limits):
        return f"has {len(one.limits)} limits; {one.function} takes {wanted}"
    sound = all(isfinite(limit) and limit > 0 for limit in one.limits)
    return "" if sound else "has a limit that is not more than 0"


def _failing(found: Equipment) -> tuple[str, str] | None:
    """What is wrong with how the type's failures are told."""
    if (found.model == "failure") != (found.failure is not None):
        return "failure", 'stands with model = "failure", and with that alone'
    if found.failure is None:
        return ("modes", "stands without `failure`") if found.modes else None
    known = {**found.sensors, **found.derived}
    for name in found.failure.features:
        if name not in known:
            return "failure.features", f"names {name!r}, which is no sensor and not derived"
    for mode, one in found.modes.items():
        for name in one.by:
            if name not in found.failure.features:
                return f"modes.{mode}", f"is told by {name!r}, which is not in failure.features"
    return None


def _over_contradiction(failure: Failure | None) -> tuple[str, str] | None:
    if failure is None:
        return None
    if sorted(set(failure.over)) != failure.over:
        return "failure.over", f"is {failure.over}: from few readings to many, each once"
    made = len(failure.features) * (1 + 2 * len(failure.over))
    if made > MOST_FEATURES:
        return "failure.over", f"makes {made} features; a model takes {MOST_FEATURES} at most"
    return None


def _whole(found: Equipment) -> tuple[str, str] | None:
    """The key and what is wrong with it, of a type whose parts are right one by one."""
    sampling = found.sampling
    if (sampling.kind == "period") != (sampling.period_s is not None):
        return "sampling", 'needs period_s, seconds, for kind = "period" and for that alone'
    if len(found.sensors) > MOST_SENSORS:
        return "sensors", f"has {len(found.sensors)} sensors; allowed are {MOST_SENSORS}"
    if not found.sensors and not found.other_sensors:
        return "sensors", "names no sensor: name one, or set other_sensors = true"
    return None


def _contradiction(name: str, sensor: Sensor) -> str:
    """Why the sensor cannot be meant so; "" where it can."""
    if sensor.name:
        return "has a key `name`; its name is the table's"
    if not name.isprintable() or name != name.strip():
        return "is no name: it has characters that cannot be seen, or spaces around it"
    for what, (low, high) in (("possible", sensor.possible), ("plausible", sensor.plausible)):
        if not low < high:
            return f"has {what} = [{low:g}, {high:g}]: the first has to be the smaller one"
    if sensor.wrap is not None and (sensor.role != "counter" or not sensor.wrap > 0):
        return 'has wrap, which is of a sensor with role = "counter" alone, and more than 0'
    return _normal_contradiction(sensor)


def _normal_contradiction(sensor: Sensor) -> str:
    if not (isfinite(sensor.noise) and sensor.noise >= 0):
        return f"has noise = {sensor.noise:g}; it has to be more than 0"
    if (sensor.nominal or sensor.wear) and not sensor.noise:
        return "has nominal or wear without noise, the standard deviation of its readings"
    return ""
