"""A server that looks often."""

from collections.abc import Iterator

import pytest

from apps.serve import live, newest
from tests.models.asked import Api, asked
from tests.models.browser import Browser, opened


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers look all the time."""
    monkeypatch.setattr(live, "IDLE_S", 0.05)
    monkeypatch.setattr(live, "EVERY_S", 0.02)
    for name, seconds in {"IDLE_S": 0.05, "EVERY_S": 0.02, "UNRUNG_S": 0.02}.items():
        monkeypatch.setattr(newest, name, seconds)
    monkeypatch.setattr(live, "PATIENCE_S", 0.1)


@pytest.fixture
def api(often: None) -> Iterator[Api]:
    with asked() as made:
        yield made


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture
def page(api: Api, browser: Browser) -> Iterator[str]:
    """Where the page is; the browser leaves it before its server ends."""
    yield f"http://127.0.0.1:{api.port}/"
    browser.open("about:blank")
    browser.complaints()
