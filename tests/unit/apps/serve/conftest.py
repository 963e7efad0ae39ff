"""A server that looks often."""

from collections.abc import Iterator

import pytest

from tests.models.asked import Api, asked, look_often
from tests.models.browser import Browser, opened


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers look all the time."""
    look_often(monkeypatch)


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
