"""A follower's start: what is in force then, and what is done where it cannot be used."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from apps.operate.domains import MAKE
from apps.operate.rollout import changing, models, rules
from apps.operate.rollout.changing import Who
from stormwatch.adapters import connect
from stormwatch.adapters.threads import follower as module
from stormwatch.adapters.threads.follower import Follower, Ports
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance.domain import SHIPPED
from stormwatch.errors import ModelError
from stormwatch.settings import Settings
from stormwatch.testing.ports import Ports as Doubles
from stormwatch.testing.ports import memory_ports

SETTINGS = Settings()
WHO = Who("anna", "a test", 1)
RULES = '[[rule]]\nid = "all"\nwhen = "amount >= 0"\nweight = 1.0\nreason = "{amount}"\n'


@pytest.fixture
def ports() -> Iterator[Doubles]:
    with memory_ports() as made:
        yield made


def begun(ports: Doubles, settings: Settings = SETTINGS, name: str = "fraud") -> Follower[Fraud]:
    source = lambda: connect.source(settings, settings.topic_control)  # noqa: E731
    outside = Ports(lambda: ports.store, source)
    return Follower(settings, name, MAKE["fraud"], lambda judge: judge, outside, "a test")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_start_takes_what_is_in_force_and_goes_back_to_what_can_be_used(ports: Doubles) -> None:
    good = rules.push(SETTINGS, ports.store, RULES, "", WHO)
    bad = rules.push(SETTINGS, ports.store, RULES.replace("1.0", "2.0"), "", WHO)
    with closing(begun(ports)) as one:
        assert one.get(20).rules_version == bad.entries[0].version
        assert (one.revisions, one.refused, one.told()) == ({"rules": 2}, 0, [])
    ports.store.artefacts[bad.entries[0].sha256] = b"cut"
    with closing(begun(ports)) as one:
        assert one.get(20).rules_version == good.entries[0].version
        assert (one.revisions, one.refused) == ({"rules": 1}, 1)
        assert "revision 2" in (told := one.told()[0]) and "is refused" in told
    ports.store.artefacts.clear()
    with closing(begun(ports)) as one:
        assert one.get(20).rules_version == MAKE["fraud"](SETTINGS).rules_version
        assert (one.revisions, one.refused) == ({}, 2)


def test_without_a_domain_to_follow_nothing_is_asked_and_nothing_runs(ports: Doubles) -> None:
    ports.store.down = True
    ports.broker.down()
    with closing(begun(ports, name="")) as one:
        assert one.get(20).name == "fraud"


def test_what_the_settings_name_and_cannot_be_read_is_raised_as_ever(ports: Doubles) -> None:
    with closing(begun(ports, Settings(fraud_model="nowhere"))) as one, pytest.raises(ModelError):
        one.get(20)


def test_outages_are_waited_for_and_an_announcement_that_was_lost_is_made_good(
    ports: Doubles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)
    ports.broker.down()
    with closing(begun(ports)) as one:
        before = one.get(20)
        pushed = rules.push(SETTINGS, ports.store, RULES, "", WHO)  # nobody can be told
        ports.broker.up()
        ports.broker.create(SETTINGS.topic_control, 1, {})
        until(lambda: one.get(1) is not before)
        assert one.get(1).rules_version == pushed.entries[0].version
        ports.store.down = True
        changing.announce(SETTINGS, pushed)
        ports.store.down = False
        again = rules.revert(SETTINGS, ports.store, 0, WHO)
        changing.announce(SETTINGS, again)
        until(lambda: one.revisions == {"rules": 2})
        assert one.get(1).rules_version == before.rules_version


def test_a_model_of_machines_takes_the_place_of_that_in_force(
    ports: Doubles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)
    ports.broker.create(SETTINGS.topic_control, 1, {})
    outside = Ports(
        lambda: ports.store, lambda: connect.source(SETTINGS, SETTINGS.topic_control)
    )  # fmt: skip
    folder = tmp_path / "other"
    shutil.copytree(SHIPPED, folder)
    card = json.loads((SHIPPED / "card.json").read_text()) | {"version": "life-other"}
    (folder / "card.json").write_text(json.dumps(card))
    made = MAKE["maintenance"]
    one = Follower(SETTINGS, "maintenance", made, lambda judge: judge, outside, "a test")
    with closing(one):
        before = one.get(20).model_version
        change = models.push(SETTINGS, ports.store, "maintenance", folder, WHO, "live")
        changing.announce(SETTINGS, change)
        until(lambda: one.get(1).model_version == "life-other")
        assert one.revisions == {"model": 1}
        changing.announce(SETTINGS, models.rollback(ports.store, "maintenance", WHO))
        until(lambda: one.get(1).model_version == before)
