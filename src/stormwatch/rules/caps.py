"""How often a rule is acted on for one entity, an hour and a day of event time. Pure.

Counted in the entity's state, in the order of its records: the same for every replay, and whichever
process decides. Over all entities it could not be: processes would have to count together.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

if TYPE_CHECKING:  # whoever keeps states does not read conditions
    from stormwatch.rules.document import Rule

HOUR_MS, DAY_H = 3_600_000, 24
MOST = 16
"""Rules that are counted for an entity; the one that fired longest ago is forgotten first."""


class Hits(msgspec.Struct, array_like=True):
    """Of one rule, in the newest hour and day in which it fired."""

    rule: int  # crc32 of its id
    hour: int  # since the epoch
    in_hour: int
    day: int
    in_day: int


def over(kept: list[Hits], rules: "Sequence[Rule]", time: int) -> frozenset[str]:
    """Which of these rules, that fire at `time` (ms), are above their cap; the others are counted.

    An event of an hour before the newest counts in its day alone, one of a day before in neither.
    """
    hour = time // HOUR_MS
    day = hour // DAY_H
    above = set()
    for rule in rules:
        name = crc32(rule.id.encode())
        hits = next((each for each in kept if each.rule == name), None)
        if hits is None:
            hits = Hits(name, hour, 0, day, 0)
        else:
            kept.remove(hits)
        if hour > hits.hour:
            hits.hour, hits.in_hour = hour, 0
        if day > hits.day:
            hits.day, hits.in_day = day, 0
        in_hour = hits.in_hour if hour == hits.hour else 0
        in_day = hits.in_day if day == hits.day else 0
        if (rule.cap_1h and in_hour >= rule.cap_1h) or (rule.cap_1d and in_day >= rule.cap_1d):
            above.add(rule.id)
        else:
            hits.in_hour += hour == hits.hour
            hits.in_day += day == hits.day
        kept.append(hits)
    del kept[:-MOST]
    return frozenset(above)
