"""The probability of a failure, and its mode, where a model of labelled failures judges."""

import json
import math
from math import pi
from typing import Any

import msgspec
import numpy as np
import pytest

from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.equipment import EquipmentError, read, shipped
from stormwatch.domains.maintenance.equipment.derived import derive
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.failures import Failures, Limits, feature_set
from stormwatch.domains.maintenance.findings import FEATURE_SET
from stormwatch.domains.maintenance.judging_any import MODEL
from stormwatch.errors import ModelError
from stormwatch.models import NoModel
from stormwatch.records import OUT_OF_DISTRIBUTION
from stormwatch.state.judge import UNSCORED, Verdict, versions_of

MILLING = shipped("milling")
HEALTHY = {
    "air_temperature": 300.0, "process_temperature": 310.0, "rotational_speed": 1500.0,
    "torque": 40.0, "tool_wear": 50.0, "variant": 1.0,
}  # fmt: skip
DOMAIN = Maintenance.load()


def judged(domain: Maintenance = DOMAIN, **changed: float | None) -> Verdict:
    """The last reading of a machine that was healthy before."""
    state, verdict = domain.new_state(), Verdict("")
    for nth in range(40):
        sensors = HEALTHY | {"tool_wear": 50.0 + 2 * nth, "rotational_speed": 1500.0 + nth % 3}
        sensors |= changed if nth == 39 else {}
        known = {name: value for name, value in sensors.items() if value is not None}
        value = {
            "id": f"{nth}", "unit": "mill", "time": f"2026-11-01T00:{nth:02}:00Z",
            "equipment": "milling", "sensors": known,
        }  # fmt: skip
        event = domain.parse(json.dumps(value).encode(), 10**13)
        assert isinstance(event, Reading), event
        row, carry = domain.advance(state, event)
        (verdict,) = domain.decide([event], [row], [carry])
        names = domain.other_features[verdict.by[0]] if verdict.by else ()
        assert len(row) == len(names)
    return verdict


@pytest.mark.parametrize(
    ("changed", "derived"),
    [
        ({}, {"temperature_difference": 10.0, "power": 40.0 * 1500 * 2 * pi / 60, "strain": 2000.0,
              "strain_excess": 0.0, "heat_excess": 0.0, "power_excess": 0.0}),
        ({"torque": 55.0, "tool_wear": 220.0}, {"strain_excess": 55 * 220 / 11_000 - 1}),
        ({"torque": 55.0, "tool_wear": 220.0, "variant": 3.0}, {"strain_excess": 0.0}),
        ({"process_temperature": 308.0, "rotational_speed": 1300.0},
         {"heat_excess": 1 - 1300 / 1380}),
        ({"process_temperature": 308.0}, {"heat_excess": 0.0}),
        ({"torque": 10.0}, {"power_excess": 1 - 10 * 1500 * 2 * pi / 60 / 3500}),
        ({"torque": 70.0}, {"power_excess": 70 * 1500 * 2 * pi / 60 / 9000 - 1}),
    ],
)  # fmt: skip
def test_derived_values_are_what_their_names_say(
    changed: dict[str, float], derived: dict[str, float]
) -> None:
    found = derive(MILLING.steps, HEALTHY | changed)
    assert found is not None
    assert {name: found[name] for name in derived} == pytest.approx(derived)


@pytest.mark.parametrize("variant", [0.0, 4.0, 1.5, None])
def test_without_all_that_it_takes_the_model_does_not_judge(variant: float | None) -> None:
    verdict = judged(variant=variant, torque=70.0)
    assert verdict.by == (FEATURE_SET, MODEL, MILLING.label)
    assert verdict.reasons[-1].code == "life_unknown"


def test_a_healthy_reading_has_a_small_probability_and_nothing_to_tell() -> None:
    verdict = judged()
    assert verdict.outcome == "healthy"
    assert [reason.text for reason in verdict.reasons] == ["the probability of a failure is 0.1%"]
    assert 0 <= verdict.score < 0.005
    assert verdict.by in versions_of(DOMAIN) or verdict.by == (
        feature_set(MILLING), verdict.by[1], MILLING.label
    )  # fmt: skip
    model = DOMAIN._failures["milling"].model_version
    assert (model, MILLING.label, feature_set(MILLING)) in versions_of(DOMAIN)


@pytest.mark.parametrize(
    ("changed", "mode", "said"),
    [
        ({"process_temperature": 307.0, "rotational_speed": 1320.0}, "heat_dissipation",
         "it looks like a heat dissipation failure: cooling below what it has to be, by 4.3%; "
         "process temperature is 307 K; air temperature is 300 K; rotational speed is 1320 rpm"),
        ({"torque": 65.0}, "power", "power outside its limits, by 13.4%; torque is 65 Nm"),
        ({"torque": 12.0}, "power", "rotational speed is 1500 rpm"),
        ({"torque": 52.0, "tool_wear": 220.0}, "overstrain", "tool wear is 220 min"),
    ],
)  # fmt: skip
def test_a_failure_is_due_for_service_and_its_mode_is_named(
    changed: dict[str, float], mode: str, said: str
) -> None:
    verdict = judged(**changed)
    assert verdict.outcome == "service"
    assert verdict.score > 0.9
    codes = [reason.code for reason in verdict.reasons]
    assert codes[:2] == ["failure_probability", f"mode_{mode}"]
    assert said in verdict.reasons[1].text
    assert not [code for code in codes[2:] if code.startswith("mode_")]


def test_two_modes_at_once_are_both_named() -> None:
    codes = {reason.code for reason in judged(torque=65.0, tool_wear=220.0).reasons}
    assert {"mode_power", "mode_overstrain"} <= codes


