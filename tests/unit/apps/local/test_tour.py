"""The page's four tries, word for word, on a demo: a payment, a broken one, a kill, a threshold."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.asked import ROOT
from tests.models.browser import DRIVER, WITHOUT, Browser, opened

pytestmark = [pytest.mark.slow, pytest.mark.skipif(DRIVER is None, reason=WITHOUT)]


class Demo:
    """A demo as a person starts it, and what it prints."""

    def __init__(self, place: Path) -> None:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
        self._said = place / "said"
        with self._said.open("w") as out:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "apps.cli", "demo", "--seconds", "200"], cwd=ROOT,
                env={**environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}, stdout=out, stderr=out,
            )  # fmt: skip

    def told(self, pattern: str) -> str:
        """What it printed of it, once it has."""
        until = time.monotonic() + 90
        while not (found := re.search(pattern, self._said.read_text())):
            assert self.child.poll() is None and time.monotonic() < until, self._said.read_text()
            time.sleep(0.2)
        return found.group(1)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    if made.child.poll() is None:
        made.child.send_signal(signal.SIGINT)
        made.child.wait(60)


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Browser]:
    with opened(tmp_path / "browser") as made:
        yield made


def _until(window: Browser, pattern: str) -> str:
    until = time.monotonic() + 90
    while not (found := re.search(pattern, text := window.text(), re.S)):
        assert time.monotonic() < until, text
        time.sleep(0.3)
    return found.group(0)


def test_each_try_does_what_it_says(demo: Demo, window: Browser) -> None:
    page, pid = demo.told(r"See it live at (\S+)"), demo.told(r"kill -USR2 (\d+)")
    window.open(f"{page}#now")
    _until(window, r"[1-9]\d* alerts? of|alerts of [1-9]")
    window.open(f"{page}#try")
    _until(window, f"kill -USR2 {pid}")
    send = "document.querySelectorAll('form.own')[{}].requestSubmit()"
    window.run(send.format(0))
    _until(window, r"review \S+ · \S+ · scored · [\d,.]+ m?s after it came.*all of it")
    window.run(send.format(1))
    _until(window, r"out_of_range: .* rejected .*the record is kept")
    os.kill(int(pid), signal.SIGUSR2)
    demo.told(r"decide (died: killed by hand)")
    demo.told(r"(starting it again)")
    _until(window, r"transactions [\d,]+ decided, [\d,]+ in flight, 0 lost")
    window.run(
        "const t = document.querySelector('textarea[aria-label=\"The rules of fraud\"]');"
        "t.value = t.value.replace('amount >= 40000', 'amount >= 30000');"
        "t.form.requestSubmit()"
    )
    _until(window, r"In force as revision 1")
    window.open(f"{page}#rules/fraud")
    _until(window, r"revision 1.*seen <= 2 AND amount >= 30000")
    assert window.complaints() == []
