"""What is remembered of a unit.

A turbofan that nothing ever happened to is remembered by its sensors' bytes alone, as it was before
there were other machines. What else there is to remember makes its `body` a Life.
"""

import msgspec


class Life(msgspec.Struct, array_like=True):
    """What is known of a unit of a named type."""

    equipment: str = ""  # its type
    body: bytes = b""  # of its sensors, packed by the type's judge; empty: nothing was learned
    since: int = 0  # ms: what is not after it is of a life before, and is not learned
    until: int = 0  # ms: a maintenance window lasts so long
    told: float = 0.0  # the score that was told last; 0: a while ago
    quiet: int = 0  # readings since then
    kept: bytes = b""  # the last readings, as a model of failures takes them: see `inputs`


class Track(msgspec.Struct, array_like=True):
    """One kind of trouble of a unit."""

    level: int = 0  # how bad it was in this episode; 0: no alarm is open
    since: int = 0  # ms: of the reading that opened the alarm
    calm: int = 0  # readings in a row without this trouble


class Alarm(msgspec.Struct, array_like=True):
    """What alarms of a unit are open; see `alarms`."""

    newest: int = 0  # ms: of the newest reading judged since the first of them opened
    machine: Track = msgspec.field(default_factory=Track)
    sensor: Track = msgspec.field(default_factory=Track)
    silence: Track = msgspec.field(default_factory=Track)
    regime: Track = msgspec.field(default_factory=Track)


class Known(msgspec.Struct, array_like=True, frozen=True):
    """What was known of a unit at one place of its readings."""

    time: int = 0
    cycle: int = 0
    offset: int = 0
    body: bytes = b""
    health: bytes = b""


class Recent(msgspec.Struct, array_like=True):
    """The newest readings that were learned, so that a late one finds its place; see `reorder`."""

    base: Known  # before the first of them
    middle: Known  # after the first `split` of them
    split: int = 0
    readings: list[bytes] = []  # by event time
    mark: Known | None = None  # after the first `marked` of them: of the last late one
    marked: int = 0
    opened: int = 0  # of the judge `any`: the newest place where one came late, or may come


class UnitState(msgspec.Struct, array_like=True):
    """All that is known of one unit."""

    time: int = 0  # of the newest reading learned, ms
    cycle: int = 0  # its counter
    offset: int = 0  # cycles run before the counter was last reset
    body: bytes | Life = b""
    alarm: Alarm | None = None  # None: none is open
    recent: Recent | None = None
    clock: bytes = b""  # of its readings' times: see `health.clock`
    health: bytes = b""  # of a turbofan's sensors: see `health.wearing`