def test_a_worn_tool_is_watched() -> None:
    verdict = judged(tool_wear=236.0, torque=30.0)
    assert verdict.outcome == "watch"
    assert verdict.reasons[1].text.startswith("it looks like a tool wear failure: tool wear is 236")


def test_an_odd_sensor_that_the_model_sees_is_told_and_is_no_alarm_by_itself() -> None:
    verdict = judged(rotational_speed=2900.0, torque=20.0)
    assert verdict.outcome == "healthy"
    assert verdict.reasons[0].code == "anomaly_rotational_speed"
    broken = judged(rotational_speed=2900.0, torque=20.0, process_temperature=1.0)
    assert broken.outcome == "sensor_fault"


def test_without_a_score_any_decides_and_says_so() -> None:
    by_rules = DOMAIN.by_rules()
    verdict = judged(by_rules, torque=65.0)
    assert (verdict.degraded, verdict.score, verdict.outcome) == (True, UNSCORED, "healthy")
    assert verdict.by == (feature_set(MILLING), "none", MILLING.label)


class Sure:
    """A model that says 0.9 of everything, and was trained on `card.distribution`."""

    def __init__(self, card: Any) -> None:
        self.card = card

    def predict(self, rows: Any) -> list[float]:
        return [0.9] * len(rows)


def test_out_of_distribution_the_model_alone_warns_of_nothing() -> None:
    judge = Failures(MILLING, Sure(DOMAIN._failures["milling"].model.card))
    rows = [(50.0, 0.0, 0.0, 0.0), (9000.0, 0.0, 0.0, 0.0), (9000.0, 0.0, 0.0, 0.1)]
    base = [Verdict("healthy")] * 3
    near, far, limit = judge.judge(rows, [HEALTHY] * 3, base)
    assert (near.outcome, near.noted) == ("service", "")
    assert (far.outcome, far.noted) == ("healthy", OUT_OF_DISTRIBUTION)
    assert far.reasons[-1].code == "out_of_distribution"
    assert (limit.outcome, limit.noted) == ("service", OUT_OF_DISTRIBUTION)


class Once(Sure):
    """The same, and it has no score in time when it is asked again."""

    def __init__(self, card: Any) -> None:
        super().__init__(card)
        self.asked = 0

    def predict(self, rows: Any) -> list[float]:
        self.asked += 1
        return [0.9 if self.asked == 1 else math.nan] * len(rows)


def test_where_the_model_has_no_time_to_name_the_mode_the_rules_alone_decide() -> None:
    """So that another try, or a proof, finds the very same decision under its mark."""
    row, base = (50.0, 0.0, 0.2, 0.0), [Verdict("healthy")]
    judge = Failures(MILLING, Once(DOMAIN._failures["milling"].model.card))
    (late,) = judge.judge([row], [HEALTHY], base)
    assert late.degraded
    assert [late] == judge.by_rules().judge([row], [HEALTHY], base)


def test_a_reading_unlike_the_training_is_counted() -> None:
    verdict = judged(tool_wear=9000.0, torque=0.5)
    assert verdict.noted == OUT_OF_DISTRIBUTION
    assert verdict.reasons[-1].code == "out_of_distribution"


def test_a_row_is_judged_by_itself() -> None:
    judge, draw = DOMAIN._failures["milling"], np.random.default_rng(1)
    rows = [
        tuple(row)
        for row in (
            draw.random((40, 4)) * (240, 0.1, 0.1, 0.1) * (draw.random((40, 4)) < 0.3)
        ).tolist()
    ]
    sensors, base = [HEALTHY] * 40, [Verdict("healthy")] * 40
    together = judge.judge(rows, sensors, base)
    assert len({one.outcome for one in together}) > 1
    assert together == [judge.judge([row], [HEALTHY], base[:1])[0] for row in rows]


@pytest.mark.parametrize("limits", [{"service": 0.5}, {"service": 0.1, "watch": 0.5}])
def test_a_card_without_sound_thresholds_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="thresholds"):
        Limits.of(msgspec.structs.replace(NoModel.card, version="m-1", thresholds=limits))


MILL = """
name = "mill"
model = "failure"
[sensors.a]
[sensors.b]
[derived.c]
function = "difference"
of = ["a", "b"]
[derived.d]
function = "outside"
of = ["c"]
limits = [1.0, 2.0]
[failure]
features = ["a", "d"]
[modes.m]
words = "a failure"
by = ["d"]
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"difference"', '"sum"', "line 6: `derived.c` has function = 'sum'; there are difference"),
        ('of = ["a", "b"]', 'of = ["a", "d"]', "is of 'd', which is no sensor, and nothing that"),
        ('of = ["a", "b"]', 'of = ["a"]', "`derived.c` is of 1 values; difference takes 2"),
        ("limits = [1.0, 2.0]", "limits = [1.0]", "has 1 limits; outside takes 2"),
        ("limits = [1.0, 2.0]", "limits = [0.0, 2.0]", "a limit that is not more than 0"),
        ("[derived.d]", "[derived.a]", "has the name of a sensor"),
        ('features = ["a", "d"]', 'features = ["x"]', "names 'x', which is no sensor"),
        ('by = ["d"]', 'by = ["b"]', "`modes.m` is told by 'b', which is not in failure.features"),
        ('model = "failure"', "", "stands with model = \"failure\", and with that alone"),
    ],
)  # fmt: skip
def test_a_type_that_cannot_be_meant_so_is_refused(old: str, new: str, said: str) -> None:
    assert read(MILL, "mill.toml").failure is not None
    with pytest.raises(EquipmentError) as refused:
        read(MILL.replace(old, new, 1), "mill.toml")
    assert said in str(refused.value)
