"""The page over many rows and a long time: nodes and memory have a bound.

STORMWATCH_TAB_S says for how many seconds the tab stays open; acceptance check 8 is 1800 of them.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.records import Fragment, LedgerRow, Outcomes, SetAside, StateRow
from stormwatch.state.write_timestamps import outcome_stamp
from tests.models import decided_machines
from tests.models.asked import Api, asked
from tests.models.browser import DRIVER, WITHOUT, Browser
from tests.models.decided_payments import SETTINGS, T0, TOPIC, Decided, _state

pytestmark = [pytest.mark.slow, pytest.mark.skipif(DRIVER is None, reason=WITHOUT)]
TAB_S = int(os.environ.get("STORMWATCH_TAB_S", "60"))
MANY, CAPPED = 100_000, 5_000
"""Rows of a list; and of what an answer has 2,000 of at most."""
NODES = 12_000
"""Of a view at most: 300 rows of a list, and what is beside them."""
SIZE = "return [document.querySelectorAll('*').length, performance.memory.usedJSHeapSize / 1e6]"


@pytest.mark.timeout(TAB_S * 2 + 240)
def test_a_page_that_is_open_all_day_stays_small(
    api: Api, browser: Browser, page: str, record_property: Callable[[str, object], None]
) -> None:
    """Check 8: at 1,000 alerts a second neither nodes nor memory grow, and what is drawn leaves
    room for 30 frames a second."""
    browser.open(page)
    browser.until(lambda text: "10.27 EUR" in text)
    browser.run(
        "window.drawn = 0; new MutationObserver(() => { window.drawn += 1; })"
        ".observe(document.body, {subtree: true, childList: true, characterData: true})"
    )
    sizes = []
    for second in range(TAB_S):
        began = time.monotonic()
        api.world.alerts_of([f"c{second}-{i}" for i in range(1_000)])
        _forget(api.world, second)
        time.sleep(max(0.0, 1 - (time.monotonic() - began)))
        sizes.append(browser.run(SIZE))
    nodes, megabytes = zip(*sizes, strict=True)
    frames = browser.wait_for(
        "const end = performance.now() + 3000; let n = 0;"
        "const next = () => { n += 1; performance.now() < end ? requestAnimationFrame(next)"
        " : arguments[0](n / 3); }; next()"
    )
    drawn = browser.run("return window.drawn") / TAB_S
    for what, value in {
        "nodes": (nodes[0], nodes[-1]), "megabytes": (megabytes[10], megabytes[-1]),
        "frames a second": frames, "drawn a second": drawn,
    }.items():  # fmt: skip
        record_property(what, value)  # --junitxml F -o junit_family=xunit1 has them
    assert max(nodes[10:]) <= 1.2 * max(nodes[:10])
    assert min(megabytes[-10:]) - min(megabytes[5:15]) < 20


def _forget(world: Decided, second: int) -> None:
    """The world's own memory is not what is tested: it keeps the alerts of a few seconds."""
    alerts = world.store.tables["alerts"]
    for key in list(alerts)[: max(0, len(alerts) - 5_000)]:
        del alerts[key]


@pytest.fixture(scope="module")
def many() -> Iterator[Api]:
    """100,000 of each: alerts of payments and of posts, records set aside; machines and users."""
    world = Decided()
    decided_machines.add(world)
    sizes = {"fraud": MANY, "social": MANY, "recommend": CAPPED, "maintenance": CAPPED}
    for domain, size in sizes.items():
        rows = [world._row(1_000 + i, f"{domain}-{i}", domain in ("fraud", "social"))
                for i in range(size)]  # fmt: skip
        if domain == "social":
            rows = [msgspec.structs.replace(row, outcome="spike") for row in rows]
        states = [StateRow(r.stripe, r.entity, _state(r.time), 1) for r in rows[:CAPPED]]
        of = Fragment(TOPIC, 0, 4, 1_000, 1_000 + size, 1, 0)
        ledger = LedgerRow(of, "score:gh.1", {}, 1)
        world.store.write_outcomes(
            Outcomes(of, domain, outcome_stamp(of), rows, [], [], ledger, [], [])
        )
        world.store.write_states(domain, states)
    aside = [
        SetAside(2_000 + i, T0 + i, "rejected", "missing_field", "id is missing", "parse", None,
                 b"{}") for i in range(MANY)
    ]  # fmt: skip
    of = Fragment(TOPIC, 0, 4, 2_000, 2_000 + MANY, 1, 0)
    bits = {"rejected": bitmap_of(range(MANY), 0)}
    world.store.write_aside("fraud", aside, LedgerRow(of, "reject:1", bits, 0), 1)
    world.admin.ensure_topic(SETTINGS.topic_posts, 1, {})
    newest = {domain: world.store.alerts(domain, 500) for domain in (*sizes, "maintenance")}
    with (
        patch.object(world.store, "alerts", lambda domain, limit: newest[domain][:limit]),
        asked(world=world) as api,  # as a store with an index: that in memory sorts all of them
    ):
        yield api


@pytest.mark.parametrize(
    ("view", "name", "said"),
    [
        ("fraud", "Payments to decide", "of the newest 300 alerts"),
        ("machines", "Machines", "The first 300 of"),
        ("posts", "Brands", "spike"),
        ("recommendations", "Users", "The first 300 of"),
        ("quality/fraud", "", "The newest 200"),
        ("rules", "", ""),
        ("now", "", "decline"),
    ],
)
def test_a_view_of_100_000_rows_has_a_bound_and_a_name(
    many: Api, browser: Browser, tmp_path: Path, view: str, name: str, said: str
) -> None:
    """Check 6: what is not shown is said, and each list has an accessible name."""
    browser.open(f"http://127.0.0.1:{many.port}/")
    browser.open(f"http://127.0.0.1:{many.port}/#{view}")
    try:
        browser.until(lambda text: said in text and "all is well" in text)
        nodes, _ = browser.run(SIZE)
        assert nodes <= NODES
        unnamed = browser.run(
            "return [...document.querySelectorAll('main ol')]"
            ".filter((list) => !list.getAttribute('aria-label')).length"
        )
        assert unnamed == 0 and browser.run("return document.querySelector('main h1') !== null")
        if name:
            assert browser.run(f"return document.querySelector('[aria-label=\"{name}\"]') !== null")
        assert browser.run("return document.documentElement.scrollWidth - innerWidth") <= 0
        browser.shot(tmp_path / "view.png")
        assert (tmp_path / "view.png").stat().st_size > 10_000
    finally:
        browser.open("about:blank")
        browser.complaints()
