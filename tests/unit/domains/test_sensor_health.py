"""Which sensor is at fault and with what; and what is none of a sensor's fault."""

import random
from collections import Counter
from typing import Any

import pytest

from apps.build.evaluate.cases.sensor_health import (
    FROM,
    KINDS,
    TURBOFAN_FROM,
    decided,
    events,
    faults,
    faulty,
    is_named,
    machine,
    turbofan,
    turbofans,
)
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import advance
from stormwatch.domains.maintenance.health import LONGEST, Look, Suspects, clock, units

DOMAIN = Maintenance.load()
ROWS = machine(1)
MINUTE = 60_000


def judged(rows: list[dict[str, float]], kind: str = "") -> Any:
    return decided(DOMAIN, events(rows, kind, FROM))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_fault_is_told_by_its_name_and_sensor(kind: str) -> None:
    rows, name = faulty(ROWS, kind, 1, FROM)
    verdicts = judged(rows, kind)
    assert is_named(verdicts, kind, name, FROM)
    outcomes = Counter(one.outcome for one in verdicts[FROM:])
    assert outcomes["sensor_fault"] > 5 * outcomes["anomaly"]


def test_a_healthy_unit_is_left_alone() -> None:
    verdicts = judged(ROWS)
    assert {one.outcome for one in verdicts[200:]} == {"healthy"}
    assert not any(list(faults(one)) for one in verdicts)


def test_where_all_sensors_change_it_is_the_machine() -> None:
    rows = [
        {name: value * (1.3 if nth >= FROM else 1.0) for name, value in row.items()}
        for nth, row in enumerate(ROWS)
    ]
    verdicts = judged(rows)
    assert verdicts[FROM].outcome == "anomaly"
    assert not any(list(faults(one)) for one in verdicts)


def test_of_a_unit_of_one_sensor_it_cannot_be_told() -> None:
    rows, name = faulty(ROWS, "offset", 1, FROM)
    verdicts = judged([{name: row[name]} for row in rows])
    assert verdicts[FROM].outcome == "anomaly"
    assert not any(list(faults(one)) for one in verdicts)


def test_a_sensor_at_fault_is_not_learned_until_it_is_taken_for_right() -> None:
    rows, _ = faulty(ROWS, "offset", 1, FROM)
    verdicts = judged(rows)
    wrong = [nth for nth, one in enumerate(verdicts) if list(faults(one))]
    assert wrong == list(range(wrong[0], FROM + LONGEST))
    assert {one.outcome for one in verdicts[wrong[-1] + 1 :]} <= {"healthy", "watch"}


def test_a_sensor_that_reads_as_ever_again_is_healed() -> None:
    rows, _ = faulty(ROWS, "unit", 1, FROM)
    verdicts = judged([*rows[: FROM + 50], *ROWS[FROM + 50 :]])
    assert list(faults(verdicts[FROM + 49]))
    assert {one.outcome for one in verdicts[FROM + 70 :]} == {"healthy"}


def test_a_sensor_that_was_always_there_and_is_not_any_more() -> None:
    rows = [{n: v for n, v in row.items() if nth < FROM or n != "s2"}
            for nth, row in enumerate(ROWS)]  # fmt: skip
    verdicts = judged(rows)
    told = [nth for nth, one in enumerate(verdicts) if list(faults(one))]
    assert told[0] == FROM + 2
    assert dict(faults(verdicts[told[0]])).keys() == {"dropout"}


def test_a_sensor_that_comes_now_and_then_is_not_missed() -> None:
    rows = [{n: v for n, v in row.items() if nth % 7 == 0 or n != "s2"}
            for nth, row in enumerate(ROWS)]  # fmt: skip
    assert not any(list(faults(one)) for one in judged(rows)[400:])


def test_the_state_of_suspects_goes_through_its_bytes_at_any_moment() -> None:
    draw, body = random.Random(3), b""
    for nth in range(60):
        suspects = Suspects(body)
        assert suspects.packed == body
        suspects.look([Look(4, 8 + draw.gauss(0, 1), 30.0 + nth, 10.0, 2.0, 0.1)], 6, 1)
        body = suspects.packed
    assert Suspects(body).named(4)


