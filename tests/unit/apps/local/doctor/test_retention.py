"""Settings that will hurt later are told before they do."""

import pytest

from apps.local.doctor.retention import settings_findings
from stormwatch.settings import Settings


def test_the_defaults_are_sound() -> None:
    assert settings_findings(Settings()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ttl_states_d": 37}, "ttl.states_d is 37"),
        ({"lateness_s": 86_400 * 60}, "Set it to 97 or more"),
        ({"dedup_horizon_s": 86_400 * 88}, "Set it to 96 or more"),
        ({"ttl_decisions_d": 6}, "ttl.decisions_d is 6"),
        ({"ttl_ledger_d": 1}, "ttl.ledger_d is 1"),
        ({"ttl_dead_letters_d": 7_301}, "7300 days at most"),
        ({"kafka_partitions": 3}, "layout.stripes = 12"),
        ({"layout_stripes": 1024}, "256 for each of 4"),
    ],
)
def test_each_finding_names_the_setting_and_the_mend(change: dict[str, int], said: str) -> None:
    (finding,) = settings_findings(Settings(**change))
    assert said in finding


@pytest.mark.parametrize(
    "change",
    [
        {"ttl_states_d": 38},
        {"kafka_partitions": 128},  # a stripe then holds entities of two partitions
        {"layout_stripes": 256},
        {"ttl_ledger_d": 7},
    ],
)
def test_what_is_just_enough_is_no_finding(change: dict[str, int]) -> None:
    assert settings_findings(Settings(**change)) == []
