"""Windows against an oracle that keeps every record and computes all from the contract's words."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.state.windows import (  # fmt: skip
    COUNT,
    MAX,
    MEAN,
    MIN,
    SUM,
    Aggregate,
    Session,
    Sliding,
    Tumbling,
    WindowResult,
    Windows,
    WindowState,
)

LIST = Aggregate(list, lambda held, value: [*held, value], list)
records = st.lists(
    st.tuples(st.integers(-30, 60), st.one_of(st.none(), st.integers(-5, 5))), max_size=30
)
lateness = st.integers(0, 20)
shapes = st.one_of(
    st.builds(Tumbling, st.integers(1, 15)),
    st.integers(1, 8).flatmap(
        lambda step: st.builds(Sliding, st.integers(step, 20), st.just(step))
    ),
)


def spans_of(shape, time):
    """Every aligned window over `time`, by trying all starts."""
    size, step = shape.size, getattr(shape, "step", shape.size)
    return [
        (s, s + size) for s in range(time - size, time + 1) if s % step == 0 and time < s + size
    ]


def oracle(shape, log, late_by):
    """(closed, current with the record, late) of each record, for windows that do not merge."""
    kept, closed, out = {}, set(), []
    for at, (time, value) in enumerate(log):
        mark = max((t for t, _ in log[:at]), default=None)
        live = [s for s in spans_of(shape, time) if mark is None or s[1] + late_by > mark]
        for span in live if value is not None else ():
            kept.setdefault(span, []).append(value)
        over = [s for s in kept if s not in closed and s[0] <= time < s[1]]
        now = max(t for t, _ in log[: at + 1])
        ripe = sorted(
            (s for s in kept if s not in closed and s[1] + late_by <= now),
            key=lambda s: (s[1], s[0]),
        )
        closed |= set(ripe)
        out.append(([(*s, kept[s]) for s in ripe],
                    [(*s, list(kept[s])) for s in sorted(over)], not live))  # fmt: skip
    return out


def session_oracle(gap, log, late_by):
    """The same for sessions: those open are cut anew from their records' times at each step."""
    alive, out = [], []
    for at, (time, value) in enumerate(log):
        mark = max((t for t, _ in log[:at]), default=None)
        joins = any(start < time + gap and time < end for start, end, _ in cut(alive, gap))
        late = mark is not None and time + gap + late_by <= mark and not joins
        if value is not None and not late:
            alive.append((time, value))
        sessions = cut(alive, gap)
        over = [s for s in sessions if s[0] <= time < s[1]]
        now = max(t for t, _ in log[: at + 1])
        ripe = [s for s in sessions if s[1] + late_by <= now]
        gone = {(t, v) for start, end, _ in ripe for t, v in alive if start <= t < end}
        alive = [r for r in alive if r not in gone]
        out.append((ripe, over, late))
    return out


def cut(rows, gap):
    groups = []
    for time, value in sorted(rows):
        if groups and time - groups[-1][-1][0] < gap:
            groups[-1].append((time, value))
        else:
            groups.append([(time, value)])
    return [(g[0][0], g[-1][0] + gap, sum(v for _, v in g)) for g in groups]


def run(windows, log, through=lambda state: state):
    state = windows.new_state()
    for time, value in log:
        yield windows.take(state, time, value)
        state = through(state)


def plain(taken):
    return [tuple(r) for r in taken.closed], [tuple(r) for r in taken.current], taken.late


@given(shapes, records, lateness)
def test_tumbling_and_sliding_windows_are_the_oracles(shape, log, late_by):
    windows = Windows(shape, LIST, lateness_ms=late_by)
    assert [plain(t) for t in run(windows, log)] == oracle(shape, log, late_by)


@given(st.integers(1, 12), records, lateness)
def test_sessions_are_the_oracles(gap, log, late_by):
    windows = Windows(Session(gap), SUM, lateness_ms=late_by)
    assert [plain(t) for t in run(windows, log)] == session_oracle(gap, log, late_by)


@given(st.one_of(shapes, st.builds(Session, st.integers(1, 12))), records, lateness)
def test_without_itself_a_record_sees_what_was_before_it(shape, log, late_by):
    windows = Windows(shape, SUM, lateness_ms=late_by, itself=False)
    state = windows.new_state()
    for time, value in log:
        before = [(s, e, v) for e, s, v in state.open if s <= time < e]
        assert [tuple(r) for r in windows.take(state, time, value).current] == before


@given(st.one_of(shapes, st.builds(Session, st.integers(1, 12))), records, lateness)
def test_a_state_goes_through_a_blob_at_any_moment(shape, log, late_by):
    windows = Windows(shape, SUM, lateness_ms=late_by)
    kind = WindowState[int]

    def through(state):
        return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=kind)

    assert list(run(windows, log, through)) == list(run(windows, log))


@given(shapes, records, lateness)
def test_the_number_of_open_windows_is_bounded(shape, log, late_by):
    windows, step = Windows(shape, COUNT, lateness_ms=late_by), getattr(shape, "step", shape.size)
    state = windows.new_state()
    for time, value in log:
        windows.take(state, time, value)
        assert len(state.open) <= (shape.size + late_by) / step + 1


def test_edges_are_half_open():
    windows = Windows(Tumbling(10), COUNT)
    state = windows.new_state()
    assert windows.take(state, 0, 1).current == [WindowResult(0, 10, 1)]
    taken = windows.take(state, 10, 1)
    assert (taken.closed, taken.current) == ([(0, 10, 1)], [(10, 20, 1)])
    session = Windows(Session(10), COUNT)
    held = session.new_state()
    session.take(held, 0, 1)
    assert session.take(held, 10, 1).closed == [WindowResult(0, 10, 1)]


def test_a_late_record_joins_two_sessions():
    windows = Windows(Session(10), SUM, lateness_ms=50)
    state = windows.new_state()
    for time in (0, 15, 8):
        taken = windows.take(state, time, 1)
    assert taken.current == [WindowResult(0, 25, 3)] and len(state.open) == 1


@pytest.mark.parametrize(
    ("aggregate", "told"), [(COUNT, 3), (SUM, 6), (MEAN, 2), (MIN, -1), (MAX, 5)]
)
def test_the_usual_aggregates(aggregate, told):
    for shape in (Tumbling(10), Session(10)):
        windows = Windows(shape, aggregate)
        state = windows.new_state()
        for value in (2, -1, None, 5):
            taken = windows.take(state, 3, value)
        assert taken.current[0].value == told


@pytest.mark.parametrize(
    ("shape", "aggregate", "late_by", "words"),
    [
        (Tumbling(0), COUNT, 0, "positive"), (Sliding(5, 6), COUNT, 0, "no window"),
        (Session(0), COUNT, 0, "positive"), (Session(5), LIST, 0, "merge"),
        (Tumbling(5), COUNT, -1, "negative"),
    ],
)  # fmt: skip
def test_what_makes_no_windows_is_refused(shape, aggregate, late_by, words):
    with pytest.raises(ValueError, match=words):
        Windows(shape, aggregate, lateness_ms=late_by)
