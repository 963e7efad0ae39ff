"""The API over HTTP, asked as a program would ask it; the services behind it are in memory."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from apps.serve.front import Front
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.errors import SettingsError
from tests.models.asked import ROOT, Api, wait
from tests.models.decided_payments import CARD, CUSTOMERS, T0

DAY = 86_400_000


def test_alerts_come_newest_first_page_by_page(api: Api) -> None:
    first = api.json("/v1/alerts", domain="fraud", limit=3)
    assert [a["id"] for a in first["decisions"]] == ["t27", "t18", "t9"]
    assert [r["text"] for r in first["decisions"][0]["reasons"]] == ["at night", "small"]
    rest = api.json("/v1/alerts", domain="fraud", limit=3, after=first["next"])
    assert [a["id"] for a in rest["decisions"]] == ["t0"]
    assert rest["next"] is None
    assert api.json("/v1/alerts", domain="social") == {"decisions": [], "next": None}


def test_an_entitys_decisions_whatever_its_name(api: Api) -> None:
    for i, name in enumerate(CUSTOMERS):
        page = api.json("/v1/decisions", domain="fraud", entity=name, limit=4)
        assert [d["id"] for d in page["decisions"]] == [f"t{27 + i - 3 * n}" for n in range(4)]
        more = api.json("/v1/decisions", domain="fraud", entity=name, limit=9, after=page["next"])
        assert [d["id"] for d in more["decisions"]] == [f"t{15 + i - 3 * n}" for n in range(6)]
        assert more["next"] is None
    missing = api.json("/v1/decisions", 404, domain="fraud", entity="nobody")
    assert "decided nothing of 'nobody'" in missing["error"]


def test_decisions_of_all_entities_by_outcome_rule_model_and_time_page_by_page(api: Api) -> None:
    asked = {"domain": "fraud", "since": T0, "until": T0 + DAY}
    pages = [api.json("/v1/decided", limit=12, **asked)]
    while pages[-1]["next"]:
        pages.append(api.json("/v1/decided", limit=12, after=pages[-1]["next"], **asked))
    ids = [d["id"] for page in pages for d in page["decisions"]]
    assert ids == [f"t{i}" for i in range(29, -1, -1)] and len(pages) == 3

    def found(**more: object) -> list[str]:
        return [d["id"] for d in api.json("/v1/decided", **asked | more)["decisions"]]

    assert found(outcome="decline") == found(rule="b") == ["t27", "t18", "t9", "t0"]
    assert found(outcome="decline", until=T0 + 18_500) == ["t9", "t0"]
    assert found(since=T0 + 28_500) == ["t29", "t28"]
    assert found(model="m1", limit=2) == ["t29", "t28"] and not found(model="m2")
    assert not api.json("/v1/decided", domain="social")["decisions"]


def test_a_decision_whole_with_its_record_masked(api: Api) -> None:
    asked = {"domain": "fraud", "entity": "C/2", "time": T0 + 1000, "id": "t1"}
    whole = api.json("/v1/decision", **asked)
    assert whole["features"]["amount"] == 1.0 and len(whole["features"]) == 22
    assert (whole["model"], whole["rules"], whole["feature_set"]) == ("m1", "r1", "fraud-1")
    assert whole["ledger"] == [{
        "part": "score", "state": "scored", "first": 0, "last": 30, "epoch": 4,
        "generation": 1, "attempt": 0, "age": 12,
    }]  # fmt: skip
    value = json.loads(whole["value"])
    assert value["id"] == "t1" and CARD not in whole["value"]
    assert "has no decision" in api.json("/v1/decision", 404, **(asked | {"id": "t2"}))["error"]
    (aside,) = api.json("/v1/set-aside", domain="fraud")["records"]
    assert aside["code"] == "missing_field" and CARD not in aside["value"]


def test_what_would_have_cleared_an_alert_is_asked_apart_and_said_why_it_is_not(api: Api) -> None:
    asked = {"domain": "fraud", "entity": CUSTOMERS[0], "time": T0, "id": "t0"}
    told = api.json("/v1/cleared", **asked)
    assert not told["flips"] and "decided by m1 and r1; here are" in told["why_none"]
    other = {"domain": "fraud", "entity": "C/2", "time": T0 + 1000, "id": "t1"}
    assert api.json("/v1/cleared", **other) == {"flips": [], "why_none": "it is no alert"}
    assert "has no decision" in api.json("/v1/cleared", 404, **(asked | {"id": "t2"}))["error"]


@pytest.mark.parametrize(
    ("path", "asked", "field", "said"),
    [
        ("alerts", {"domain": "fraud", "limit": 501}, "limit", "<= 500"),
        ("alerts", {"domain": "fraud", "limit": "many"}, "limit", "Expected `int`"),
        ("alerts", {"domain": "fraud", "limt": 5}, "limt", "no parameter 'limt'; there are: after"),
        ("alerts", {"domain": "fraud", "after": "x!"}, "after", "leave it out"),
        ("alerts", {"domain": "fraud", "after": "gaE"}, "after", "leave it out"),
        ("alerts", {}, "", "missing required field `domain`"),
        ("decisions", {"domain": "fraud", "entity": "C1", "days": 93}, "days", "<= 92"),
        ("now", {"x": 1}, "x", "there are none"),
        ("decided", {"domain": "fraud", "since": 1, "until": 8 * DAY}, "since", "at most 7 days"),
        ("decided", {"domain": "fraud", "limit": 501}, "limit", "<= 500"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named_with_what_may_be(
    api: Api, path: str, asked: dict[str, object], field: str, said: str
) -> None:
    told = api.json(f"/v1/{path}", 422, **asked)
    assert said in told["error"] and told.get("field", "") == field


def test_what_is_not_there_is_said(api: Api) -> None:
    assert "There are: fraud" in api.json("/v1/alerts", 404, domain="frauds")["error"]
    assert "/openapi.json" in api.json("/v2/alerts", 404)["error"]
    assert api.get("/page.py").status == 404 and api.get("/../server.py").status == 404


def test_the_store_away_is_an_answer_of_503_and_comes_back(api: Api) -> None:
    api.world.store.down = True
    assert "down" in api.json("/v1/alerts", 503, domain="fraud")["error"]
    wait(lambda: api.get("/readyz").status == 503)
    assert api.json("/v1/now")["trouble"]["said"] and api.get("/healthz").status == 200
    api.world.store.down = False
    wait(lambda: api.get("/readyz").status == 200)
    assert api.json("/v1/now")["trouble"] == {"said": "", "since": 0}


def test_the_newest_state_is_told_of_what_runs(api: Api) -> None:
    api.world.meter(now_ms(), 5)
    wait(lambda: api.json("/v1/now")["rates"]["figures"] and api.json("/v1/now")["rates"][
        "figures"][0]["decided"] == 5)  # fmt: skip
    now = api.json("/v1/now")
    (figures,) = now["rates"]["figures"]
    assert figures["running"] and figures["ends"] == {"scored": 5} and figures["alerts"] == 1
    (ledger,) = now["ledgers"]["ledgers"]
    assert ledger["sound"] and ledger["states"]["scored"] == 30
    assert [a["id"] for a in now["alerts"]["alerts"]] == ["t27", "t18", "t9", "t0"]
    wait(lambda: api.json("/v1/now")["alerts"]["alerts"][0]["said"] == "10.27 EUR at Kiosk")
    assert api.json("/v1/history")["points"]["fraud"]


def test_events_bring_each_part_once_and_again_when_it_changes(api: Api) -> None:
    seen: dict[str, Any] = {}
    with closing(HTTPConnection("127.0.0.1", api.port, timeout=10)) as link:
        link.request("GET", "/v1/events")
        with closing(link.getresponse()) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for name, told in parts(answer):
                seen[name] = told
                if len(seen) == 4 and not seen["rates"]["figures"][0]["decided"]:
                    api.world.meter(now_ms(), 7)
                elif len(seen) == 4:
                    break
    assert set(seen) == {"rates", "alerts", "ledgers", "trouble"}
    assert seen["rates"]["figures"][0]["decided"] == 7


def parts(answer: HTTPResponse) -> Iterator[tuple[str, Any]]:
    """The parts that come, as they come."""
    name = ""
    while line := answer.readline().decode():
        kind, _, text = line.strip().partition(": ")
        if kind == "event":
            name = text
        elif kind == "data":
            yield name, json.loads(text)


def test_another_host_name_is_refused_and_every_answer_is_guarded(api: Api) -> None:
    refused = api.get("/v1/now", host="evil.example:80")
    assert refused.status == 421 and "called" in json.loads(refused.body)["error"]
    for path in ("/", "/app.js", "/v1/now", "/nothing"):
        headers = api.get(path, host="localhost:8765").headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and "server" not in headers


def test_the_page_asks_nothing_of_other_origins_and_has_no_script_in_its_markup(api: Api) -> None:
    page = api.get("/").body.decode()
    assert "<script>" not in page and "style=" not in page and "http" not in page
    total = 0
    for path in sorted((ROOT / "apps" / "serve" / "page").rglob("*")):
        if path.is_file():
            total += path.stat().st_size
            if path.suffix == ".js" and "vendor" not in path.parts:
                text = path.read_text()
                assert "innerHTML" not in text and "://" not in text.replace(
                    "http://www.w3.org/2000/svg", ""
                )
    assert total < 300_000


def test_the_document_names_all_paths_and_only_what_is_answered(api: Api) -> None:
    document = api.json("/openapi.json")
    assert document["openapi"] == "3.1.0" and "/v1/alerts" in document["paths"]
    limit = next(
        p for p in document["paths"]["/v1/alerts"]["get"]["parameters"] if p["name"] == "limit"
    )
    assert limit["schema"]["maximum"] == 500 and not limit["required"]
    for path, told in document["paths"].items():
        for method, operation in told.items():
            content = operation["responses"]["200"]["content"]
            if path == "/v1/export":  # rows in the format that was asked for
                assert "application/json" not in content and len(content) == 3
            else:
                assert "$ref" in json.dumps(content["application/json"]["schema"])
            answer = api.send(method.upper(), path.replace("{key}", "k"), {})
            assert answer.status in (200, 404, 422, 428), (path, method)


def test_costs_are_what_came_between_two_looks_and_say_what_to_change(api: Api) -> None:
    now = now_ms()
    api.world.meter(now, 100)
    wait(lambda: api.json("/v1/costs"))
    (before,) = api.json("/v1/costs")
    assert before["hops"] == [] and "Nothing was decided meanwhile" in before["advice"]
    parts = {"features": 400, "model": 3_000, "rules": 300, "encode": 200}
    api.world.meter(
        now + 4_000, 300, 3, cpu=10_000, score=4_000, store=1_000, process=5_000, **parts
    )
    wait(lambda: api.json("/v1/costs")[0]["hops"])
    (told,) = api.json("/v1/costs")
    (hop,) = told["hops"]
    assert (hop["component"], hop["tasks"], hop["records"], hop["batches"]) == ("decide", 1, 200, 2)
    some = {part: us for part, us in hop["us"].items() if us}
    assert some == {"states": 0.5, "features": 2.0, "model": 15.0, "rules": 1.5, "encode": 1.0,
                    "store": 5.0}  # fmt: skip
    assert (hop["busy"], hop["cpu_us"], hop["most"]) == (1.0, 50.0, 20_000)
    assert told["domain"] == "fraud" and "60% of its work is the model" in told["advice"]


def test_an_answer_does_not_wait_for_an_acknowledgement() -> None:
    """asyncio turns Nagle's algorithm off only where the socket names its protocol."""
    with closing(Front().listen(0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="Port .* cannot be had.*--port"):
            Front().listen(taken.getsockname()[1])
