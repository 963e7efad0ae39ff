"""Settings of the environment stay out of these tests."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STORMWATCH_")]:
        monkeypatch.delenv(name)
