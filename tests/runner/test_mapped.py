"""Topics of other formats in the runner: each its own mapping, one state an entity, re-drives."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apps.operate.dlq.letters import Wanted, find
from apps.operate.dlq.redrive import Who
from apps.operate.dlq.session import redrive_all
from apps.operate.domains import one, provable
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import marks
from stormwatch.records import Decision
from stormwatch.runner.events import Died
from stormwatch.runner.faults import Faults
from stormwatch.runner.plan import Plan
from stormwatch.settings import load
from tests.runner.drive import Stage, stage

MAPPING = """
event = "transactions"
topic = "{topic}"
version = "{topic}-1"

[only]
path = "kind"
values = ["sale"]
others = "ignore"

[fields]
id = {{ path = "no" }}
customer = {{ path = "who" }}
terminal = {{ constant = "t1" }}
time = {{ path = "at", form = "epoch_s" }}
amount = {{ path = "paid", unit = "major" }}
currency = {{ constant = "EUR" }}
"""
BEGIN = 1_767_225_600
CUSTOMERS, SALES = 5, 60


def none(plan: Plan) -> Faults:
    return Faults()


def sale(no: int, topic: str, **changes: Any) -> bytes:
    row = {"no": f"{topic}-{no}", "who": f"c{no % CUSTOMERS}", "kind": "sale", "paid": "12.50"}
    return msgspec.json.encode(row | {"at": str(BEGIN + 600 * no)} | changes)


def decisions(made: Stage) -> list[Decision]:
    rows = made.world.store.tables["decisions"].values()
    return [msgspec.json.decode(row["body"][1], type=Decision) for row in rows]


def use(monkeypatch: pytest.MonkeyPatch, folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    files = ",".join(str(folder / f"{name}.toml") for name in texts)
    monkeypatch.setenv("STORMWATCH_MAPPING_TRANSACTIONS", files)


def fill(made: Stage, topic: str, key: Callable[[int], bytes]) -> None:
    for no in range(SALES):
        made.world.broker.append(topic, key(no), sale(no, topic))
        if no % 10 == 0:
            made.world.broker.append(topic, key(no), sale(1000 + no, topic, kind="refund"))


def test_two_topics_of_one_domain_each_by_its_own_mapping(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, tmp_path, a=MAPPING.format(topic="shop"), b=MAPPING.format(topic="web"))
    with stage(monkeypatch) as made:
        for topic in ("shop", "web"):
            fill(made, topic, lambda no: b"c%d" % (no % CUSTOMERS))
        first = made.run("fraud", "shop", none, 1)
        second = made.run("fraud", "web", none, 1)
        for account in (first, second):
            assert account.sound and account.states == {"scored": SALES, "ignored": SALES // 10}
        found = decisions(made)
        assert Counter(one.mapping for one in found) == dict.fromkeys(
            (marks(made.settings)["shop"], marks(made.settings)["web"]), SALES
        )
        assert not made.world.store.tables.get("dead_letters")
        with pytest.raises(SettingsError, match="not provable"):
            provable(made.settings, "fraud")
        assert one(made.settings, "fraud").topics == ("transactions", "shop", "web", "labels")


def test_a_topic_that_is_not_keyed_by_its_entity_is_repartitioned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, tmp_path, a="rekey = true\n" + MAPPING.format(topic="shop"))
    with stage(monkeypatch) as made:
        fill(made, "shop", lambda no: b"any%d" % no)
        account = made.run("fraud", "shop", none, 1)
        assert account.sound and account.states == {"scored": SALES, "ignored": SALES // 10}
        assert not [event for event in made.events if isinstance(event, Died)]
        found = decisions(made)
        assert len({one.partition for one in found if one.entity == "c1"}) > 1
        assert not any(one.misplaced for one in found)
        # What a customer's state has seen before each of its payments: every one of them counts.
        at = [one.features for one in sorted(found, key=lambda d: d.time) if one.entity == "c1"]
        assert len(set(at)) == SALES // CUSTOMERS


def test_what_a_mapping_refused_is_decided_by_a_re_drive_once_it_is_mended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = MAPPING.format(topic="shop").replace('unit = "major"', 'unit = "minor"')
    use(monkeypatch, tmp_path, a=wrong)
    with stage(monkeypatch) as made:
        fill(made, "shop", lambda no: b"c%d" % (no % CUSTOMERS))
        assert made.run("fraud", "shop", none, 1).states["rejected"] == SALES
        use(monkeypatch, tmp_path, a=MAPPING.format(topic="shop"))
        made.settings = load()
        stream = one(made.settings, "fraud")
        letters = find(made.world.store, [stream], Wanted(), 1000)
        assert len(letters) == SALES
        who = Who("test", "", lambda: 1_790_000_000_000)
        results = redrive_all(made.settings, made.world.store, letters, who)
        assert {result.done for result in results} == {"redriven"}, results[0]
        account = made.run("fraud", "shop", none, 2)
        assert account.sound
        assert account.states == {"scored": SALES, "rejected": SALES, "ignored": SALES // 10}
        assert {one.mapping for one in decisions(made)} == {marks(made.settings)["shop"]}
