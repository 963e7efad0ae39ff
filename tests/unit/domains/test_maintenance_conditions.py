"""Working conditions: features by what is normal in each, old states, and what is not known."""

from itertools import islice

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.data.generate.flights import _CENTRES, _NOISES, CONDITIONS, flights
from stormwatch.domains.maintenance import features, memory
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import (
    BASELINE,
    FEATURE_NAMES,
    MODEL_FEATURES,
    OLD_FEATURES,
    SPANS,
    Normal,
    advance,
    forget,
)
from stormwatch.domains.maintenance.parse import parse
from stormwatch.domains.maintenance.sensors import ALL, WEARING
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.models.conditions import UNKNOWN, Condition, Conditions, find

NAMES = tuple(sensor.name for sensor in WEARING)
NEVER_LATE = 10**13


def six() -> Conditions:
    """The simulator's conditions with a normal of each that is only roughly right."""
    rng = np.random.default_rng(0)
    at = [ALL.index(sensor) for sensor in WEARING]
    centres, noises = _CENTRES[:, at], abs(_NOISES[:, at])
    return Conditions(
        NAMES,
        tuple(
            Condition(
                place, (0.1, 0.01, 0.1), tuple((centre + noise * rng.normal(size=14)).tolist()),
                tuple((noise * rng.uniform(0.5, 2.0, 14)).tolist()), 1 / 6,
            )
            for place, centre, noise in zip(CONDITIONS, centres, noises, strict=True)
        ),
    )  # fmt: skip


def flown(units: int = 3, count: int = 600) -> list[Reading]:
    events = [parse(one.value, NEVER_LATE, future_skew_ms=0)
              for one in islice(flights(3, units=units), count)]  # fmt: skip
    assert all(isinstance(event, Reading) for event in events)
    return events  # type: ignore[return-value]


def batch(history: list[Reading], conditions: Conditions) -> np.ndarray:
    """The model's features of the whole history of one unit, computed another way."""
    places = [find(conditions.known, event.settings) for event in history]
    x = np.array([[event.sensors[name] for name in NAMES] for event in history])
    nominal = np.array([conditions.known[p].nominal for p in places])
    noise = np.array([conditions.known[p].noise for p in places])
    z = np.array([s.wear for s in WEARING]) * (x - nominal) / noise
    rows = []
    for n in range(1, len(z) + 1):
        own = z[: min(n, BASELINE)]
        base, sigma = (
            own.mean(0),
            np.sqrt((BASELINE + own.var(0) * len(own)) / (BASELINE + len(own))),
        )
        fast, mid, slow, long = (weights(n, span) @ z[:n] for span in SPANS)
        f, m, s, g, b = (part.mean() for part in (fast, mid, slow, long, base))
        rows.append([
            *mid, *((mid - base) / sigma), *((fast - slow) / sigma), f, m, s, f - b, m - b, s - b,
            f - s, m - s, f - m, g, m - g, s - g, history[n - 1].cycle,
        ])  # fmt: skip
    return np.array(rows)


def weights(n: int, span: int) -> np.ndarray:
    """Of n readings in their mean: the plain mean of the first ones, then exponential."""
    alpha, start = 2 / (span + 1), (span + 1) // 2
    if n <= start:
        return np.full(n, 1 / n)
    late = alpha * (1 - alpha) ** np.arange(n - start)[::-1]
    return np.concatenate([np.full(start, (1 - alpha) ** (n - start) / start), late])


def test_streamed_features_equal_a_batch_computation_row_by_row() -> None:
    conditions = six()
    normal, states = Normal(conditions), dict[str, UnitState]()
    histories: dict[str, list[Reading]] = {}
    rows: dict[str, list[tuple[float, ...]]] = {}
    for event in flown():
        state = states.setdefault(event.unit, UnitState())
        histories.setdefault(event.unit, []).append(event)
        rows.setdefault(event.unit, []).append(advance(state, event, normal))
    for unit, history in histories.items():
        found = np.array(rows[unit])[:, : len(MODEL_FEATURES)]
        assert np.abs(found - batch(history, conditions).round(4)).max() <= 1e-9


