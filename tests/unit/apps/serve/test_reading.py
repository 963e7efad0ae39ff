"""Lists with filters, records of one's own, dead letters, profiles, the audit log, over HTTP."""

import json
from collections.abc import Iterator

import pytest

from tests.models.asked import Api, asked
from tests.models.decided_payments import CARD, T0, TOPIC

LETTER = f"{TOPIC}/0/4/30"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with asked() as made:
        yield made


def ids(api: Api, **asked: object) -> list[str]:
    answer = api.get("/v1/alerts", domain="fraud", **asked)
    return [a["id"] for a in json.loads(answer.body)["decisions"]]


def test_alerts_by_outcome_rule_model_and_time(api: Api) -> None:
    assert ids(api, outcome="decline", rule="b", model="m1") == ["t27", "t18", "t9", "t0"]
    assert ids(api, outcome="review") == ids(api, rule="c") == ids(api, model="m2") == []
    at = T0 + 500
    assert ids(api, until=at + 18_001) == ["t18", "t9", "t0"]
    assert ids(api, until=at + 18_000, since=at + 9_000) == ["t9"]
    assert ids(api, until=at + 18_000, limit=1) == ["t9"]


def test_a_filtered_list_goes_on_where_it_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.serve.reader.LOOKED", 2)
    first = api.json("/v1/alerts", domain="fraud", outcome="review", limit=1)
    assert first["decisions"] == [] and first["next"]
    alerts = api.json("/v1/alerts", domain="fraud", after=first["next"])["decisions"]
    assert [a["id"] for a in alerts] == ["t9", "t0"]


def test_alerts_by_what_people_did(api: Api) -> None:
    key = api.json("/v1/alerts", domain="fraud", limit=1)["decisions"][0]["key"]
    api.send("POST", f"/v1/alerts/{key}/close", {}, {"If-Match": "*"})
    assert ids(api, status="closed") == ["t27"]
    assert ids(api, status="open") == ["t18", "t9", "t0"]
    assert api.get("/v1/alerts", domain="fraud", status="x").status == 422


def test_a_record_of_ones_own_comes_to_stand_in_the_topic(api: Api) -> None:
    value = {"id": "mine", "customer": "C1", "amount": 5, "currency": "EUR", "terminal": "T1",
             "time": "2010-01-01T00:10:00Z"}  # fmt: skip
    told = api.send("POST", "/v1/payments", value)
    at = json.loads(told.body)["record"]
    topic, partition, offset = at.rsplit("/", 2)
    assert told.status == 200 and (topic, partition, int(offset) >= 31) == (TOPIC, "0", True)
    became = api.json("/v1/record", at=at)
    assert json.loads(became["value"])["id"] == "mine"
    assert became["ledger"] == became["decisions"] == became["set_aside"] == []
    broken = api.send("POST", "/v1/payments", "not an object", {"Content-Type": "text/plain"})
    assert json.loads(broken.body)["record"] == f"{TOPIC}/0/{int(offset) + 1}"
    assert "no topic 'readings'" in json.loads(api.send("POST", "/v1/readings", {}).body)["error"]


def test_what_became_of_a_record(api: Api) -> None:
    became = api.json("/v1/record", at=f"{TOPIC}/0/9")
    (decided,) = became["decisions"]
    assert decided["id"] == "t9" and became["ledger"][0]["state"] == "scored"
    rejected = api.json("/v1/record", at=f"{TOPIC}/0/30")
    assert rejected["set_aside"][0]["code"] == "missing_field" and CARD not in rejected["value"]
    for at in ("x", f"{TOPIC}/0/9999", "nothing/0/1"):
        assert api.json("/v1/record", 404, at=at)["error"]


def test_dead_letters_are_listed_and_acted_on(api: Api) -> None:
    (letter,) = api.json("/v1/letters", domain="fraud", code="missing_field")["letters"]
    assert (letter["record"], letter["status"]) == (LETTER, "open") and CARD not in letter["value"]
    assert api.json("/v1/letters", domain="fraud", code="other")["letters"] == []
    assert api.json("/v1/letter", 404, record=f"{TOPIC}/0/4/29")["error"]
    tried = api.send("POST", "/v1/letters/redrive", {"records": [LETTER], "note": "mended"})
    (result,) = json.loads(tried.body)["results"]
    assert result["done"] == "left" and "would be rejected again" in result["told"]
    done = api.send("POST", "/v1/letters/discard", {"records": [LETTER], "note": "a test"})
    assert json.loads(done.body)["results"][0]["done"] == "discarded"
    letter = api.json("/v1/letter", record=LETTER)
    assert letter["acts"][0]["note"] == "a test" and "@" in letter["acts"][0]["who"]
    many = api.send("POST", "/v1/letters/discard", {"records": [LETTER] * 101})
    assert many.status == 422 and "<= 100" in json.loads(many.body)["error"]
    acts = [row["act"] for row in api.json("/v1/audit")["rows"]]
    assert {"letters.redrive", "letters.discard"} <= set(acts)


def test_a_profile_has_what_is_remembered_and_what_was_decided(api: Api) -> None:
    told = api.json("/v1/entity", 500, domain="fraud", entity="C1")
    assert "started afresh" in told["error"] or "cannot be read" in told["error"]
    assert api.json("/v1/entity", 404, domain="fraud", entity="nobody")["error"]


def test_components_say_where_their_time_goes(api: Api) -> None:
    api.world.meter(T0, 5)
    (one,) = api.json("/v1/components")
    assert (one["domain"], one["component"], one["batches"]) == ("fraud", "decide", 1)


def test_of_every_domain_features_have_names_and_alerts_are_known(api: Api) -> None:
    """Of domains that a function makes, too: their curves are drawn by the names."""
    from apps.data.kinds import KINDS
    from apps.serve.reader import _features

    named = {kind.topology: _features(kind.topology, "") for kind in KINDS}
    assert "mentions" in named["social"] and all(named.values())
    alerting = {each["domain"]: set(each["alert_outcomes"]) for each in api.json("/v1/streams")}
    assert alerting["social"] == {"needs_answer", "spike"} and not alerting["recommend"]
