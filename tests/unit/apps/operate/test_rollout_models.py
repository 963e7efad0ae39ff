"""Models pushed, promoted, rolled back; what cannot be used is refused with its reason."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apps.operate.domains import MAKE
from apps.operate.rollout import models, rules
from apps.operate.rollout.changing import Who
from apps.operate.rollout.compare import compare
from apps.operate.rollout.view import view
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.model_folders import folder_of
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.domains.maintenance.domain import SHIPPED as TURBOFAN
from stormwatch.errors import ModelError, SettingsError
from stormwatch.metrics import Metrics
from stormwatch.records import Decision, Learned, Shadow
from stormwatch.rollout.changes import Entry
from stormwatch.rollout.folder import pack, unpack
from stormwatch.settings import Settings

SETTINGS, NOW = Settings(), 1_700_000_000_000
WHO = Who("anna", "trained on May", NOW)


def changed(folder: Path, shipped: Path = SHIPPED, **card: Any) -> Path:
    """A shipped model with something else in its card."""
    shutil.copytree(shipped, folder)
    before = json.loads((shipped / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(before | card))
    return folder


def states(store: MemoryStore) -> dict[str, tuple[str, float]]:
    return {one.version: (one.state, one.share) for one in models.versions(store, "fraud")}


def test_from_shadow_to_canary_to_live_and_back(tmp_path: Path) -> None:
    store = MemoryStore()
    with pytest.raises(SettingsError, match="nothing to roll back"):
        models.rollback(store, "fraud", WHO)
    one, two = (changed(tmp_path / name, version=name) for name in ("m-one", "m-two"))
    models.push(SETTINGS, store, "fraud", one, WHO)
    assert states(store) == {"m-one": ("shadow", 0.0)}
    models.promote(store, "fraud", "one", WHO, "canary", 0.2)
    assert states(store) == {"m-one": ("canary", 0.2)}
    models.promote(store, "fraud", "m-one", WHO)
    models.push(SETTINGS, store, "fraud", two, WHO, "canary", 0.5)
    assert states(store) == {"m-one": ("live", 0.0), "m-two": ("canary", 0.5)}
    assert models.rollback(store, "fraud", WHO).entries[0].version == "m-one"
    assert states(store) == {"m-one": ("live", 0.0), "m-two": ("retired", 0.0)}
    assert models.current_card(SETTINGS, store, "fraud").version == "m-one"
    models.promote(store, "fraud", "two", WHO)
    assert models.rollback(store, "fraud", WHO).entries[0].version == "m-one"
    assert models.rollback(store, "fraud", WHO).entries[0].version == "m-two", "the one before"
    assert models.card(SETTINGS, store, "fraud", "one").version == "m-one"
    with pytest.raises(SettingsError, match="Known of fraud model: m-two, m-one"):
        models.promote(store, "fraud", "three", WHO)


def test_what_cannot_be_used_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    store = MemoryStore()
    cut = changed(tmp_path / "cut")
    artefact = cut / json.loads((cut / "card.json").read_text())["artefact"]
    artefact.write_bytes(artefact.read_bytes()[:-9])
    named = changed(tmp_path / "named", version="m-one")
    refused = {
        cut: "truncated or changed",
        changed(tmp_path / "features", feature_names=["amount"]): "is for 1 features",
        changed(tmp_path / "limits", thresholds={"review": 0.1}): "no threshold 'decline'",
        tmp_path / "nowhere": "cannot be read",
        Path("none"): "is no model",
    }
    for folder, why in refused.items():
        with pytest.raises(ModelError, match=why):
            models.push(SETTINGS, store, "fraud", folder, WHO)
    assert states(store) == {}
    models.push(SETTINGS, store, "fraud", named, WHO)
    other = changed(tmp_path / "other", version="m-one", seed=99)
    with pytest.raises(ModelError, match="is named m-one, as another model"):
        models.push(SETTINGS, store, "fraud", other, WHO)
    with pytest.raises(SettingsError, match="social has no model that can be changed"):
        models.push(SETTINGS, store, "social", named, WHO)
    alien = changed(tmp_path / "alien", TURBOFAN, version="t", conditions=None)
    there = MAKE["maintenance"](SETTINGS)
    if json.loads((TURBOFAN / "card.json").read_text()).get("conditions") is not None:
        with pytest.raises(ModelError, match="other working conditions"):
            models.push(SETTINGS, store, "maintenance", alien, WHO)
    same = changed(tmp_path / "same", TURBOFAN, version="t")
    assert models.push(SETTINGS, store, "maintenance", same, WHO).entries[0].version == "t"
    assert there.model_version != "t"


def test_a_folder_comes_out_of_its_artefact_and_one_that_was_changed_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    packed = pack(SHIPPED)
    place = folder_of("abc", packed)
    assert pack(place) == packed
    (place / "card.json").write_text("{}")
    assert pack(folder_of("abc", packed)) == packed
    assert [path.name for path in place.parent.iterdir()] == ["abc"], "nothing else is left"
    evil = msgspec.msgpack.encode({"../evil": b""})
    with pytest.raises(ModelError, match="a file named"):
        unpack(evil, tmp_path)


def body(number: int, outcome: str, score: float, **more: Any) -> bytes:
    return msgspec.json.encode(
        Decision(f"p-{number}", "c", number, outcome, score, (), (), "f", more.pop("model", "live"),
                 "r", "t", 0, number, number, **more)
    )  # fmt: skip


def test_a_shadow_is_compared_on_the_same_events_and_labels_say_what_was_deserved() -> None:
    trial = (Shadow("trial", "r", "review", 0.75),)
    bodies = [
        body(1, "review", 0.5, shadow=trial), body(2, "approve", 0.25, shadow=trial),
        body(3, "decline", 0.5), body(4, "approve", 0.0, model="else"),
        body(5, "labelled", -1, model="none", learned=Learned("p-2", 2, True)),
        body(6, "labelled", -1, model="none", learned=Learned("p-3", 3, False)),
    ]  # fmt: skip
    made = compare(bodies, "live", "trial", frozenset({"review", "decline"}))
    assert (made.same_events, made.both, made.only_one, made.only_other) == (True, 1, 0, 1)
    assert made.score_difference == 0.375
    one, other = made.one, made.other
    assert (one.decisions, one.alerts, one.alerts_undeserved, one.missed) == (3, 2, 1, 1)
    assert (other.decisions, other.alerts, other.alerts_deserved) == (2, 2, 1)


def test_the_view_has_rules_with_their_hits_models_and_tasks() -> None:
    store, metrics = MemoryStore(), Metrics()
    metrics.follows, metrics.revisions = "fraud", {"rules": 1}
    metrics.batch(
        {}, 0, [], NOW, fired={"burst_1h": 3, "shadow:burst_1h": 2, "snoozed:burst_1h": 1}
    )
    rules.push(SETTINGS, store, rules.fraud_rules.SHIPPED.read_text(), "", WHO)
    for at, name in ((NOW, "t-1"), (NOW - 60_000, "t-gone")):
        shot = metrics.snapshot(at, 1, "h", 0)
        store.write_meter("fraud", "decide", name, msgspec.json.encode(shot))
    now = view(SETTINGS, store, "fraud", NOW + 1)
    assert now.rules is not None and (now.rules.revision, now.rules.by) == (1, "anna")
    (burst,) = [rule for rule in now.rules.rules if rule.id == "burst_1h"]
    assert (burst.hits, burst.shadow_hits, burst.snoozed_hits) == (6, 4, 2)
    assert [(task.name, task.revisions) for task in now.tasks] == [("decide t-1", {"rules": 1})]
    assert now.models == []
    assert Entry("v", "s").state == "live"
