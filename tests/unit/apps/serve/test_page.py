"""The page in a real browser: what it shows is what the API says, and text stays text.

The browser is driven by its own driver over HTTP (the W3C's WebDriver), so no package is needed.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from apps.serve import live
from stormwatch.adapters.storm.resources import now_ms
from tests.models.asked import Api
from tests.models.decided_payments import T0

DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip
SOON_S = 30.0
pytestmark = pytest.mark.skipif(
    DRIVER is None, reason="no chromedriver here: apt-get install chromium chromium-driver"
)


class Browser:
    """A browser window."""

    def __init__(self, port: int, home: Path) -> None:
        self._port = port
        args = [*FLAGS, f"--user-data-dir={home}"]
        args += ["--no-sandbox"] if os.geteuid() == 0 else []
        asked = {"goog:chromeOptions": {"args": args}, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": asked}})
        self._session = f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as link:
            link.request(method, path, None if body is None else json.dumps(body))
            told = json.loads(link.getresponse().read())["value"]
        assert not (isinstance(told, dict) and "error" in told), told
        return told

    def open(self, url: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str) -> Any:
        body = {"script": script, "args": []}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def press(self, key: str) -> None:
        event = f"new KeyboardEvent('keydown', {{key: {json.dumps(key)}, bubbles: true}})"
        self.run(f"document.body.dispatchEvent({event})")

    def text(self) -> str:
        found: str = self.run("return document.body.innerText")
        return found

    def until(self, is_so: Callable[[str], bool]) -> str:
        """The page's text once it is as it should be."""
        until = time.monotonic() + SOON_S
        while not is_so(text := self.text()):
            assert time.monotonic() < until, text
            time.sleep(0.1)
        return text

    def complaints(self) -> list[str]:
        """What the console says."""
        told = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [one["message"] for one in told]

    def close(self) -> None:
        self._ask("DELETE", self._session)


def answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        [str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + SOON_S
        while not answers(port):
            assert driver.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        with closing(Browser(port, tmp_path_factory.mktemp("browser"))) as made:
            yield made
    finally:
        driver.terminate()
        driver.wait(10)


def test_each_view_shows_what_is_stored_and_text_stays_text(api: Api, browser: Browser) -> None:
    page = f"http://127.0.0.1:{api.port}/"
    api.world.meter(now_ms() + 60_000, 5)
    browser.open(page)
    now = browser.until(lambda text: "alerts of 5 decided" in text and "10.27 EUR" in text)
    assert "all is well" in now and "topology" not in now
    browser.press("2")
    queue = browser.until(lambda text: "Payments to decide" in text and "fraud probability" in text)
    assert "1 open case" in queue and "4 payments" in queue and "at night · small" in queue
    browser.press("j")
    browser.until(lambda text: "fraud probability" in text)
    browser.open(f"{page}#quality/fraud")
    browser.until(lambda text: "missing_field" in text and "scored 30" in text)
    name = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    browser.open(f"{page}#decision/fraud/{name}/{T0 + 2000}/t2")
    browser.until(lambda text: "approve <img src=x onerror=alert(1)>" in text)
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    browser.until(lambda text: "m1" in text and "transactions/0/2" in text)
    assert browser.run("return document.querySelectorAll('img, script:not([src])').length") == 0
    assert browser.run("return document.querySelectorAll('canvas').length") >= 1
    assert browser.complaints() == []


def test_what_is_wrong_is_said_and_goes_by_itself(
    api: Api, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 0.0)
    page = f"http://127.0.0.1:{api.port}/"
    browser.open(page)
    browser.until(lambda text: "No topology runs" in text and "./stormwatch run" in text)
    browser.open(f"{page}#decision/fraud/nobody/1/t1")
    browser.until(lambda text: "has no decision 't1' of 'nobody'" in text)
    api.world.store.down = True
    browser.until(lambda text: "Since" in text and "the store is down" in text)
    api.world.store.down = False
    browser.until(lambda text: "all is well" in text)
