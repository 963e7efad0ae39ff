"""The compiled core for readings: what it is made of, and what it asks Python for.

It learns turbofans to which nothing ever happened; whose reading it does not do itself (other
types, events, readings that come late, states of before) is advanced by the domain. See
docs/native-core.md.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from stormwatch.domains.maintenance import alarms
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import FEATURE_NAMES, HIGH, LOW, STUCK_AFTER
from stormwatch.domains.maintenance.health import wearing
from stormwatch.domains.maintenance.health.wearing import Expected, Found
from stormwatch.domains.maintenance.judging import ELSEWHERE, FEWEST_SENSORS, Thresholds
from stormwatch.domains.maintenance.memory import ALPHAS, NAMES, Normal
from stormwatch.domains.maintenance.sensors import ALL, SENTINELS, WEARING
from stormwatch.domains.maintenance.state import Alarm, UnitState
from stormwatch.models import Card, distribution
from stormwatch.records import DecisionRow
from stormwatch.state.envelope import checksum_of
from stormwatch.state.judge import Advanced, Verdict

_PLACES = {name: place for place, name in enumerate(NAMES)}
_pack = msgspec.msgpack.Encoder().encode
_state = msgspec.msgpack.Decoder(UnitState).decode
_alarm = msgspec.msgpack.Decoder(Alarm | None).decode


def core_of(
    found: Any,
    policy: Any,
    normal: Normal,
    worn: set[str],
    advance: Callable[[UnitState, Reading], Advanced],
    carry: Callable[[Reading, float, Found | None], Any],
) -> Any:
    """A `state.processor.Compiled` of the extension `found`.

    `worn`: the types of turbofans; `carry`: of a reading, of the seconds by which the clock is off
    and of what is wrong with the sensors.
    """
    told = {
        "low": LOW, "high": HIGH, "signs": [float(sensor.wear) for sensor in WEARING],
        "sentinels": sorted(SENTINELS), "alphas": ALPHAS.tolist(),
        "conditions": [(each.settings, each.reach) for each in normal.known],
        "centre": normal.centre.tolist(), "scale": normal.scale.tolist(), "digest": normal.digest,
    }  # fmt: skip
    reference = {
        "advance": advance, "look": _look, "carry": carry, "unpacked": _state, "packed": _pack,
        "settle": alarms.settle, "settle_kept": _settle, "checksum": checksum_of,
        "reading": Reading, "row": DecisionRow,
    }  # fmt: skip
    return found.MachinesCore(
        reference, told, list(NAMES), worn, policy.lateness_ms, policy.horizon_ms,
        policy.memory_ms, policy.max_ids,
    )  # fmt: skip


class Scored:
    """What the compiled core does with what one model, of this card, estimates."""

    def __init__(self, found: Any, card: Card, cap: float) -> None:
        """`cap`: the longest life that is estimated."""
        self.card = card
        trained_on = distribution.of(card)
        self.outside = None if trained_on is None else trained_on.hastened(found)
        self._healthy: Any = None
        if card.interval is None or len(card.interval.at) < 2:
            return
        limits = {
            "watch": Thresholds.of(card).watch, "cap": cap, "elsewhere": ELSEWHERE,
            "stuck_after": float(STUCK_AFTER), "fewest": float(FEWEST_SENSORS),
            "sensors": [(sensor.name, *sensor.plausible) for sensor in ALL],
            "at": card.interval.at, "low": card.interval.low, "high": card.interval.high,
        }  # fmt: skip
        places = {
            "usable": "usable", "run": "stuck_run", "condition": "condition",
            "elsewhere": "elsewhere",
        }  # fmt: skip
        self._healthy = found.Healthy(
            Verdict, {part: FEATURE_NAMES.index(name) for part, name in places.items()}, limits
        )

    def healthy(
        self, events: list[Reading], rows: list[tuple[float, ...]], lives: list[float],
        outside: list[bool],
    ) -> list[Verdict | None]:  # fmt: skip
        """The verdict of each reading that is healthy and no more; None of others."""
        if self._healthy is None:
            return [None] * len(rows)
        found: list[Verdict | None] = self._healthy.verdicts(events, rows, lives, outside)
        return found


def _look(
    health: bytes, sensors: dict[str, float], *known: Sequence[float]
) -> tuple[bytes, list[int], Found | None]:
    """What is to be kept of a unit's sensors' health, the places of those that are left out, and
    what there is to say."""
    found = wearing.look(health, sensors, Expected(*known))
    out = [_PLACES[name] for name in found.out]
    return found.body, out, found if found.named or found.absent else None


def _settle(alarm: bytes, event: Reading, verdict: Verdict) -> tuple[bytes, Verdict]:
    """`alarms.settle`, of what is kept of the alarm alone."""
    state = UnitState(alarm=_alarm(alarm))
    verdict = alarms.settle(state, event, verdict)
    return _pack(state.alarm), verdict
