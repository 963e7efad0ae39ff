"""The page in a real browser: what it shows is what the API says, and text stays text.

The browser is driven by its own driver over HTTP (the W3C's WebDriver), so no package is needed.
"""

import time
from collections.abc import Iterator

import pytest

from apps.serve import events, live
from stormwatch.adapters.storm.resources import now_ms
from tests.models import decided_machines
from tests.models.asked import Api, wait
from tests.models.browser import DRIVER, WITHOUT, Browser
from tests.models.decided_payments import T0

pytestmark = pytest.mark.skipif(DRIVER is None, reason=WITHOUT)


def test_each_view_shows_what_is_stored_and_text_stays_text(
    api: Api, browser: Browser, page: str
) -> None:
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


def test_a_view_that_failed_comes_back_by_itself(api: Api, browser: Browser, page: str) -> None:
    api.world.store.down = True
    browser.open(f"{page}#fraud")
    browser.until(lambda text: "the store is down" in text and "asked again by itself" in text)
    api.world.store.down = False
    browser.until(lambda text: "Payments to decide" in text)


def test_what_is_wrong_is_said_and_goes_by_itself(
    api: Api, browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 0.0)
    browser.open(page)
    browser.until(lambda text: "No topology runs" in text and "./stormwatch run" in text)
    browser.open(f"{page}#decision/fraud/nobody/1/t1")
    browser.until(lambda text: "has no decision 't1' of 'nobody'" in text)
    api.world.store.down = True
    browser.until(lambda text: "Since" in text and "the store is down" in text)
    api.world.store.down = False
    browser.until(lambda text: "all is well" in text)


def test_a_stream_that_ends_in_its_time_is_taken_up_again_and_nobody_sees_it(
    api: Api, browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAM_S", 0.3)
    browser.open(page)
    browser.until(lambda text: "10.27 EUR" in text)
    browser.run("""
        window.stale = 0;
        new MutationObserver(() => { window.stale += document.querySelectorAll('.stale').length; })
          .observe(document.body, {subtree: true, attributes: true, childList: true});""")
    api.world.alerts_of(["came-later"])
    browser.until(lambda text: "came-later" in text)
    time.sleep(1.0)  # three more streams
    api.world.alerts_of(["came-last"])
    browser.until(lambda text: "came-last" in text)
    assert browser.run("return window.stale") == 0 and browser.complaints() == []


def test_a_page_that_was_left_frees_its_connection(browser: Browser, page: str) -> None:
    """A browser has six for a server, and keeps pages that were left."""
    for _ in range(8):
        browser.open("about:blank")
        browser.open(page)
        browser.until(lambda text: "No topology runs" in text)


VIEWS = (
    "now", "fraud", "machines", "posts", "recommendations", "rules", "quality", "operations", "try",
)  # fmt: skip
SAID = {
    "posts": "No post was decided as an alert yet", "recommendations": "Nobody has a list yet",
    "rules": "burst_1h", "operations": "kafka.bootstrap", "try": "Send a broken one",
    "machines": "will not reach the stop", "quality": "missing_field",
}  # fmt: skip


def open_all(browser: Browser, page: str) -> Iterator[str]:
    for view in VIEWS:
        browser.open(f"{page}#{view}")
        word = SAID.get(view, "")
        browser.until(lambda text, word=word: word in text and "all is well" in text)  # type: ignore[misc]
        yield view


def test_every_view_asks_this_server_alone_and_complains_of_nothing(
    api: Api, browser: Browser, page: str
) -> None:
    decided_machines.add(api.world)
    api.world.meter(now_ms() + 60_000, 5)
    for view in open_all(browser, page):
        asked = "return performance.getEntriesByType('resource').map((e) => e.name)"
        elsewhere = [url for url in browser.run(asked) if not url.startswith(page)]
        assert elsewhere == [], view
        odd = "return document.querySelectorAll('img, iframe, [onclick]').length"
        assert browser.run(odd) == 0, view
    assert browser.complaints() == []


def test_operations_says_what_a_record_costs_and_what_to_change(
    api: Api, browser: Browser, page: str
) -> None:
    now = now_ms() + 60_000
    api.world.meter(now, 100)
    wait(lambda: api.json("/v1/costs"))
    api.world.meter(now + 4_000, 300, 3, cpu=10_000, score=4_000, model=3_000, process=5_000)
    wait(lambda: api.json("/v1/costs")[0]["hops"])
    browser.open(f"{page}#operations")
    shown = browser.until(lambda text: "hop by hop" in text and "Microseconds a record" in text)
    (told,) = api.json("/v1/costs")
    assert told["advice"] in shown
    rows = "return [...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"
    row = next(row for row in browser.run(rows) if row.startswith("fraud decide\t200"))
    assert row.split("\t") == [
        "fraud decide",
        "200",
        "100",
        "100 %",
        "5.0",
        "15",
        "5.0",
        "50",
        "20,000/s",
    ]  # of states, the model, all else; then processor time, and at most
    assert browser.complaints() == []


@pytest.mark.slow
def test_every_view_fits_a_narrow_screen(api: Api, browser: Browser, page: str) -> None:
    decided_machines.add(api.world)
    api.world.meter(now_ms() + 60_000, 5)
    try:
        for width in (360, 768):
            browser.resize(width)
            for view in open_all(browser, page):
                wide = "return document.getElementById('main').scrollWidth - innerWidth"
                assert browser.run(wide) <= 0, (view, width)
                tall = "return [...document.querySelectorAll('main tr')].map((r) => r.offsetHeight)"
                assert max(browser.run(tall), default=0) < 200, "words broken letter by letter"
    finally:
        browser.resize(1280)


def test_one_key_decides_and_another_undoes(api: Api, browser: Browser, page: str) -> None:
    browser.open(page)  # so that the view is opened anew
    browser.open(f"{page}#fraud")
    browser.until(lambda text: "1 open case" in text and "fraud probability" in text)
    alerts = api.json("/v1/alerts", domain="fraud")["decisions"]
    browser.press("f")
    browser.until(lambda text: "4 payments confirmed as fraud" in text and "done 1" in text)
    browser.press("u")
    browser.until(lambda text: "open 1" in text and "Undone" in text)
    assert all(a["work"] is None for a in api.json("/v1/alerts", domain="fraud")["decisions"])
    browser.until(lambda text: "fraud probability" in text)
    browser.press("n")
    browser.type("asked <b>the bank</b>")
    browser.until(lambda text: "noted: asked <b>the bank</b>" in text)
    browser.until(lambda text: "notes: asked <b>the bank</b>" in text)
    browser.press("s")
    browser.until(lambda text: "snoozed 1" in text and "Sent" in text)
    slept = api.json("/v1/alerts", domain="fraud")["decisions"]
    assert len(slept) == len(alerts) == 4
    assert all(a["work"]["snoozed_until"] > now_ms() for a in slept)
    browser.press("u")
    browser.until(lambda text: "open 1" in text and "Undone" in text)
    awake = api.json("/v1/alerts", domain="fraud")["decisions"]
    assert {a["work"]["snoozed_until"] for a in awake} == {0}
    assert browser.complaints() == []


def test_who_was_second_is_told(api: Api, browser: Browser, page: str) -> None:
    browser.open(page)
    browser.open(f"{page}#fraud")
    browser.until(lambda text: "1 open case" in text and "fraud probability" in text)
    for alert in api.json("/v1/alerts", domain="fraud")["decisions"]:
        path = f"/v1/alerts/{alert['key']}/comments"
        assert api.send("POST", path, {"text": "mine"}, {"If-Match": '"0"'}).status == 200
    # The page hears of it at once; here it acts before it has.
    browser.run("""
        const real = window.fetch;
        window.fetch = (path, options) => real(path, options?.method === 'PUT'
          ? {...options, headers: {...options.headers, 'If-Match': '"0"'}} : options);""")
    browser.press("s")
    browser.until(lambda text: "Not written" in text and "quicker" in text)
    browser.complaints()  # the 412 is told on the console, too


NASTY = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "\"><script>alert(1)</script>", "';alert(1);//", "javascript:alert(1)", "{{7*7}}", "${7*7}",
    "</title><script>alert(1)</script>", "<iframe src=javascript:alert(1)>", "<a href=x>x</a>",
    "<style>*{display:none}</style>", "&lt;script&gt;", "<!--", "\u202egnp.exe",
)  # fmt: skip


