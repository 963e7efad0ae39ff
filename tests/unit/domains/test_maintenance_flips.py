"""What would have cleared a machine's alert: held against the whole way, with what is told."""

from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pytest

from apps.data.generate.readings import readings
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.domains.maintenance.flips import MOST, Stored, flips
from stormwatch.state.judge import Verdict
from tests.models.in_turn import in_turn

MAINTENANCE = Maintenance.load()
LATER = 4_000_000_000_000
Alert = tuple[list[Reading], Reading, Stored]


def turbofans() -> list[Any]:
    return [MAINTENANCE.parse(one.value, LATER) for one in islice(readings(11, units=5), 760)]


def pumps() -> list[Any]:
    """Two of the type `any`, each with a reading that is far off, once, in one sensor."""
    draw, made = np.random.default_rng(4), []
    for nth in range(320):
        unit, far = f"p{nth % 2}", 30.0 if nth in (300, 311) else 0.0
        sensors = {"pressure": 100 + draw.normal(), "flow": 5 + draw.normal() + far}
        made.append(Reading(f"r{nth}", unit, 1_000 * nth + 1, 0, (), sensors, equipment="any"))
    return made


def mills() -> list[Any]:
    """Of the type `milling`, the last one with too much torque."""
    made = []
    for nth in range(40):
        sensors = {
            "air_temperature": 300.0, "process_temperature": 310.0, "torque": 40.0 + nth % 2,
            "rotational_speed": 1500.0 + nth % 3, "tool_wear": 50.0 + nth, "variant": 1.0,
        }  # fmt: skip
        sensors |= {"torque": 66.0} if nth == 39 else {}
        made.append(Reading(f"m{nth}", "mill", 1_000 * nth + 1, 0, (), sensors, "milling"))
    return made


def alerts(events: list[Any]) -> list[Alert]:
    """The first alert of each unit, with all that was read of the unit before."""
    found: dict[str, Alert] = {}
    before: dict[str, list[Reading]] = {}
    for event, row, verdict in in_turn(MAINTENANCE, events):
        own = before.setdefault(event.unit, [])
        if verdict.outcome in MAINTENANCE.alert_outcomes and event.unit not in found:
            found[event.unit] = (list(own), event, Stored(row, verdict.outcome, verdict.score))
        own.append(event)
    return list(found.values())


def decided(before: list[Reading], event: Reading) -> Verdict:
    *_, (_, _, verdict) = in_turn(MAINTENANCE, [*before, event])
    return verdict


@pytest.mark.parametrize(("events", "least"), [(turbofans, 2), (pumps, 2), (mills, 1)])
def test_what_is_told_clears_it_the_whole_way(events: Any, least: int) -> None:
    found = alerts(events())[:2]
    assert len(found) >= least
    told = [(one, flips(MAINTENANCE, one[0], one[1], one[2])) for one in found]
    assert sum(bool(own) for _, own in told) >= least
    for (before, event, stored), own in told:
        assert own is not None and len(own) <= MOST
        for flip in own:
            value = float(flip.now.split()[0])
            other = msgspec.structs.replace(event, sensors=event.sensors | {flip.field: value})
            verdict = decided(before, other)
            assert verdict.outcome not in MAINTENANCE.alert_outcomes
            assert verdict.score == flip.score
            words, unit = MAINTENANCE.words(event, flip.field)
            was = event.sensors[flip.field]
            assert (
                flip.text == f"had {words} read {flip.now} (it read {was:.6g} {unit}".rstrip() + ")"
            )
        assert stored.outcome in MAINTENANCE.alert_outcomes


def test_the_sensor_that_is_off_is_told_and_no_less_would_have_cleared_it() -> None:
    ((before, event, stored),) = [one for one in alerts(pumps()) if one[1].id == "r300"]
    told = flips(MAINTENANCE, before, event, stored)
    assert told is not None
    flip = told[0]
    was, now = event.sensors["flow"], float(flip.now)
    assert flip.field == "flow" and 5 < now < was
    less = now + (was - now) / 64
    other = msgspec.structs.replace(event, sensors=event.sensors | {"flow": less})
    assert decided(before, other).outcome == stored.outcome == "anomaly"


def test_without_all_that_was_read_before_nothing_is_told() -> None:
    before, event, stored = alerts(pumps())[0]
    assert flips(MAINTENANCE, before[1:], event, stored) is None
    assert flips(MAINTENANCE, before, event, stored._replace(score=1.0)) is None
    twice = [one for one in before for _ in range(2)]  # what came twice was learned once
    assert flips(MAINTENANCE, twice, event, stored) == flips(MAINTENANCE, before, event, stored)


def test_of_an_event_of_a_unit_and_of_no_alert_there_is_none() -> None:
    before, _, _ = alerts(pumps())[0]
    healthy = before[-1]
    row, verdict = [(row, one) for _, row, one in in_turn(MAINTENANCE, before)][-1]
    assert (
        flips(MAINTENANCE, before[:-1], healthy, Stored(row, verdict.outcome, verdict.score)) == []
    )
    noted = msgspec.structs.replace(healthy, id="e", event=UnitEvent("overhaul"))
    told = decided(before, noted)
    assert flips(MAINTENANCE, before, noted, Stored((), told.outcome, told.score)) == []
