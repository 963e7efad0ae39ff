"""Accessibility of every view, by axe-core: no serious finding, in light and dark."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stormwatch.adapters.storm.resources import now_ms
from tests.models import decided_machines
from tests.models.asked import Api
from tests.models.browser import DRIVER, WITHOUT, Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DRIVER is None, reason=WITHOUT),
]
AXE = "axe-core@4.14.1"
VIEWS = (
    "now", "fraud", "machines", "posts", "recommendations", "rules", "quality", "operations", "try",
)  # fmt: skip
_RUN = """
    const done = arguments[arguments.length - 1];
    axe.run({resultTypes: ["violations"]}).then((told) => done(told.violations.map((found) =>
      `${found.impact} ${found.id}: ${found.nodes[0].html} ${found.nodes[0].failureSummary}`)));"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its text, fetched from npm."""
    npm, place = shutil.which("npm"), tmp_path_factory.mktemp("axe")
    if npm is None:
        pytest.skip("no npm here, which fetches axe-core: apt-get install npm")
    done = subprocess.run(
        [npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(place), AXE],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    text = place / "node_modules" / "axe-core" / "axe.min.js"
    if not text.exists():
        pytest.skip(f"npm does not fetch {AXE}: {done.stderr[-200:]}")
    return Path(text).read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_serious_finding(
    api: Api, browser: Browser, page: str, axe: str, scheme: str
) -> None:
    decided_machines.add(api.world)
    api.world.meter(now_ms() + 60_000, 5)
    browser.scheme(scheme)
    for view in VIEWS:
        browser.open("about:blank")
        browser.open(f"{page}#{view}")
        browser.until(lambda text: "all is well" in text)
        browser.run(f"{axe}; window.axe = axe")
        found: list[str] = browser.wait_for(_RUN)
        assert [each for each in found if each.startswith(("serious", "critical"))] == [], view
