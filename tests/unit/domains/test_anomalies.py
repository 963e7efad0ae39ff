"""What is normal of any sensor is learned in one pass, and what is odd is told."""

import math
import random
import struct
from collections import Counter
from collections.abc import Iterable
from statistics import NormalDist, stdev
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.maintenance import normals
from stormwatch.domains.maintenance.anomalies import Anomalies
from stormwatch.domains.maintenance.equipment import read, shipped
from stormwatch.domains.maintenance.equipment.document import MOST_SENSORS
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.findings import LIMIT, STAYS, Findings
from stormwatch.domains.maintenance.normals import GONE, LEARNING, SIZE, Normals, digest_of
from stormwatch.domains.maintenance.state import Life, UnitState
from stormwatch.errors import StateError

ANY = Anomalies(shipped("any"))


class Unit:
    """One unit and the judge of its type."""

    def __init__(self, judge: Anomalies = ANY) -> None:
        self.judge, self.body, self.time = judge, b"", 0

    def read(self, time: int | None = None, **sensors: float) -> Findings:
        self.time = self.time + 60_000 if time is None else time
        reading = Reading("1", "u", self.time, 0, (), sensors)
        self.body, findings = self.judge.advance(self.body, reading, 0)
        return findings

    def known(self) -> tuple[int, float, float]:
        return next(normals.known(self.body, "u"))


def lived(values: Iterable[float], unit: Unit | None = None) -> Unit:
    unit = unit or Unit()
    for value in values:
        unit.read(x=value)
    return unit


def noise(count: int, seed: int = 1, centre: float = 50.0, sigma: float = 2.0) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(centre, sigma) for _ in range(count)]


def test_the_normal_of_a_sensor_is_its_mean_and_deviation() -> None:
    values = noise(3000)
    count, centre, spread = lived(values).known()
    assert count == 3000
    assert abs(centre - 50) < 0.4
    assert 0.85 < spread / stdev(values) < 1.15


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_outliers_do_not_drag_it(share: float) -> None:
    draw = random.Random(4)
    dirty = [50_000.0 if draw.random() < share else value for value in noise(3000)]
    _, centre, spread = lived(dirty).known()
    assert abs(centre - 50) < 1.5
    assert spread < 4


def test_outliers_at_the_very_beginning_do_not_drag_it() -> None:
    _, centre, spread = lived([1e5, -1e5, 1e5, *noise(LEARNING - 3)]).known()
    assert abs(centre - 50) < 3
    assert spread < 8


def test_the_constant_makes_rho_consistent_for_normal_noise() -> None:
    draw, k, c = NormalDist(), 2.0, 2.52
    steps = [-8 + 16 * (n + 0.5) / 20_000 for n in range(20_000)]
    rho = [c * (1 - (1 - (z / k) ** 2) ** 3) if abs(z) <= k else c for z in steps]
    mean = sum(r * draw.pdf(z) for r, z in zip(rho, steps, strict=True)) * 16 / 20_000
    assert mean == pytest.approx(1, abs=0.003)


def test_a_healthy_sensor_is_hardly_ever_odd_and_a_spike_is() -> None:
    unit, odd = Unit(), 0
    for value in noise(5000, 7):
        odd += unit.read(x=value).score >= LIMIT
    assert odd <= 2
    told = unit.read(x=70.0)
    assert told.score > LIMIT
    (found,) = told.found
    assert (found.kind, found.name, found.value) == ("odd", "x", 70.0)
    assert 8 < found.score < 12
    assert abs(found.centre - 50) < 1
    assert unit.read(x=51.0).found == ()


def test_a_new_level_is_odd_until_it_is_learned() -> None:
    unit = lived(noise(1000))
    found = [unit.read(x=value) for value in noise(1000, 2, centre=70.0)]
    assert all(one.score >= LIMIT for one in found[:5])
    assert all(one.found[0].kind == "odd" for one in found[:20])
    stays = [one.distances[0] >= STAYS[0] and one.distances[1] >= STAYS[1] for one in found]
    assert all(stays[20:50]), "it is not normal for being no surprise any more"
    assert not any(stays[-300:]) and not any(one.score >= LIMIT for one in found[-300:])


def test_what_a_unit_does_often_is_no_surprise() -> None:
    draw = random.Random(6)
    unit, odd, told = Unit(), 0, 0
    for nth, value in enumerate(noise(4000, 5)):
        findings = unit.read(x=value + 40 * (draw.random() < 0.02))
        if nth >= 1000:
            odd += any(each.kind == "odd" for each in findings.found)
            told += findings.score >= LIMIT
    assert odd > 40
    assert told <= 3
    assert unit.read(x=5000.0).score > LIMIT, "what is farther off than ever is"