ENGINE = turbofan(3)
SENSORS = [one.sensors for one in ENGINE]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "drift"])
def test_a_fault_of_a_turbofan_is_told_and_its_life_estimated_without_it(kind: str) -> None:
    rows, name = faulty(SENSORS, kind, 3, TURBOFAN_FROM)
    verdicts = decided(DOMAIN, turbofans(rows, ENGINE, kind, TURBOFAN_FROM))
    assert is_named(verdicts, kind, name, TURBOFAN_FROM)
    assert {one.outcome for one in verdicts} == {"healthy", "sensor_fault"}
    assert min(one.score for one in verdicts) > 60


def test_a_healthy_turbofan_is_left_alone_and_decided_as_without_any_look() -> None:
    state, plain = DOMAIN.new_state(), DOMAIN.new_state()
    for event in ENGINE:
        row, carry = DOMAIN.advance(state, event)
        assert carry is None
        assert row == advance(plain, event, DOMAIN._normal)
    assert not any(state.health[:14])


def test_a_turbofan_without_a_sensor_that_was_there_says_so() -> None:
    rows = [{n: v for n, v in row.items() if nth < 60 or n != "T50"}
            for nth, row in enumerate(SENSORS)]  # fmt: skip
    verdicts = decided(DOMAIN, turbofans(rows, ENGINE, "", 60))
    assert verdicts[61].outcome == "healthy"
    assert [reason.code for reason in verdicts[62].reasons] == ["sensor_dropout"]
    assert "T50" in verdicts[62].reasons[0].text


@pytest.mark.parametrize("nth", range(1, len(units.CONVERSIONS) + 1))
def test_each_change_of_unit_is_found_of_what_it_makes(nth: int) -> None:
    each = units.CONVERSIONS[nth - 1]
    centre, sigma = 300.0, 0.2
    value = each.slope * centre + each.offset
    found = units.match(value, centre, sigma)
    again = units.CONVERSIONS[found - 1]
    assert again.slope * centre + again.offset == pytest.approx(value)
    assert units.fits(found, value + 2 * each.slope * sigma, centre, sigma)
    assert units.match(centre + 5 * sigma, centre, sigma) == 0


def skews(times: list[int], cycles: list[int] | None = None) -> list[float]:
    body, out = b"", []
    for nth, time in enumerate(times):
        body, off = clock.look(body, time, cycles[nth] if cycles else 0)
        out.append(off)
    return out


EVEN = [nth * MINUTE for nth in range(1, 101)]


def test_a_clock_that_goes_on_evenly_or_now_and_then_pauses_is_believed() -> None:
    assert not any(skews(EVEN))
    assert not any(skews([*EVEN, *(time + 500 * MINUTE for time in EVEN)]))


def test_a_clock_that_goes_back_is_told_by_how_much() -> None:
    found = skews([*EVEN, *(time - 60 * MINUTE for time in EVEN[-20:])])
    assert not any(found[:102])
    assert found[102] == pytest.approx(-80 * 60)
    assert all(found[102:])


def test_a_backlog_after_an_outage_is_no_skew() -> None:
    newest = EVEN[-1] + 50 * MINUTE
    backlog = [EVEN[-1] + nth * MINUTE for nth in range(1, 50)]
    assert not any(skews([*EVEN, newest, *backlog, newest + MINUTE, newest + 2 * MINUTE]))


def test_one_late_reading_is_no_skew() -> None:
    assert not any(skews([*EVEN[:90], EVEN[70], *EVEN[90:]]))


def test_a_leap_of_the_clock_between_two_cycles_is_told() -> None:
    leap = [*EVEN, *(time + 600 * MINUTE for time in EVEN[:10])]
    cycles = list(range(1, 111))
    found = skews(leap, cycles)
    assert found[101] == 0 and all(one > 0 for one in found[102:])
    outage = [*range(1, 101), *range(600, 610)]
    assert not any(skews(leap, outage))


def test_a_skew_is_a_fault_of_a_sensor_and_changes_nothing_else() -> None:
    state, verdicts = DOMAIN.new_state(), []
    for nth, time in enumerate([*EVEN, *(time - 60 * MINUTE for time in EVEN[-20:])]):
        event = Reading(str(nth), "u", 10**12 + time, 0, (), {"x": 5.0 + nth % 3}, "any")
        row, carry = DOMAIN.advance(state, event)
        verdicts += DOMAIN.decide([event], [row], [carry])
    assert {one.outcome for one in verdicts[20:102]} == {"healthy"}
    assert {one.outcome for one in verdicts[102:]} == {"sensor_fault"}
    assert "80 min behind" in verdicts[102].reasons[-1].text
