"""A type is learned of a sample of a fleet, and judges its next unit from its first reading."""

import random

import pytest

from apps.data.fleet import learned
from stormwatch.domains.maintenance.anomalies import Anomalies
from stormwatch.domains.maintenance.equipment import EquipmentError, read
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.errors import SettingsError


def sample(count: int = 2000, units: int = 5) -> list[Reading]:
    draw = random.Random(2)
    return [
        Reading(
            f"{n}", f"pump-{n % units}", 10**12 + n, 0, (),
            {"vibration": draw.gauss(2 + n % units / 10, 0.1), "Öl [°C]": draw.gauss(60, 2),
             "still": 7.0},
        )
        for n in range(count)
    ]  # fmt: skip


def test_the_normal_of_a_fleet_is_that_of_its_units() -> None:
    events = [Reading("e", "pump-9", 1, 0, (), {}, "", UnitEvent("maintenance"))]
    text = learned("pump", [*sample(), *events])
    kind = read(text, "pump.toml")
    assert text.startswith("# Learned of 2,000 readings of 5 units.")
    assert list(kind.sensors) == ["vibration", "Öl [°C]", "still"]
    vibration, oil, still = kind.sensors.values()
    assert vibration.nominal == pytest.approx(2.2, abs=0.05)
    assert 0.1 < vibration.noise < 0.25
    assert (oil.nominal, oil.noise) == (pytest.approx(60, abs=0.5), pytest.approx(2, rel=0.25))
    assert still.noise == 0, "it never moved"
    first = Reading("1", "new", 1, 0, (), {"vibration": 6.0})
    _, findings = Anomalies(kind).advance(b"", first, 0)
    assert [each.kind for each in findings.found] == ["odd"]


def test_what_cannot_be_learned_is_said() -> None:
    with pytest.raises(SettingsError, match="no reading in the sample"):
        learned("pump", [])
    with pytest.raises(EquipmentError, match="`name`"):
        learned("Pump 7", sample(20))
