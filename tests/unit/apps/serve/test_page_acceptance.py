"""The page's acceptance checks: cut streams, bursts, names that are scripts, roles, a long day."""

import json
import time
from collections.abc import Iterator

import pytest

from apps.operate import tokens
from apps.serve.export import cell
from stormwatch.adapters.storm.resources import now_ms
from tests.models import decided_machines
from tests.models.asked import Api, asked
from tests.models.browser import DRIVER, WITHOUT, Browser
from tests.models.decided_payments import T0, Decided

pytestmark = pytest.mark.skipif(DRIVER is None, reason=WITHOUT)
VIEWS = (
    "now", "fraud", "machines", "posts", "recommendations", "rules", "quality", "operations", "try",
)  # fmt: skip
NASTY = (
    "<script>window.hit = 1</script>", "<img src=x onerror=window.hit=1>", "</title><b>x</b>",
    "<svg/onload=window.hit=1>", "\"><script>window.hit=1</script>", "';window.hit=1;//",
    "javascript:window.hit=1", "{{constructor.constructor('window.hit=1')()}}", "${window.hit=1}",
    "<iframe src=javascript:parent.hit=1>", "<a href=javascript:window.hit=1>x</a>",
    "<style>*{display:none}</style>", "&lt;script&gt;", "<!--", "\u202egnp.exe",
    "\U0001f9e8 שלום",
)  # fmt: skip
"""The fifteen of the matrix; the last two are written from right to left, one beyond 16 bits."""


@pytest.fixture
def served_anew(often: None, browser: Browser) -> Iterator[tuple[Decided, int]]:
    """A world and a port: a server for it is started by the test."""
    world = Decided()
    with asked(world=world) as api:
        port = api.port
        browser.open(f"http://127.0.0.1:{port}/")
        browser.run("window.mark = 1")
        browser.until(lambda text: "at Kiosk" in text)
    yield world, port
    browser.open("about:blank")
    browser.complaints()


def test_a_stream_that_was_cut_goes_on_without_a_reload(
    browser: Browser, served_anew: tuple[Decided, int]
) -> None:
    """Check 5: the page says since when, and has what came meanwhile once, without a reload."""
    world, port = served_anew
    browser.until(lambda text: "does not answer since" in text)
    world.alerts_of(["came-meanwhile"])
    with asked(port, world):
        text = browser.until(
            lambda text: "came-meanwhile" in text and "does not answer" not in text
        )
        assert text.count("came-meanwhile") == 1
        assert browser.run("return window.mark") == 1
        browser.open("about:blank")


def test_the_number_shown_is_that_of_the_api_and_of_the_rows(
    api: Api, browser: Browser, page: str
) -> None:
    """Check 4: at rest, and after a burst of more than the stream tells of at once."""
    browser.open(page)
    browser.open(f"{page}#fraud")
    for burst in (0, 60):
        api.world.alerts_of([f"customer-{i}" for i in range(burst)])
        words = f"{1 + burst} open case{'s' if burst else ''}"
        if burst:  # one is open: the list holds still
            browser.until(lambda text: "60 newer" in text)
            browser.run(
                "[...document.querySelectorAll('button')]"
                ".find((b) => b.textContent === '60 newer').click()"
            )
        browser.until(lambda text, words=words: words in text)  # type: ignore[misc]
        alerts = api.json("/v1/alerts", domain="fraud", limit=500)["decisions"]
        rows = api.world.store.alerts("fraud", 500)
        assert len(alerts) == len(rows) == 4 + burst
        assert len({alert["entity"] for alert in alerts}) == 1 + burst


def test_a_page_that_nobody_sees_does_nothing_until_it_is_seen(
    api: Api, browser: Browser, page: str
) -> None:
    """Check 8: a tab in the background."""
    browser.open(page)
    browser.open(f"{page}#now")
    browser.until(lambda text: "at Kiosk" in text)
    browser.run(
        "window.away = true; window.drawn = 0;"
        "Object.defineProperty(document, 'hidden', {get: () => window.away});"
        "new MutationObserver((seen) => { window.drawn += seen.length; })"
        ".observe(document.body, {subtree: true, childList: true, characterData: true})"
    )
    api.world.alerts_of(["came-unseen"])
    time.sleep(1)
    assert browser.run("return window.drawn") == 0 and "came-unseen" not in browser.text()
    browser.run("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    browser.until(lambda text: "came-unseen" in text)
    assert browser.complaints() == []


def test_names_that_are_scripts_stay_names_on_every_view_and_in_exports(
    api: Api, browser: Browser, page: str
) -> None:
    """Check 3, beyond the queue: every view, the title, tooltips, exports."""
    api.world.alerts_of(NASTY)
    decided_machines.add(api.world)
    browser.open(page)
    places = [*VIEWS, *(f"decision/fraud/{quoted(name)}/{T0 + 1000 * (100 + i)}/t{100 + i}"
                        for i, name in enumerate(NASTY))]  # fmt: skip
    for place in places:
        browser.open(f"{page}#{place}")
        browser.until(lambda text: "all is well" in text or "No topology runs" in text)
        hit, title = browser.run("return [window.hit ?? null, document.title]")
        assert hit is None and title.endswith("Stormwatch") and "<b>" not in title, place
        tags = (
            "script:not([src]), img, iframe, style, main b > b, [onerror], [onload], "
            "a[href^=javascript]"
        )
        assert browser.run(f"return document.querySelectorAll('{tags}').length") == 0, place
    csv = api.get("/v1/export", domain="fraud", what="alerts", format="csv").body.decode()
    cells = {name: str(cell(name)).replace('"', '""') for name in NASTY}
    missing = [name for name in NASTY if cells[name] not in csv]
    assert missing == []
    exported = api.get("/v1/export", domain="fraud", what="alerts", format="jsonl").body.decode()
    assert {json.loads(line)["entity"] for line in exported.splitlines()} >= set(NASTY)
    assert browser.complaints() == []


def quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def test_who_may_only_look_has_nothing_to_act_with_and_is_refused(
    api: Api, browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check 10."""
    monkeypatch.setattr(tokens, "KNOWN_MS", 20)
    token = tokens.add(api.world.store, "a-viewer", "viewer", 1, now_ms())
    until = time.monotonic() + 10
    while api.get("/v1/now").status != 401:
        assert time.monotonic() < until
        time.sleep(0.05)
    browser.open(page)
    browser.open(f"{page}#sign-in")
    browser.until(lambda text: "An operator makes a token" in text)
    browser.run("document.querySelector('input[type=password]').focus()")
    browser.type("wrong")
    browser.until(lambda text: "oken" in text and "wrong" not in text)
    browser.run("document.querySelector('input[type=password]').focus()")
    browser.type(token)
    browser.until(lambda text: "all is well" in text or "No topology runs" in text)
    browser.open(f"{page}#fraud")
    browser.until(lambda text: "You may look, not decide" in text)
    assert browser.run("return document.querySelectorAll('.actions button').length") == 0
    browser.press("f")
    key = json.loads(api.get("/v1/alerts", token=token, domain="fraud").body)["decisions"][0]["key"]
    headers = {"Authorization": f"Bearer {token}", "If-Match": "*"}
    refused = api.send("POST", f"/v1/alerts/{key}/acknowledge", {}, headers)
    assert refused.status == 403
    api.world.store.revoke_token("a-viewer", now_ms())
    browser.until(lambda text: "You are signed out" in text and "was revoked" in text)
    assert browser.run("return location.hash") == "#sign-in"
    browser.run("return fetch('v1/session', {method: 'DELETE', headers: {'X-Stormwatch': '1'}})")
