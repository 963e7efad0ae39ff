"""The page's states, each drawn and named; by the keyboard alone; contrast; motion."""

import time
from pathlib import Path

import pytest

from apps.operate.report import DAY_MS, report
from apps.operate.report_page import page as page_of
from apps.serve import live
from stormwatch.adapters.storm.resources import now_ms
from tests.models import decided_machines
from tests.models.asked import Api
from tests.models.browser import DRIVER, WITHOUT, Browser
from tests.models.decided_payments import SETTINGS, T0

pytestmark = pytest.mark.skipif(DRIVER is None, reason=WITHOUT)
VIEWS = (
    "now", "fraud", "machines", "posts", "recommendations", "rules", "quality", "operations", "try",
)  # fmt: skip
_WIDTH = "return getComputedStyle(document.body).maxWidth"
_FOCUSED = "return document.activeElement.textContent"


def test_by_the_keyboard_alone_an_alert_is_reached_opened_taken_up_snoozed_and_undone(
    api: Api, browser: Browser, page: str
) -> None:
    """Check 7: keys as a keyboard sends them; where the focus is can be seen."""
    api.world.alerts_of(["another"])
    browser.open(page)
    browser.until(lambda text: "Newest alerts" in text)
    browser.run("document.activeElement.blur()")
    browser.keys("Tab")
    assert browser.run(_FOCUSED) == "Skip to the content"
    browser.keys("Tab", "Tab")
    assert browser.run(_FOCUSED) == "Fraud"
    style = "const s = getComputedStyle(document.activeElement); "
    assert browser.run(f"{style} return [s.outlineStyle, s.outlineWidth]") == ["solid", "2px"]
    browser.keys("Enter")
    browser.until(lambda text: "2 open cases" in text and "fraud probability" in text)
    browser.keys("j")
    chosen = "return document.querySelector('[aria-current=true] .who').textContent"
    browser.until(lambda text: browser.run(chosen) is not None)
    entity = browser.run(chosen)
    browser.keys("l")
    browser.until(lambda text: "taken up" in text and "Sent" in text and "looks at it" in text)
    assert "acknowledged" in _status(api, entity)
    browser.keys("u")
    browser.until(lambda text: "Undone" in text)
    assert _status(api, entity) == {"open"}
    browser.keys("s")
    browser.until(lambda text: "snoozed 1" in text and "Sent" in text)
    browser.keys("u")
    browser.until(lambda text: "open 2" in text and "Undone" in text)
    browser.keys("Enter")
    browser.until(lambda text: "transactions/" in text or "The record" in text)
    browser.keys("2")
    browser.until(lambda text: "2 open cases" in text)
    assert browser.complaints() == []


def _status(api: Api, entity: str) -> set[str]:
    alerts = api.json("/v1/alerts", domain="fraud", limit=500)["decisions"]
    return {a["work"]["status"] for a in alerts if a["entity"] == entity and a["work"]}