@given(st.data())
def test_with_and_without_masks_the_same_bits_are_learned(data) -> None:
    """A reading of which all sensors work takes a shorter way than one with a broken sensor."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    count = data.draw(st.integers(1, 60))
    normal = Normal()
    plain = memory.Memory()
    masked = memory.Memory()
    values = np.array([s.nominal for s in WEARING])
    for _ in range(count):
        values = np.where(rng.random(14) < 0.3, values, values + rng.normal(size=14))
        z = normal.z(values, 0)
        memory.learn(plain, values, None, z)
        memory.learn(masked, values, np.ones(14, dtype=bool), z)
        assert plain.packed(1) == masked.packed(1)


def test_a_state_of_the_feature_set_before_carries_on() -> None:
    """Bytes that maintenance-1 wrote after 40 readings; means and baseline are what they were."""
    rng = np.random.default_rng(4)
    z = rng.normal(size=(6, 14)).astype(np.float32)  # last, fast, mid, slow, base, squares
    z[5] = abs(z[5]) * 15
    body = memory._OLD.pack(bytes([30] * 14 + [1] * 14), *z.ravel().tolist())
    assert len(body) == 364
    state = UnitState(1000, 40, 0, body)
    late = Reading("x", "a/b/1", 500, 40, (), {s.name: s.nominal for s in WEARING})
    row = dict(zip(FEATURE_NAMES, advance(state, late, Normal()), strict=True))
    for at, name in enumerate(NAMES):
        sigma = np.sqrt((15 + z[5, at]) / 30)
        assert row[f"level_{name}"] == pytest.approx(z[2, at], abs=1e-4)
        assert row[f"drift_{name}"] == pytest.approx((z[2, at] - z[4, at]) / sigma, abs=1e-4)
    assert row["index_slow_long"] == 0 and row["known"] == 0
    assert state.body == body, "it is not newer, so nothing is learned"
    newer = msgspec.structs.replace(late, time=2000, cycle=41)
    assert advance(state, newer, Normal())[FEATURE_NAMES.index("known")] == 1
    assert isinstance(state.body, bytes) and len(state.body) == 896
    assert OLD_FEATURES[-4:] == ("age", "usable", "stuck_run", "stuck_sensor")
    assert len(OLD_FEATURES) == 55


def test_a_sensor_that_was_stuck_before_is_still_stuck() -> None:
    sensors = {s.name: s.nominal + s.noise for s in WEARING}
    z = np.zeros((6, 14), np.float32)
    z[0] = Normal().z(np.array(list(sensors.values())), 0).astype(np.float32)
    body = memory._OLD.pack(bytes([30] * 14 + [20] * 14), *z.ravel().tolist())
    row = advance(UnitState(1, 40, 0, body), Reading("x", "a/b/1", 2, 41, (), sensors), Normal())
    assert row[FEATURE_NAMES.index("stuck_run")] == 21


@pytest.mark.parametrize("old", [True, False])
def test_under_another_normal_a_unit_begins_again_and_says_so(old: bool) -> None:
    events = flown(1, 50)
    state = UnitState()
    if old:
        state = UnitState(1, 1, 0, memory._OLD.pack(bytes([30] * 28), *[1.0] * 84))
    else:
        for event in events[:40]:
            advance(state, event, Normal())
    row = dict(zip(FEATURE_NAMES, advance(state, events[40], Normal(six())), strict=True))
    fresh = dict(zip(FEATURE_NAMES, advance(UnitState(), events[40], Normal(six())), strict=True))
    assert row == fresh and row["known"] == 1


def test_in_an_unknown_condition_nothing_is_learned_and_it_is_counted() -> None:
    conditions = six()
    first = Normal(Conditions(NAMES, conditions.known[:1]))
    state, seen = UnitState(), 0
    for n, event in enumerate(flown(1, 120), 1):
        here = find(conditions.known, event.settings) == 0
        seen += here
        before = state.body
        row = dict(zip(FEATURE_NAMES, advance(state, event, first), strict=True))
        assert (row["condition"] == UNKNOWN) is not here
        assert row["age"] == n and row["known"] == n
        if not here and before:
            old, new = (memory.HEAD.size, state.body)
            assert before[old:] == new[old:], "no sensor has learned"
    assert 0 < seen < 40 and row["elsewhere"] > 0.5


def test_settings_that_tell_nothing_are_in_an_only_condition() -> None:
    known = six().known
    assert find(known[:1], ()) == 0 and find(known, ()) == UNKNOWN
    assert [find(known, place) for place in CONDITIONS] == [0, 1, 2, 3, 4, 5]
    assert find(known, (0.0, 0.0)) == find(known, (0.0, 0.0, 99.0)) == UNKNOWN
    assert find(known, (float("nan"), 0.0, 100.0)) == UNKNOWN
    anywhere = msgspec.structs.replace(known[0], settings=(), reach=())
    assert find((anywhere,), (35.0, 0.84, 100.0)) == find((anywhere,), ()) == 0


def test_a_sensor_that_sticks_is_not_believed_in_another_condition() -> None:
    normal, state = Normal(six()), UnitState()
    at = FEATURE_NAMES.index("usable"), FEATURE_NAMES.index("level_NRf")
    learned = 0.0
    for event in flown(1, 60):
        stuck = msgspec.structs.replace(event, sensors=event.sensors | {"NRf": 2388.05})
        z = normal.z(np.array([stuck.sensors[n] for n in NAMES]), normal.find(stuck))
        usable, level = (advance(state, stuck, normal)[i] for i in at)
        believed = abs(z[NAMES.index("NRf")]) <= features.FARTHEST
        assert usable <= 13 + believed and (believed or level == learned)
        learned = level


@pytest.mark.parametrize("old", [True, False])
def test_a_new_sensor_begins_again_alone(old: bool) -> None:
    state = UnitState()
    for event in flown(1, 30):
        advance(state, event, Normal())
    body = memory._OLD.pack(bytes([30] * 28), *[1.0] * 84) if old else state.body
    assert isinstance(body, bytes)
    left = forget(body, "T30", 5, "a/b/1")
    late = Reading("x", "a/b/1", 0, 1, (), {s.name: s.nominal for s in WEARING})
    rows = [
        dict(zip(FEATURE_NAMES, advance(UnitState(1, 1, 0, each), late, Normal()), strict=True))
        for each in (body, left)
    ]
    assert rows[1]["level_T30"] == 0 != rows[0]["level_T30"]
    others = [f"level_{name}" for name in NAMES if name != "T30"]
    assert [rows[0][name] for name in others] == [rows[1][name] for name in others]
