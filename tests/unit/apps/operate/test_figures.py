"""Figures of a topology: what meters and offsets add up to."""

import msgspec

from apps.operate.figures import NOTHING, Look, latency_of, look, rates, rejected_by_code
from stormwatch.metrics import Snapshot


def snapshot(at: int, **ends: int) -> bytes:
    return msgspec.json.encode(
        Snapshot(
            at,
            1,
            "host",
            dict(ends),
            2,
            5,
            1,
            {3: sum(ends.values())},
            0,
            degraded=3,
            noted={"x": 2},
        )
    )


def test_meters_of_all_tasks_add_up_and_those_of_earlier_runs_do_not_count() -> None:
    meters = {
        ("decide", "1"): snapshot(2_000, scored=10, late=1),
        ("decide", "2"): snapshot(2_400, scored=5),
        ("reject", "1"): msgspec.json.encode(
            Snapshot(2_300, 1, "host", {"rejected": 3, "rejected:not_json": 3}, 0, 1, 0, {}, 0)
        ),
        ("decide", "old"): snapshot(999, scored=1_000_000),
    }
    seen = look(meters, began=1_000, taken=2_500, high=100, lag=7)
    assert seen.decided == 19
    assert seen.ends == {"scored": 15, "late": 1, "rejected": 3, "rejected:not_json": 3}
    assert (seen.at, seen.alerts, seen.failed, seen.lag) == (2_400, 4, 2, 7)
    assert (seen.degraded, seen.noted) == (6, {"x": 4})
    assert rejected_by_code(seen.ends) == {"not_json": 3}


def test_offsets_that_never_held_a_record_are_not_decided() -> None:
    assert look({("s", "1"): snapshot(5, absent=4, scored=1)}, 0, 0, 0, 0).decided == 1


def test_rates_are_per_second_between_two_looks() -> None:
    before = NOTHING._replace(taken=1_000, at=900, high=100, ends={"scored": 50}, latency={7: 50})
    now = before._replace(
        taken=3_000, at=2_900, high=500, ends={"scored": 250}, latency={7: 50, 20: 200}
    )
    found = rates(before, now)
    assert (found.incoming, found.outgoing) == (200.0, 100.0)
    assert found.latency == (20, 20, 20, 20)  # what came before does not count


def test_nothing_decided_is_no_latency_and_no_rate() -> None:
    found = rates(NOTHING, NOTHING)
    assert (found.incoming, found.outgoing, found.latency.p50) == (0.0, 0.0, None)
    assert latency_of({}) == (None, None, None, None)


def test_a_look_without_meters_knows_the_topic_only() -> None:
    assert look({}, 0, 5, 9, 9) == Look(5, 5, 9, 9, {}, {}, 0, 0, 0, ())


def test_a_meter_of_another_version_is_left_out_and_counted() -> None:
    meters = {
        ("decide", "1"): snapshot(2_000, scored=10),
        ("decide", "2"): b'{"at": 2100, "pid": "of another shape"}',
        ("decide", "3"): b'{"at": 900, "pid": "of another shape"}',
        ("decide", "4"): b"\xff not even JSON",
    }
    seen = look(meters, began=1_000, taken=2_500, high=100, lag=7)
    assert (seen.decided, seen.tasks) == (10, 1)
    assert seen.unread == 2, "but not the one that ended before"
