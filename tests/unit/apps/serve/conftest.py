"""A server that looks often."""

from collections.abc import Iterator

import pytest

from apps.serve import live
from tests.models.asked import Api, asked


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(live, "IDLE_S", 0.05)
    monkeypatch.setattr(live, "EVERY_S", 0.02)
    monkeypatch.setattr(live, "FIGURES_MS", 20)
    monkeypatch.setattr(live, "PATIENCE_S", 0.1)
    with asked() as made:
        yield made
