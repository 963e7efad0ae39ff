"""What people do about alerts, over HTTP; the services behind it are in memory."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stormwatch.adapters import connect
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.records import DAY_MS, day_of
from tests.models.asked import Api, wait
from tests.models.decided_payments import SETTINGS


@pytest.fixture
def key(api: Api) -> str:
    return str(api.json("/v1/alerts", domain="fraud", limit=1)["decisions"][0]["key"])


def write(api: Api, key: str, act: str, seen: str, status: int = 200, **body: object) -> Any:
    method = "PUT" if act in ("assignee", "snooze") else "POST"
    answer = api.send(method, f"/v1/alerts/{key}/{act}", body, {"If-Match": seen})
    told = json.loads(answer.body)
    assert answer.status == status, told
    if status in (200, 412):
        version = told["version"] if status == 200 else told["work"]["version"]
        assert answer.headers["etag"] == f'"{version}"'
    return told


def test_an_alert_is_worked_on_step_by_step(api: Api, key: str) -> None:
    before = api.get(f"/v1/alerts/{key}/work")
    assert (before.headers["etag"], json.loads(before.body)["status"]) == ('"0"', "open")
    write(api, key, "acknowledge", '"0"')
    write(api, key, "assignee", '"1"', to="ann")
    write(api, key, "comments", "*", text="called <b>the</b> customer")
    until = now_ms() + DAY_MS
    write(api, key, "snooze", '"3"', until=until)
    work = api.json(f"/v1/alerts/{key}/work")
    assert (work["status"], work["assignee"], work["snoozed_until"]) == (
        "acknowledged", "ann", until,
    )  # fmt: skip
    assert [act["act"] for act in work["acts"]] == ["acknowledge", "assign", "comment", "snooze"]
    assert work["acts"][2]["text"] == "called <b>the</b> customer"
    work = write(api, key, "reopen", '"4"')
    assert (work["status"], work["snoozed_until"], work["version"]) == ("open", 0, 5)
    first, *others = api.json("/v1/alerts", domain="fraud")["decisions"]
    assert first["work"] == work and not any(other["work"] for other in others)
    wait(lambda: api.json("/v1/now")["alerts"]["alerts"][0]["work"] == work)
    assert write(api, key, "close", '"5"')["status"] == "closed"


def test_of_two_at_once_the_second_is_told_what_stands(api: Api, key: str) -> None:
    write(api, key, "assignee", '"0"', to="ann")
    told = write(api, key, "assignee", '"0"', 412, to="bob")
    assert "was quicker (assign" in told["error"] and told["work"]["assignee"] == "ann"
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(
            lambda i: api.send("POST", f"/v1/alerts/{key}/comments", {"text": str(i)},
                               {"If-Match": '"1"'}).status, range(4)
        ))  # fmt: skip
    assert sorted(found) == [200, 412, 412, 412]


def test_a_label_is_in_the_topic_of_labels_once(api: Api, key: str) -> None:
    api.world.admin.ensure_topic(SETTINGS.topic_labels, 1, {})
    work = write(api, key, "label", '"0"', label="fraud")
    assert (work["label"], work["label_sent"]) == ("fraud", True)
    source = connect.source(SETTINGS, SETTINGS.topic_labels)
    assert source.watermarks(0).high == 1
    sent = json.loads(source.peek({0: 0})[0].value or b"")
    assert (sent["payment"], sent["label"]) == ("t27", "fraud"), sent
    assert "Choose one of" in write(api, key, "label", "*", 422, label="maybe")["error"]


def test_every_write_stands_in_the_audit_log_refused_ones_too(api: Api, key: str) -> None:
    write(api, key, "acknowledge", '"0"')
    write(api, key, "close", '"0"', 412)
    rows = api.world.store.audit(day_of(now_ms()), 10)
    assert sorted((row.act, row.outcome[:7]) for row in rows) == [
        ("alert.acknowledge", "done"), ("alert.close", "refused"),
    ]  # fmt: skip
    assert {row.target for row in rows} == {"fraud/C1/1262304027000/t27"}
    assert all(row.role == "operator" and "@" in row.who for row in rows)


def test_without_its_row_in_the_audit_log_nothing_is_done(api: Api, key: str) -> None:
    api.world.store.down = True
    write(api, key, "acknowledge", '"0"', 503)
    api.world.store.down = False
    assert api.json(f"/v1/alerts/{key}/work")["version"] == 0


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({}, 428, "If-Match"),
        ({"If-Match": "abc"}, 422, "no ETag|not an ETag"),
        ({"If-Match": "*", "X-Stormwatch": None}, 403, "X-Stormwatch: 1"),
        ({"If-Match": "*", "Origin": "http://evil.example"}, 403, "may not write"),
        ({"If-Match": "*", "Content-Type": "text/plain"}, 415, "application/json"),
    ],
)
def test_what_no_write_of_ours_would_be_is_refused(
    api: Api, key: str, headers: dict[str, str | None], status: int, said: str
) -> None:
    answer = api.send("POST", f"/v1/alerts/{key}/acknowledge", {}, headers)
    assert answer.status == status
    assert any(one in json.loads(answer.body)["error"] for one in said.split("|"))
    assert api.json(f"/v1/alerts/{key}/work")["version"] == 0


def test_bodies_are_checked_and_bounded(api: Api, key: str) -> None:
    assert write(api, key, "comments", "*", 422)["error"].startswith("The body: Object missing")
    assert write(api, key, "comments", "*", 422, text="")["field"] == "text"
    assert write(api, key, "comments", "*", 422, text="x" * 2_001)["field"] == "text"
    assert write(api, key, "snooze", "*", 422, until=1)["field"] == "until"
    assert write(api, key, "acknowledge", "*", 422, x=1)["error"]
    huge = api.send(
        "POST", f"/v1/alerts/{key}/comments", {"text": "x" * 300_000}, {"If-Match": "*"}
    )
    assert huge.status == 413
    assert write(api, "nokey", "acknowledge", "*", 404)["error"]
