"""Why a unit is an alert: contributions in cycles and decades that add up, and what is named."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from apps.data.generate.readings import readings
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.features import MODEL_FEATURES
from stormwatch.domains.maintenance.why import OfLife
from stormwatch.models.networks import BlendModel
from stormwatch.reasons.catalogue import texts
from stormwatch.records import Explanation
from stormwatch.state.judge import Verdict
from tests.models.in_turn import in_turn

MAINTENANCE = Maintenance.load()
LATER = 4_000_000_000_000


def told() -> Iterator[tuple[tuple[float, ...], Verdict]]:
    """Of simulated units what of their readings is due for service, as an alert or not."""
    made = [MAINTENANCE.parse(one.value, LATER) for one in islice(readings(11, units=12), 2_600)]
    for _, row, verdict in in_turn(MAINTENANCE, made):
        if verdict.outcome == "service":
            yield row, verdict


SERVICE = list(told())[::4]


def explained(verdict: Verdict) -> Explanation:
    assert verdict.why is not None
    _, (found,) = verdict.why()
    return found


def test_each_feature_has_its_text_and_no_other_has() -> None:
    sensors = {name.partition("_")[2] for name in MODEL_FEATURES if name.startswith("level_")}
    wanted = {
        family if sensor in sensors else name
        for name in MODEL_FEATURES
        for family, _, sensor in [name.partition("_")]
    }
    assert set(texts("maintenance")) == wanted


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e6])
def test_each_text_can_be_filled_whatever_the_values(value: float) -> None:
    event = Reading("r", "u", 1, 1, settings=(), sensors={})
    row = tuple(value for _ in MODEL_FEATURES)
    why = OfLife(MAINTENANCE._model, MAINTENANCE._normal, event, row, 10.0)
    for at, name in enumerate(MODEL_FEATURES):
        assert "{" not in why._told(at).text, name
        assert why._told(at).text, name


def test_there_are_some() -> None:
    assert len(SERVICE) > 10


def test_what_is_kept_adds_up_to_the_cycles_left() -> None:
    for _, verdict in SERVICE:
        found = explained(verdict)
        assert (found.by, found.unit) == ("model", "cycles")
        assert abs(found.total - verdict.score) < 1e-6


def test_the_largest_contribution_is_the_one_that_small_steps_name() -> None:
    """An independent way: the networks' own scores, not their slopes, along 400 small steps."""
    model = MAINTENANCE._model
    assert isinstance(model, BlendModel)
    right = 0
    for row, verdict in SERVICE:
        x = np.array(row[: len(MODEL_FEATURES)])
        grown = model._trees.explain(x)
        apart = x - model._centre
        ways = model._centre + (np.arange(400)[:, None] + 0.5) / 400 * apart
        amounts = model._share * grown.amounts
        for at in np.flatnonzero(apart):
            step = np.zeros(len(x))
            step[at] = 0.02 * model._scale[at]
            slope = (model._mean(ways + step) - model._mean(ways - step)) / (2 * step[at])
            amounts[at] += (1 - model._share) * slope.mean() * apart[at]
        top = MODEL_FEATURES[int(np.argmax(np.abs(amounts)))]
        assert verdict.why is not None
        (reason,), (found,) = verdict.why()
        right += found.parts[0].of == top and found.parts[0].text in reason.text
    assert right >= 0.95 * len(SERVICE)


def test_an_anomaly_is_told_by_sensor_in_decades_that_add_up() -> None:
    drawn = np.random.default_rng(4)
    events: list[Any] = []
    for nth in range(160):
        far = 60.0 if nth == 159 else 0.0
        sensors = {"pressure": 100 + drawn.normal(), "flow": 5 + drawn.normal() + far}
        events.append(Reading(f"r{nth}", "pump", 1_000 * nth + 1, 0, (), sensors, equipment="any"))
    *_, (_, _, verdict) = in_turn(MAINTENANCE, events)
    assert verdict.outcome == "anomaly"
    found = explained(verdict)
    assert (found.by, found.unit, found.base) == ("surprise", "decades", 0.0)
    assert abs(found.total - verdict.score) < 1e-6
    assert found.parts[0].of == "flow"
    assert found.parts[0].value == pytest.approx(65, abs=5)
    assert found.parts[0].normal is not None
    low, high = found.parts[0].normal
    assert low < 5 < high < 10


def test_two_verdicts_of_one_reading_are_equal() -> None:
    _, verdict = SERVICE[0]
    assert verdict.why is not None
    assert verdict.why == OfLife(*(getattr(verdict.why, n) for n in OfLife.__dataclass_fields__))
