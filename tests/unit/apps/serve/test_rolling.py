"""Rules compared, models promoted and rolled back by the API."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.operate.rollout import models
from apps.operate.rollout.changing import Who
from tests.models.asked import Api, asked
from tests.models.decided_payments import SETTINGS


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with asked() as made:
        yield made


def test_what_a_file_would_change_is_told_and_nothing_is_changed(api: Api) -> None:
    now = api.json("/v1/rules")
    stricter = now["text"].replace("seen <= 2 AND amount >= 40000", "seen <= 2 AND amount >= 100")
    told = api.send("POST", "/v1/rules/difference", {"text": stricter})
    assert told.status == 200 and b"changes" in told.body and b"nothing" not in told.body
    same = api.send("POST", "/v1/rules/difference", {"text": now["text"]})
    assert json.loads(same.body) == {
        "revision": now["revision"], "said": "changes nothing that decides",
    }  # fmt: skip
    bad = api.send("POST", "/v1/rules/difference", {"text": "[[rules]]\nid = 1\n"})
    assert bad.status == 422 and json.loads(bad.body)["error"]
    assert api.json("/v1/rules") == now


def test_a_model_is_promoted_and_rolled_back_with_an_audit(api: Api, tmp_path: Path) -> None:
    shutil.copytree(models.SHIPPED["fraud"], tmp_path / "m")
    card = json.loads((tmp_path / "m" / "card.json").read_text())
    (tmp_path / "m" / "card.json").write_text(json.dumps(card | {"version": "m-new"}))
    who = Who("anna", "trained on May", 1_700_000_000_000)
    models.push(SETTINGS, api.world.store, "fraud", tmp_path / "m", who)
    body = {"domain": "fraud", "version": "m-new", "reason": "a try", "state": "canary"}
    assert api.send("POST", "/v1/models/promote", body | {"version": "m-none"}).status == 422
    assert api.send("POST", "/v1/models/promote", body | {"domain": "none"}).status == 404
    done = api.send("POST", "/v1/models/promote", body | {"share": 0.2})
    assert done.status == 200, done.body

    def state() -> tuple[str, float]:
        (one,) = models.versions(api.world.store, "fraud")
        return one.state, one.share

    assert state() == ("canary", 0.2)
    back = {"domain": "fraud", "reason": "it was worse"}
    done = api.send("POST", "/v1/models/rollback", back)
    assert done.status == 200 and state()[0] == "retired"
    rows = api.json("/v1/audit")["rows"]
    told = [(row["act"], row["target"], row["detail"], row["outcome"][:7]) for row in rows]
    assert ("model.rollback", "fraud", "it was worse", "done") in told
    assert ("model.promote", "fraud/m-new", "a try", "done") in told
    assert ("model.promote", "fraud/m-none", "a try", "refused") in told
