"""A real browser, driven by its own driver (the W3C's WebDriver): no package is needed."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip
SOON_S = 30.0
WITHOUT = "no chromedriver here: apt-get install chromium chromium-driver"


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

    def type(self, text: str) -> None:
        """Into the field that has the focus."""
        value = json.dumps(text)
        self.run(
            f"const f = document.activeElement; f.value = {value}; "
            "f.dispatchEvent(new Event('input', {bubbles: true})); f.form?.requestSubmit()"
        )

    def resize(self, width: int) -> None:
        self._ask("POST", f"{self._session}/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        })  # fmt: skip

    def keys(self, *pressed: str) -> None:
        """Keys as of a keyboard, one after the other; W3C's code points for those without a letter:
        Tab, Enter and Escape."""
        codes = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c"}
        actions = [
            {"type": kind, "value": codes.get(key, key)}
            for key in pressed for kind in ("keyDown", "keyUp")
        ]  # fmt: skip
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        self._ask("POST", f"{self._session}/actions", body)

    def scheme(self, name: str, motion: str = "no-preference") -> None:
        """`light` or `dark`, and `reduce` for less motion, as the reader's system asks for."""
        features = [
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self._ask("POST", f"{self._session}/goog/cdp/execute", {
            "cmd": "Emulation.setEmulatedMedia", "params": {"features": features},
        })  # fmt: skip

    def wait_for(self, script: str) -> Any:
        """What the script hands to its last argument, a function."""
        body = {"script": script, "args": []}
        return self._ask("POST", f"{self._session}/execute/async", body)

    def shot(self, place: Path) -> None:
        """What is seen, as a PNG."""
        place.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

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


@contextmanager
def opened(home: Path) -> Iterator[Browser]:
    """A browser with its files in `home`, ended with the block."""
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
        with closing(Browser(port, home)) as made:
            yield made
    finally:
        driver.terminate()
        driver.wait(10)
