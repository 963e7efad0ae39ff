"""What a unit's state and features must do, whatever readings come."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import (
    BASELINE,
    FEATURE_NAMES,
    SPANS,
    STUCK_AFTER,
    Normal,
    UnitState,
    advance,
)
from stormwatch.domains.maintenance.parse import parse, to_wire
from stormwatch.domains.maintenance.sensors import ALL, SENSORS, SENTINELS, WEARING
from stormwatch.errors import StateError

NORMAL = Normal()
HEALTHY = {sensor.name: sensor.nominal or sum(sensor.plausible) / 2 for sensor in ALL}


def reading(cycle: int, *, time: int | None = None, **sensors: float | None) -> Reading:
    """A healthy reading with some sensors changed; None takes one away."""
    values = {**HEALTHY, **sensors}
    kept = {name: value for name, value in values.items() if value is not None}
    at = cycle * 1000 if time is None else time
    return Reading(f"{cycle}-{at}", "a/b/1", at, cycle, (0.0, 0.0, 100.0), kept)


@dataclass
class Unit:
    """A state that readings are fed to."""

    state: UnitState

    def feed(self, one: Reading) -> dict[str, float]:
        return dict(zip(FEATURE_NAMES, advance(self.state, one, NORMAL), strict=True))


@pytest.fixture
def unit() -> Unit:
    return Unit(UnitState())


def through_blob(state: UnitState) -> UnitState:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=UnitState)


def noisy(cycle: int, rng: np.random.Generator, worn: float = 0.0) -> Reading:
    return reading(cycle, **{
        s.name: s.nominal + s.noise * (s.wear * worn + rng.normal()) for s in WEARING
    })  # fmt: skip


sentinels = st.sampled_from(sorted(SENTINELS))
possible = st.fixed_dictionaries(
    {},
    optional={
        s.name: st.floats(*s.possible)
        | st.floats(*s.plausible)
        | st.sampled_from(sorted(SENTINELS))
        for s in ALL
    },
)
readings = st.lists(
    st.builds(
        lambda cycle, time, sensors: Reading("i", "a/b/1", time, cycle, (), sensors),
        st.integers(1, 1_000_000_000), st.integers(0, 60), possible,
    ),
    max_size=25,
)  # fmt: skip


@given(readings, st.sets(st.integers(0, 25)))
def test_storing_the_state_at_any_moment_changes_nothing(events, cuts):
    kept = stored = UnitState()
    stored = through_blob(stored)
    for i, event in enumerate(events):
        if i in cuts:
            stored = through_blob(stored)
        assert advance(kept, event, NORMAL) == advance(stored, event, NORMAL)
        assert msgspec.msgpack.encode(kept) == msgspec.msgpack.encode(stored)


@given(readings)
def test_whatever_parse_accepts_gives_finite_features_and_a_bounded_state(events):
    state = UnitState()
    for event in events:
        row = advance(state, event, NORMAL)
        assert len(row) == len(FEATURE_NAMES)
        assert np.isfinite(row).all()
        assert len(msgspec.msgpack.encode(state)) < 950


def test_streamed_features_equal_those_of_the_whole_history(unit):
    rng = np.random.default_rng(1)
    history = [noisy(cycle, rng, worn=cycle / 20) for cycle in range(1, 90)]
    for event in history:
        row = unit.feed(event)
    z = np.array([[(e.sensors[s.name] - s.nominal) / s.noise * s.wear for s in WEARING]
                  for e in history])  # fmt: skip
    base, squares = z[:BASELINE].mean(0), z[:BASELINE].var(0) * BASELINE
    sigma = np.sqrt((BASELINE + squares) / (2 * BASELINE))
    fast, mid, slow, long = (batch_mean(z, span) for span in SPANS)
    names = [s.name for s in WEARING]
    expected = {
        **{f"level_{n}": v for n, v in zip(names, mid, strict=True)},
        **{f"drift_{n}": v for n, v in zip(names, (mid - base) / sigma, strict=True)},
        **{f"slope_{n}": v for n, v in zip(names, (fast - slow) / sigma, strict=True)},
        "index_fast": fast.mean(), "index_mid": mid.mean(), "index_slow": slow.mean(),
        "index_fast_drift": (fast - base).mean(), "index_mid_drift": (mid - base).mean(),
        "index_slow_drift": (slow - base).mean(), "index_fast_slow": (fast - slow).mean(),
        "index_mid_slow": (mid - slow).mean(), "index_fast_mid": (fast - mid).mean(),
        "index_long": long.mean(), "index_mid_long": (mid - long).mean(),
        "index_slow_long": (slow - long).mean(), "age": 89, "usable": 14, "stuck_run": 1,
        "stuck_sensor": 0, "condition": 0, "elsewhere": 0, "known": 89,
    }  # fmt: skip
    assert tuple(expected) == FEATURE_NAMES
    assert row == pytest.approx({k: round(v, 4) for k, v in expected.items()}, abs=1e-9)


def batch_mean(z: np.ndarray, span: int) -> np.ndarray:
    """The plain mean of the first readings, then the exponentially weighted one."""
    alpha, start = 2 / (span + 1), (span + 1) // 2
    mean = z[:start].mean(0)
    weights = alpha * (1 - alpha) ** np.arange(len(z) - start)[::-1]
    return (1 - alpha) ** (len(z) - start) * mean + weights @ z[start:]


def test_a_reading_that_is_not_newer_is_scored_but_not_learned(unit):
    rng = np.random.default_rng(2)
    for cycle in range(1, 20):
        before = unit.feed(noisy(cycle, rng))
    state = msgspec.msgpack.encode(unit.state)
    for time in (19_000, 5_500):
        late = unit.feed(reading(19, time=time, T24=SENSORS["T24"].plausible[1]))
        assert late["level_T24"] == pytest.approx(before["level_T24"], abs=1e-3)
        assert msgspec.msgpack.encode(unit.state) == state


def test_a_sensor_never_seen_is_neutral_and_the_others_go_on(unit):
    rng = np.random.default_rng(3)
    for cycle in range(1, 30):
        event = noisy(cycle, rng, worn=cycle / 5)
        del event.sensors["T50"]
        row = unit.feed(event)
    assert row["level_T50"] == row["drift_T50"] == row["slope_T50"] == 0
    assert row["usable"] == 13
    assert row["index_mid"] > 3
    assert row["drift_T24"] > 1


@pytest.mark.parametrize("gone", [None, -9999.0, 65535.0, 9999.0, 253.0])
def test_a_sensor_that_fails_keeps_what_was_known_of_it(unit, gone):
    rng = np.random.default_rng(4)
    for cycle in range(1, 30):
        before = unit.feed(noisy(cycle, rng))
    event = noisy(30, rng)
    after = unit.feed(reading(30, **{**event.sensors, "Nc": gone}))
    assert after["level_Nc"] == pytest.approx(before["level_Nc"], abs=1e-3)
    assert after["usable"] == 13


def test_a_stuck_sensor_is_told_and_no_longer_learned(unit):
    rng = np.random.default_rng(5)
    for cycle in range(1, 40):
        unit.feed(noisy(cycle, rng))
    for run in range(1, 300):
        event = noisy(40 + run, rng)
        row = unit.feed(reading(40 + run, **{**event.sensors, "phi": 525.0}))
        assert row["stuck_run"] == min(run, 255) or run == 1
        assert row["usable"] == (14 if run < STUCK_AFTER else 13)
        if run == STUCK_AFTER - 1:
            learned = row["level_phi"]
    assert WEARING[int(row["stuck_sensor"])].name == "phi"
    assert row["level_phi"] == pytest.approx(learned, abs=1e-3)


@pytest.mark.parametrize("gone", [None, -9999.0, 9999.0])
def test_a_stuck_sensor_that_is_gone_is_not_told_as_stuck_for_ever(unit, gone):
    """It was, in each of 179 readings without it; back with the same value it is again."""
    rng = np.random.default_rng(6)
    for cycle in range(1, 40):
        row = unit.feed(reading(cycle, **{**noisy(cycle, rng).sensors, "phi": 525.0}))
    assert row["stuck_run"] == 39 and WEARING[int(row["stuck_sensor"])].name == "phi"
    for cycle in range(40, 60):
        row = unit.feed(reading(cycle, **{**noisy(cycle, rng).sensors, "phi": gone}))
        assert row["stuck_run"] == 1 and row["usable"] == 13
    row = unit.feed(reading(60, **{**noisy(60, rng).sensors, "phi": 525.0}))
    assert row["stuck_run"] == 40
    row = unit.feed(reading(61, **{**noisy(61, rng).sensors, "phi": 524.0}))
    assert row["stuck_run"] == 1 and row["usable"] == 14


def test_age_goes_on_when_the_cycle_counter_is_reset(unit):
    unit.feed(reading(99))
    unit.feed(reading(100))
    assert unit.feed(reading(1, time=101_000))["age"] == 101
    assert unit.feed(reading(2, time=102_000))["age"] == 102


def test_a_state_of_another_layout_is_refused():
    with pytest.raises(StateError, match="a/b/1 has 10 bytes"):
        advance(UnitState(1, 1, 0, b"0123456789"), reading(2), NORMAL)


@pytest.mark.parametrize("sensor", ALL, ids=lambda sensor: sensor.name)
def test_ranges_of_a_sensor_hold_each_other(sensor):
    low, high = sensor.plausible
    assert sensor.possible[0] <= low < high <= sensor.possible[1]
    for value in SENTINELS:
        event = reading(1, time=10**12, **{sensor.name: value})
        assert parse(to_wire(event), 1 << 60, future_skew_ms=0) == event
        assert not sensor.believes(value)
    if sensor.wear:
        assert low < sensor.nominal - 20 * sensor.noise
        assert sensor.nominal + 20 * sensor.noise < high
