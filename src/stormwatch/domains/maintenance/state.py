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


class UnitState(msgspec.Struct, array_like=True):
    """All that is known of one unit."""

    time: int = 0  # of the newest reading learned, ms
    cycle: int = 0  # its counter
    offset: int = 0  # cycles run before the counter was last reset
    body: bytes | Life = b""