def test_a_day_has_a_wave_and_what_is_out_of_its_time_is_told() -> None:
    unit, day = Unit(), 144
    draw = random.Random(8)
    told = []
    for nth in range(day * 14):
        value = 100 + 30 * math.sin(math.tau * nth / day) + draw.gauss(0, 1)
        told.append(unit.read(nth * 600_000 + 600_000, x=value).score >= LIMIT)
    assert sum(told[day * 3 :]) <= 2
    found = [unit.read(nth * 600_000 + 600_000, x=70.0 + draw.gauss(0, 1))
             for nth in range(day * 14, day * 14 + 40)]  # fmt: skip
    assert max(one.score for one in found) >= LIMIT, "70 is a value of the night, not of the noon"


def test_what_is_learning_says_how_far_it_is() -> None:
    unit = Unit()
    for nth in range(LEARNING):
        findings = unit.read(x=float(nth))
        assert [(each.kind, each.known) for each in findings.found] == [("learning", nth)]
        assert findings.judged == 0
    assert unit.read(x=3.0).judged == 1


@pytest.mark.parametrize(
    "values",
    [
        [5.0] * 200,
        [float(n % 7 == 0) for n in range(400)],
        [20.0 + 0.1 * (n * n % 3) for n in range(400)],
        [0.0] * 100 + [1.0] * 3 + [0.0] * 100 + [1.0] * 3,
    ],
    ids=["constant", "switch", "quantised", "rare switch"],
)
def test_constants_switches_and_quantised_sensors_are_not_odd(values: list[float]) -> None:
    unit = Unit()
    assert all(unit.read(x=value).score < LIMIT for value in values)


def test_a_sensor_that_moved_and_then_does_not_is_stuck() -> None:
    unit = lived(noise(300))
    kinds = [unit.read(x=50.5).found for _ in range(40)]
    assert not any(kinds[:28])
    assert kinds[-1][0].kind == "stuck"
    assert unit.read(x=50.9).found == ()


def test_a_number_in_place_of_a_measurement_is_no_oddity_and_not_learned() -> None:
    unit = lived(noise(300))
    before = unit.body
    findings = unit.read(x=-9999.0)
    assert [each.kind for each in findings.found] == ["sentinel"]
    assert unit.body == before


def test_a_counter_is_judged_by_its_rate_and_may_wrap_or_begin_again() -> None:
    toml = 'name = "c"\n[sensors.x]\nrole = "counter"\nwrap = 1000.0\n[sensors.s]\nrole = "state"\n'
    unit, at = Unit(Anomalies(read(toml, "c.toml"))), 0.0
    draw = random.Random(3)
    for _ in range(300):
        at += draw.gauss(120, 5)
        assert unit.read(x=at % 1000, s=9e9).score < LIMIT, at
    assert unit.known()[1] == pytest.approx(2, rel=0.02)  # a second; of 60 s 120
    told = unit.read(x=(at + 400) % 1000).found[0]
    assert (told.kind, told.name) == ("odd", "x")
    assert told.value == pytest.approx(400 / 60)
    plain = Unit(Anomalies(read(toml.replace("wrap = 1000.0", ""), "c.toml")))
    for value in (*range(0, 3000, 100), 5, *range(100, 3000, 100)):
        assert plain.read(x=float(value)).score < LIMIT
    assert sum(1 for _ in normals.known(plain.body, "u")) == 1, "a state is not judged"


def test_one_sensor_a_record_comes_to_the_same_as_all_in_one() -> None:
    whole, single = Unit(), Unit()
    for nth, (x, y) in enumerate(zip(noise(200), noise(200, 2, 7.0), strict=True)):
        whole.read(nth * 1000 + 1, x=x, y=y)
        single.read(nth * 1000 + 1, x=x)
        single.read(nth * 1000 + 1, y=y)
    rows = [Normals(unit.body, "u").rows for unit in (whole, single)]
    for at in range(0, 2 * SIZE, SIZE):  # but how often the unit's readings have the sensor
        one, other = (row[at : at + SIZE - GONE.size] for row in rows)
        assert one == other


def test_sensors_of_other_rates_go_on_by_their_own_count() -> None:
    unit = Unit()
    for nth, value in enumerate(noise(120)):
        unit.read(x=value, **({"slow": value} if nth % 10 == 0 else {}))
    counts = [count for count, _, _ in normals.known(unit.body, "u")]
    assert counts == [120, 12]


def test_an_older_reading_of_a_sensor_is_judged_and_not_learned() -> None:
    unit = lived(noise(100))
    before, newest = unit.body, unit.time
    findings = unit.read(newest, x=1e6)
    assert findings.score > LIMIT and not findings.learned
    assert unit.body == before
    assert unit.read(newest - 5, y=1.0).learned, "another sensor's own time counts"


