"""Drift of a fleet of turbofans: quiet while it is healthy, told where it is another one."""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice

import msgspec
import numpy as np
import pytest

from apps.data.generate.readings import readings
from stormwatch.codec import Parsed
from stormwatch.domains.maintenance import Maintenance, fleet
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import FEATURE_NAMES
from stormwatch.models import distribution, fleet_drift
from stormwatch.models.drift import Found
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

DOMAIN = Maintenance.load()
UNITS, CYCLES = 50, 76
Change = Callable[[dict[str, float]], dict[str, float]]


@cache
def fleet_of(seed: int, units: int = UNITS, cycles: int = CYCLES) -> tuple[Reading, ...]:
    made = islice(readings(seed, units=units), units * cycles)
    events = (DOMAIN.parse(one.value, 10**14) for one in made)
    return tuple(event for event in events if isinstance(event, Reading))


def hotter(noises: float) -> Change:
    """T50 reads too high, by so many deviations of its noise."""
    return lambda sensors: sensors | {"T50": sensors["T50"] + 4.0 * noises}


def bodies(events: Iterable[Reading], change: Change | None = None) -> list[bytes]:
    """Decisions as they are stored, of the readings as `change` has them."""
    some = [
        msgspec.structs.replace(event, sensors=change(event.sensors)) if change else event
        for event in events
    ]
    contract = Contract(DOMAIN, Policy.of(Settings()), "test")
    states: dict[str, Entry] = {}
    found = []
    for start in range(0, len(some), 500):
        batch = [(start + nth, 5, event) for nth, event in enumerate(some[start : start + 500])]
        own = {event.unit: states.get(event.unit, Entry(0, b"")) for _, _, event in batch}
        fragment = Fragment("readings", 0, 1, start, batch[-1][0], 1, 0)
        outcomes = contract.apply(fragment, Parsed(batch, [], []), own, 0)
        states |= {row.entity: Entry(0, row.blob) for row in outcomes.states}
        found += [row.body for row in outcomes.decisions]
    return found


def looked(some: list[bytes], batch: int = 50) -> list[Found]:
    watch = fleet_drift.of(DOMAIN)
    assert isinstance(watch, fleet_drift.FleetDrift)
    found = [watch.look(some[at : at + batch]) for at in range(0, len(some), batch)]
    return [one for one in found if one is not None]


@cache
def decided() -> tuple[bytes, ...]:
    return tuple(bodies(fleet_of(101)))


def moved(some: Iterable[bytes], name: str, by: float) -> list[bytes]:
    """The same decisions with another feature."""
    at, made = FEATURE_NAMES.index(name), []
    for body in some:
        told = msgspec.json.decode(body)
        told["features"][at] += by
        made.append(msgspec.json.encode(told))
    return made


def sampled() -> list[bytes]:
    """Those decisions that count."""
    return [body for body in decided() if any(mark in body for mark in fleet.marks)]


def test_a_healthy_fleet_of_another_seed_is_quiet() -> None:
    found = looked(list(decided()))
    assert len(found) == 2, "each of 50 units by its 25th and 75th reading"
    assert [one.told for one in found] == ["", ""]
    assert {"T50", "alerts", "score"} <= {name.rpartition("_")[2] for name in found[0].indices}


def test_a_sensor_that_reads_otherwise_is_told_in_the_second_window_and_named() -> None:
    found = looked(moved(sampled(), "level_T50", 2.0))
    assert found[0].told == ""
    for word in ("level_T50", "50 units", DOMAIN.card.version):
        assert word in found[1].told


def test_what_the_marks_leave_out_does_not_count() -> None:
    """They are of the JSON: all that counts has one."""
    rows = np.array([msgspec.json.decode(body)["features"] for body in decided()])
    counts = np.array(fleet.phases(rows)) >= 0
    marked = [any(mark in body for mark in fleet.marks) for body in decided()]
    assert counts.sum() == 100
    assert all(mark for mark, one in zip(marked, counts, strict=True) if one)


def test_readings_without_an_estimate_and_of_another_model_do_not_count() -> None:
    for change in ({"score": -1.0}, {"model": "none"}):
        some = [msgspec.json.encode(msgspec.json.decode(body) | change) for body in sampled()]
        assert looked(some) == []


def test_units_that_were_met_worn_do_not_count() -> None:
    assert fleet.phases_of([25, 25, 26, 75, 325], [25, 40, 26, 90, 326]) == [0, -1, -1, 1, 6]


def test_a_fleet_of_few_units_is_not_compared() -> None:
    """Nor is anything kept of it for ever."""
    one = sampled()[0]
    watch = fleet_drift.of(DOMAIN)
    assert isinstance(watch, fleet_drift.FleetDrift)
    told = msgspec.json.decode(one)
    for nth in range(3 * fleet_drift.GIVEN_UP):
        body = msgspec.json.encode(told | {"entity": f"u{nth % 9}"})
        assert watch.look([body]) is None
    assert len(watch._units) <= 9


def test_any_size_of_batch_gives_the_same() -> None:
    some = moved(sampled(), "drift_T50", 3.0)
    assert looked(some, 1) == looked(some, 7) != []


def test_a_card_without_phases_is_watched_by_nothing() -> None:
    rng = np.random.default_rng(1)
    count = len(DOMAIN.card.feature_names)
    plain = distribution.describe(rng.normal(size=(1000, count)), rng.normal(size=1000))
    for told in (plain, b""):
        card = msgspec.structs.replace(DOMAIN.card, distribution=told)

        class Other:
            sampling, alert_outcomes = fleet, DOMAIN.alert_outcomes

        Other.card = card  # type: ignore[attr-defined]
        assert fleet_drift.of(Other()) is None


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_healthy_fleets_are_quiet_and_a_shift_is_loud_in_each() -> None:
    for seed in range(200, 220):
        events = fleet_of(seed, cycles=126)
        assert not any(one.told for one in looked(bodies(events))), seed
        assert any("T50" in one.told for one in looked(bodies(events, hotter(3.0)))), seed
