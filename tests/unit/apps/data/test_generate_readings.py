"""The simulated fleet: deterministic, acceptable to parse, honest labels."""

from itertools import islice

import pytest

from apps.data.generate.readings import HOUR, LIFE, START, Generated, readings
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import STUCK_AFTER
from stormwatch.domains.maintenance.parse import parse, to_wire
from stormwatch.domains.maintenance.sensors import SENSORS


def take(count: int, seed: int = 1, **options) -> list[tuple[Reading, Generated]]:
    out = []
    for made in islice(readings(seed, **options), count):
        event = parse(made.value, START + 10_000 * HOUR, future_skew_ms=0)
        assert isinstance(event, Reading), event
        out.append((event, made))
    return out


def test_the_same_arguments_give_the_same_bytes():
    assert list(islice(readings(3), 2000)) == list(islice(readings(3), 2000))
    assert list(islice(readings(3), 2000)) != list(islice(readings(4), 2000))


def test_parse_accepts_every_reading_and_the_key_is_its_unit():
    for event, made in take(5000, units=20):
        assert event.unit.encode() == made.key
        assert set(event.sensors) == set(SENSORS)
        assert parse(to_wire(event), event.time, future_skew_ms=0) == event


def test_life_counts_down_to_nothing_then_a_new_unit_takes_the_place():
    lives: dict[str, list[int]] = {}
    for event, made in take(5 * 2 * LIFE[1], units=5):
        lives.setdefault(event.unit, []).append(made.life)
        assert event.cycle == len(lives[event.unit])
    ended = [life for life in lives.values() if life[-1] == 0]
    assert len(ended) >= 5
    for life in lives.values():
        assert life == list(range(life[0], life[-1] - 1, -1))
    assert all(LIFE[0] <= len(life) <= LIFE[1] for life in ended)
    assert [unit.rpartition("/")[2] for unit in lives] == [str(n + 1) for n in range(len(lives))]


def test_time_goes_on_by_a_step_a_cycle_and_ids_are_never_used_twice():
    events = [event for event, _ in take(3000, units=10, start=START + 5, step=60_000)]
    assert [e.time for e in events] == [START + 5 + 60_000 * (i // 10) for i in range(3000)]
    assert len({(e.unit, e.id) for e in events}) == 3000


def test_a_second_run_shares_no_unit_and_no_id():
    first, second = ({(e.unit, e.id) for e, _ in take(500, run=run)} for run in ("r1", "r2"))
    assert {unit for unit, _ in first}.isdisjoint(unit for unit, _ in second)
    assert {key for _, key in first}.isdisjoint(key for _, key in second)


def test_failing_units_drift_the_way_their_sensors_wear():
    begin: dict[str, dict[str, float]] = {}
    moved = []
    for event, made in take(20 * LIFE[1], units=20):
        if event.cycle == 1:
            begin[event.unit] = event.sensors
        if made.life == 0 and not made.stuck:
            phi, t50 = SENSORS["phi"], SENSORS["T50"]
            now, then = event.sensors, begin[event.unit]
            moved.append((now["T50"] - then["T50"]) / t50.noise)
            moved.append((then["phi"] - now["phi"]) / phi.noise)
    assert len(moved) >= 30
    assert sum(moved) / len(moved) > 4


def test_stuck_sensors_are_planted_rarely_and_labelled():
    stuck: dict[tuple[str, str], list[float]] = {}
    events = take(60_000, units=200)
    for event, made in events:
        if made.stuck:
            stuck.setdefault((event.unit, made.stuck), []).append(event.sensors[made.stuck])
    assert 1 <= len(stuck) <= len({event.unit for event, _ in events}) / 10
    assert all(len(set(values)) == 1 for values in stuck.values())
    assert max(map(len, stuck.values())) > STUCK_AFTER


def test_a_fleet_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        next(readings(1, units=0))
