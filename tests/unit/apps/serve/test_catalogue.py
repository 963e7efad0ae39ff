"""Mappings, equipment types, lists of rules and the cluster by the API."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apps.operate import nimbus
from apps.operate.rollout import rules
from apps.operate.rollout.changing import Who
from apps.serve import catalogue
from stormwatch.domains.fraud.rules import SHIPPED
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings
from tests.models.asked import ROOT, Api, asked
from tests.models.decided_payments import SETTINGS


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with asked() as made:
        yield made


def test_mappings_and_presets_are_listed_and_shown(api: Api) -> None:
    told = api.json("/v1/mappings")
    assert told["in_force"] == [] and "sparkov" in told["presets"]
    text = api.json("/v1/mapping", name="preset:sparkov")["text"]
    assert 'event = "transactions"' in text
    for name in ("sparkov", "preset:none", "stormwatch.transactions"):
        assert "/v1/mappings" in api.json("/v1/mapping", 404, name=name)["error"]
    ours = Settings(mapping_transactions=text)
    (one,) = catalogue._mappings(ours).in_force
    assert one.topic == ours.topic_transactions and "#" in one.version
    assert catalogue._mapping(ours, one.topic) == text


def test_equipment_types_are_listed_and_shown(api: Api) -> None:
    types = {each["name"]: each for each in api.json("/v1/equipment-types")}
    assert [name for name, each in types.items() if each["default"]] == ["turbofan"]
    assert types["any"]["sensors"] == 0
    turbofan = api.json("/v1/equipment-type", name="turbofan")
    assert len(turbofan["sensors"]) == types["turbofan"]["sensors"] > 10
    assert "There are: " in api.json("/v1/equipment-type", 404, name="kettle")["error"]


def test_lists_of_rules_are_shown_and_changed_with_an_audit(api: Api) -> None:
    who = Who("ann", "they have a list", 1)
    own = SHIPPED.read_text() + '\n[lists]\nstolen = ["c-1"]\n'
    rules.push(SETTINGS, api.world.store, own, "own.toml", who)
    lists = api.json("/v1/lists")
    name, size = next(iter(lists["lists"].items()))
    assert len(api.json("/v1/list", name=name)["values"]) == size
    body = {"name": name, "add": ["c-17"], "reason": "police"}
    answer = api.send("POST", "/v1/list", body)
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["revision"] == lists["revision"] + 1
    assert "c-17" in api.json("/v1/list", name=name)["values"]
    row = api.json("/v1/audit")["rows"][0]
    assert (row["act"], row["target"], row["detail"]) == ("rules.list", name, "police")
    assert "There is no list" in api.json("/v1/list", 404, name="nobody")["error"]
    assert api.send("POST", "/v1/list", body | {"reason": ""}).status == 422
    assert api.send("POST", "/v1/list", body | {"name": "nobody"}).status == 422


def test_rules_are_pushed_of_what_was_seen_and_a_bad_file_changes_nothing(api: Api) -> None:
    seen = api.json("/v1/rules")
    assert seen["text"].startswith(f"# revision {seen['revision']} ")
    stricter = seen["text"].replace("seen <= 2 AND amount >= 40000", "seen <= 2 AND amount >= 100")
    assert stricter != seen["text"]
    body = {"text": stricter, "reason": "trying it"}
    answer = api.send("POST", "/v1/rules", body)
    assert answer.status == 200, answer.body
    now = api.json("/v1/rules")
    assert json.loads(answer.body)["revision"] == now["revision"] == seen["revision"] + 1
    assert "seen <= 2 AND amount >= 100" in now["text"]
    row = api.json("/v1/audit")["rows"][0]
    assert (row["act"], row["target"], row["detail"]) == ("rules.push", "fraud", "trying it")
    late = api.send("POST", "/v1/rules", body | {"text": seen["text"] + "\n# of before\n"})
    assert late.status in (409, 412, 422) and b"revision" in late.body
    bad = api.send(
        "POST", "/v1/rules", body | {"text": now["text"].replace("seen <= 2", "sen <= 2")}
    )
    assert bad.status == 422 and b"sen" in bad.body
    assert api.json("/v1/rules")["revision"] == now["revision"]


def test_the_cluster_says_what_runs_there(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    fraud = SimpleNamespace(name="fraud", status="ACTIVE", uptime_secs=7, num_workers=1,
                            num_executors=5, num_tasks=6)  # fmt: skip
    summary = SimpleNamespace(nimbuses=[SimpleNamespace(isLeader=True)], supervisors=[1],
                              topologies=[fraud])  # fmt: skip
    client = SimpleNamespace(getClusterInfo=lambda: summary, close=lambda: None)
    monkeypatch.setattr(nimbus, "_client", lambda *at: client)
    told = api.json("/v1/cluster")
    assert told["nimbus"] == "127.0.0.1:6627" and told["answers"] and told["leader"]
    assert told["topologies"] == [{
        "name": "fraud", "status": "ACTIVE", "uptime_s": 7, "workers": 1, "executors": 5,
        "tasks": 6,
    }]  # fmt: skip

    def away(*at: Any) -> Any:
        raise OSError

    monkeypatch.setattr(nimbus, "_client", away)
    assert api.json("/v1/cluster")["answers"] is False


def test_which_nimbus_is_asked(tmp_path: Path) -> None:
    assert nimbus.address(ROOT) == ("127.0.0.1", 6627)
    (tmp_path / "config.json").write_text('{"envs": {"far": {"use_ssh_for_nimbus": true}}}')
    with pytest.raises(SettingsError, match="names no Nimbus"):
        nimbus.address(tmp_path)