def test_names_that_are_scripts_are_names(api: Api, browser: Browser, page: str) -> None:
    api.world.alerts_of(NASTY)
    browser.open(page)
    browser.open(f"{page}#fraud")
    shown = browser.until(lambda text: all(name in text for name in NASTY[:-1]))
    assert "16 open cases" in shown
    browser.press("j")
    browser.until(lambda text: "fraud probability" in text)
    tags = "script:not([src]), img, iframe, style, main svg[onload], a[href^=javascript]"
    assert browser.run(f"return document.querySelectorAll('{tags}').length") == 0
    assert browser.complaints() == []


def test_files_for_the_planner(api: Api, browser: Browser, page: str) -> None:
    browser.open(page)
    made: dict[str, str] = browser.run("""
        return import('/files.js').then((files) => ({
          csv: files.csv([['machine', 'left'], ["=cmd|'/c calc'!A1", -1.5], ['a,"b"\\nc', null]]),
          ics: files.calendar([{uid: 'a@b', from: 0, to: 3600000, title: 'x'.repeat(80) + 'ü;,',
            text: 'one\\ntwo'}], 0)}))""")
    assert made["csv"] == 'machine,left\r\n\'=cmd|\'/c calc\'!A1,-1.5\r\n"a,""b""\nc",\r\n'
    lines = made["ics"].split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-2:] == ["END:VCALENDAR", ""]
    assert all(len(line.encode()) <= 75 for line in lines)
    whole = made["ics"].replace("\r\n ", "")
    assert f"SUMMARY:{'x' * 80}ü\\;\\,\r\n" in whole and "DESCRIPTION:one\\ntwo" in whole
    assert "DTSTART:19700101T000000Z" in whole and "DTEND:19700101T010000Z" in whole