def test_the_least_recently_seen_sensor_leaves() -> None:
    unit = Unit()
    for nth in range(MOST_SENSORS + 10):
        unit.read(**{"s0": 1.0, f"s{nth}": 1.0})
    assert sum(1 for _ in normals.known(unit.body, "u")) == MOST_SENSORS
    assert unit.known()[0] == MOST_SENSORS + 10, "it was in every reading"
    assert unit.read(s5=1.0).found[0].known == 0, "it had left"


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([f"sensor_{n}" for n in range(20)]),
            st.floats(-1e15, 1e15) | st.sampled_from([0.0, 1.0, -9999.0]),
            min_size=1,
            max_size=20,
        ),
        max_size=60,
    )
)
def test_the_state_of_twenty_sensors_is_two_kilobytes_at_most(
    rows: list[dict[str, float]],
) -> None:
    unit = Unit()
    for nth, row in enumerate(rows):
        findings = unit.read(nth + 1, **row)
        assert 0 <= findings.score < 30
        state = UnitState(unit.time, 7, 7, Life("a" * 40, unit.body, 2**45, 2**45))
        blob = msgspec.msgpack.encode(state)
        assert len(blob) <= 2000
        assert msgspec.msgpack.decode(blob, type=UnitState) == state


def test_at_its_largest_it_is_below_two_kilobytes() -> None:
    unit = Unit()
    for nth in range(LEARNING - 1):
        unit.read(**{f"sensor_{n}": float(nth * n) for n in range(20)})
    assert 1700 < len(unit.body) < 1900


def test_with_suspects_it_is_below_two_kilobytes_too() -> None:
    unit = Unit()
    draw = random.Random(2)
    for nth in range(360):
        sensors = {f"sensor_{n}": draw.gauss(50, 2) for n in range(20)}
        if nth > 300:
            sensors |= {"sensor_3": draw.gauss(99, 2), "sensor_4": draw.gauss(10, 2)}
        unit.read(**sensors)
    assert {one.kind for one in unit.read(**sensors).found} >= {"offset"}
    state = UnitState(unit.time, 7, 7, Life("a" * 40, unit.body, 2**45, 2**45, 9.5, 10))
    assert len(msgspec.msgpack.encode(state)) <= 2000


def test_a_normal_of_the_fleet_judges_from_the_first_reading() -> None:
    toml = 'name = "c"\n[sensors.x]\nnominal = 50.0\nnoise = 2.0\n'
    judge = Anomalies(read(toml, "c.toml"))
    assert Unit(judge).read(x=51.0).score < 1
    assert Unit(judge).read(x=90.0).found[0].kind == "odd"
    own = lived(noise(2000, centre=60.0), Unit(judge))
    assert abs(own.known()[1] - 60) < 1, "the unit's own normal takes its place"


def test_a_replaced_sensor_begins_again() -> None:
    unit = lived(noise(100))
    unit.read(y=3.0)
    unit.body = normals.forget(unit.body, "x", unit.time, "u")
    assert not unit.read(unit.time, x=1.0).learned, "what is older is the old one's"
    assert unit.read(x=1000.0).found[0].known == 0
    assert [count for count, _, _ in normals.known(unit.body, "u")] == [1, 1]


def test_a_state_of_another_layout_is_refused() -> None:
    with pytest.raises(StateError, match="another version wrote it"):
        ANY.advance(b"\1\0abc", Reading("1", "u", 1, 0, (), {"x": 1.0}), 0)


def test_kinds_of_findings_are_those_that_are_counted() -> None:
    draw: Any = random.Random(9)
    unit, kinds = Unit(), Counter[str]()
    for _ in range(300):
        kinds.update(each.kind for each in unit.read(x=draw.gauss(0, 1)).found)
    assert kinds == {"learning": LEARNING}


def test_a_state_of_the_layout_before_carries_on() -> None:
    known = struct.pack("<8sqHHHddff", digest_of("x"), 7, 300, 2, 3, 51.0, 50.0, 2.0, 0.5)
    young = struct.pack("<8sqHHHddff", digest_of("y"), 7, 3, 1, 1, 9.0, 7.0, 0.0, 1.0)
    body = b"\2\1" + known + young + struct.pack("<3f", 0.0, 1.0, 2.0)
    assert next(normals.known(body, "u")) == (300, 50.0, 2.0)
    assert normals.known_of(body, "y", "u") is None
    unit = Unit()
    unit.body = body
    told = unit.read(8, x=90.0, y=8.0)
    assert [(one.kind, one.name, one.known) for one in told.found] == [
        ("odd", "x", 0), ("learning", "y", 3),
    ]  # fmt: skip
    assert [count for count, _, _ in normals.known(unit.body, "u")] == [301, 4]
    assert normals.forget(body, "x", 9, "u") != body
    with pytest.raises(StateError, match="another version wrote it"):
        ANY.advance(body[:-1], Reading("1", "u", 9, 0, (), {"x": 1.0}), 0)