_CONTRAST = """
    const parse = (c) => (c.match(/[\\d.]+/g) ?? []).map(Number);
    const over = (a, b) => a.slice(0, 3).map((v, i) => v * (a[3] ?? 1) + b[i] * (1 - (a[3] ?? 1)));
    const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const light = (c) => c.map((v) => linear(v / 255))
      .reduce((n, v, i) => n + v * [.2126, .7152, .0722][i], 0);
    const ground = (e) => {
      const layers = [];
      for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
      return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
    };
    const low = [], off = 'button:disabled, noscript, script';
    let seen = 0;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const e = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
      if (!text || !e.getClientRects().length || e.closest(off)) continue;
      seen += 1;
      const style = getComputedStyle(e), under = ground(e);
      const own = over(parse(e.tagName === 'text' ? style.fill : style.color), under);
      const [a, b] = [light(own), light(under)].sort((x, y) => y - x);
      const ratio = (a + .05) / (b + .05);
      if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 80)}`);
    }
    return [seen, low];"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(api: Api, browser: Browser, page: str, scheme: str) -> None:
    """Check 7: 4.5:1 at least, computed from what the browser draws."""
    decided_machines.add(api.world)
    api.world.meter(now_ms() + 60_000, 5)
    browser.scheme(scheme)
    try:
        for view in VIEWS:
            browser.open("about:blank")
            browser.open(f"{page}#{view}")
            browser.until(lambda text: "all is well" in text)
            browser.keys("j")
            time.sleep(0.3)
            seen, low = browser.run(_CONTRAST)
            assert seen > 25 and low == [], (view, scheme)
    finally:
        browser.scheme("light")


def test_who_wants_less_motion_has_none(api: Api, browser: Browser, page: str) -> None:
    moves = (
        "return [...document.querySelectorAll('*')].filter((e) => {"
        "const s = getComputedStyle(e);"
        "return parseFloat(s.transitionDuration) > 0 || s.animationName !== 'none' ||"
        " s.scrollBehavior === 'smooth'}).map((e) => e.tagName)"
    )
    browser.open(page)
    browser.until(lambda text: "Newest alerts" in text)
    assert browser.run(moves) == ["MAIN"]
    browser.scheme("light", "reduce")
    try:
        assert browser.run(moves) == []
    finally:
        browser.scheme("light")


@pytest.mark.slow
def test_each_state_is_drawn_and_has_a_name(
    api: Api, browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Check 6: empty, loading, one row, error, stale; with a picture of each."""
    monkeypatch.setattr(live, "PATIENCE_S", 0.0)

    def shot(name: str) -> None:
        browser.shot(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000, name

    for view, said in (("now", "No topology runs"), ("posts", "No post was decided"),
                       ("recommendations", "Nobody has a list yet"),
                       ("machines", "./stormwatch")):  # fmt: skip
        browser.open("about:blank")
        browser.open(f"{page}#{view}")
        browser.until(lambda text, said=said: said in text)  # type: ignore[misc]
        shot(f"empty-{view}")
    browser.open("about:blank")
    browser.open(f"{page}#fraud")
    browser.until(lambda text: "1 open case" in text and "open cases" not in text)
    named = "return document.querySelector('ol[aria-label]').getAttribute('aria-label')"
    assert browser.run(named) == "Payments to decide"
    shot("one-row")
    browser.run("window.real = window.fetch; window.fetch = () => new Promise(() => {})")
    browser.keys("6")
    until = time.monotonic() + 10
    busy = "const m = document.getElementById('main'); return [m.ariaBusy, m.className]"
    while browser.run(busy) != ["true", "loading"]:
        assert time.monotonic() < until
        time.sleep(0.1)
    shot("loading")
    browser.run("window.fetch = window.real")
    browser.open(f"{page}#decision/fraud/nobody/1/t1")
    browser.until(lambda text: "has no decision" in text and "Ask again" in text)
    assert "has no decision" in browser.run(
        "return document.querySelector('[role=alert]').textContent"
    )
    shot("error")
    api.world.store.down = True
    browser.until(lambda text: "the store is down" in text)
    assert browser.run("return document.getElementById('main').className") == "stale"
    assert "the store is down" in browser.run(
        "return document.querySelector('[role=status]').textContent"
    )
    shot("stale")
    api.world.store.down = False
    browser.open(f"{page}#%")  # an address that somebody cut short
    browser.until(lambda text: "Newest alerts" in text)


def test_a_report_opens_in_a_browser_as_it_was_drawn(
    api: Api, browser: Browser, tmp_path: Path
) -> None:
    """With its own style, and nothing that the browser complains of."""
    world = api.world
    day = T0 // DAY_MS
    made = report(SETTINGS, world.admin, world.store, "fraud", day, [SETTINGS.topic_transactions])
    (tmp_path / "report.html").write_text(page_of(made, now_ms()))
    browser.complaints()
    browser.open((tmp_path / "report.html").as_uri())
    browser.until(lambda text: "The worst 4 alerts" in text)
    assert browser.run(_WIDTH) == "840px"
    assert browser.complaints() == []
    browser.open("about:blank")
