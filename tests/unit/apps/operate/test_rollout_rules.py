"""Rules pushed, reverted, snoozed, and their lists: what is kept, and who is told what."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.operate.rollout import rules
from apps.operate.rollout.changing import Conflict, Who
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.domains.fraud.rates import shipped
from stormwatch.domains.fraud.scoring import Scorer
from stormwatch.errors import SettingsError
from stormwatch.models import NoModel
from stormwatch.records import SNOOZED
from stormwatch.rules import runtime
from stormwatch.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BEN = Who("anna", "nights", 1), Who("ben", "lists", 2)
MINE = """\
review_from = 0.5
[lists]
stolen = ["c-17"]

[[rule]]
id = "stolen_card"
when = "customer IN @stolen AND amount >= 100"
outcome = "decline"
reason = "{amount} by a stolen card"

[[rule.example]]
given = { customer = "c-17", amount = 100 }
"""
SETTINGS = Settings()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def text(store: MemoryStore) -> str:
    return rules.current(SETTINGS, store).text


def test_a_push_is_numbered_and_what_was_before_comes_back(store: MemoryStore) -> None:
    shipped = rules.fraud_rules.SHIPPED.read_text()
    assert rules.current(SETTINGS, store) == (0, shipped, None)
    first = rules.push(SETTINGS, store, MINE, "mine.toml", ANNA)
    assert (first.revision, first.author, first.reason, first.act) == (1, "anna", "nights", "push")
    assert first.entries[0].version == rules.read(SETTINGS, MINE, "").version
    second = rules.push(SETTINGS, store, MINE.replace("100", "200"), "mine.toml", ANNA)
    third = rules.revert(SETTINGS, store, 1, BEN)
    assert (third.revision, third.entries) == (3, first.entries)
    assert second.entries != first.entries
    assert rules.revert(SETTINGS, store, 0, BEN).entries == ()
    assert text(store) == shipped
    with pytest.raises(SettingsError, match="no revision 9"):
        rules.revert(SETTINGS, store, 9, BEN)


def test_a_bad_file_changes_nothing_and_names_its_line(store: MemoryStore) -> None:
    with pytest.raises(SettingsError, match=r"mine.toml, line 7: rule 'stolen_card': when"):
        rules.push(SETTINGS, store, MINE.replace("amount", "amuont"), "mine.toml", ANNA)
    with pytest.raises(SettingsError, match="--reason"):
        rules.push(SETTINGS, store, MINE, "mine.toml", Who("anna", " ", 1))
    assert rules.current(SETTINGS, store).revision == 0


def test_the_second_of_two_who_change_the_same_is_told_what_the_first_changed(
    store: MemoryStore,
) -> None:
    rules.push(SETTINGS, store, MINE, "mine.toml", ANNA)
    both = rules.pulled(rules.current(SETTINGS, store))
    assert both.startswith("# revision 1 of the rules of fraud\n")
    more = '[[rule]]\nid = "large"\nwhen = "amount > 9"\nweight = 1.0\nreason = "{amount}"\n'
    rules.push(SETTINGS, store, both + more, "anna.toml", ANNA)
    with pytest.raises(Conflict) as told:
        rules.push(SETTINGS, store, both.replace("100", "50"), "ben.toml", BEN)
    assert told.value.newest.revision == 2
    for words in ("anna was first: revision 2", "(push: nights)", "It adds large.", "--onto 2"):
        assert words in str(told.value)
    assert rules.current(SETTINGS, store).revision == 2
    assert rules.push(SETTINGS, store, both, "ben.toml", BEN, onto=2).revision == 3


def test_what_commands_changed_goes_along_with_the_next_push(store: MemoryStore) -> None:
    rules.push(SETTINGS, store, MINE, "mine.toml", ANNA)
    odd = ['c "9"', "ç\x7f\n🌩", "c-17"]
    made = rules.change_list(SETTINGS, store, "stolen", BEN, add=odd)
    assert made.act == f"list stolen add {', '.join(odd)}"
    assert runtime.listed(text(store), "stolen") == ["c-17", *odd[:2]]
    rules.snooze(SETTINGS, store, "stolen_card", "c-17", NOW + timedelta(1), NOW, BEN)
    rules.push(SETTINGS, store, MINE.replace("100", "200"), "mine.toml", ANNA)
    assert runtime.listed(text(store), "stolen") == ["c-17", *odd[:2]]
    assert text(store).startswith(MINE.replace("100", "200"))
    rules.change_list(SETTINGS, store, "stolen", BEN, remove=["c-17"])
    assert runtime.listed(text(store), "stolen") == odd[:2]
    found = rules.read(SETTINGS, text(store), "")
    assert found.snoozes == {"stolen_card": {"c-17": int(NOW.timestamp() + 86_400) * 1000}}
    rules.snooze(SETTINGS, store, "stolen_card", "c-17", None, NOW, BEN)
    assert not rules.read(SETTINGS, text(store), "").snoozes
    with pytest.raises(SettingsError, match=r"no list 'lost'; there are: stolen"):
        rules.change_list(SETTINGS, store, "lost", BEN, add=["x"])
    with pytest.raises(SettingsError, match=r"'no_rule', and there is no such rule: stolen_card"):
        rules.snooze(SETTINGS, store, "no_rule", "c-17", NOW, NOW, BEN)


def test_what_a_person_puts_below_what_commands_wrote_is_kept(store: MemoryStore) -> None:
    rules.push(SETTINGS, store, MINE, "mine.toml", ANNA)
    rules.snooze(SETTINGS, store, "stolen_card", "c-17", NOW, NOW, BEN)
    more = '[[rule]]\nid = "large"\nwhen = "amount > 9"\nweight = 1.0\nreason = "{amount}"\n'
    more += "[[rule.example]]\ngiven = { amount = 10 }\n"
    mine = rules.pulled(rules.current(SETTINGS, store)) + more
    rules.push(SETTINGS, store, mine, "mine.toml", ANNA)
    rules.change_list(SETTINGS, store, "stolen", BEN, add=["c-18"])
    found = rules.read(SETTINGS, text(store), "")
    assert [(rule.id, len(rule.examples)) for rule in found.rules] == [
        ("stolen_card", 1),
        ("large", 1),
    ]
    assert found.snoozes and "c-18" in found.lists["stolen"]


def test_old_snoozes_are_left_out_and_the_version_tells_of_those_there_are() -> None:
    plain = rules.read(SETTINGS, MINE, "").version
    asleep = runtime.snoozed(MINE, "stolen_card", "c-17", NOW, NOW)
    assert rules.read(SETTINGS, asleep, "").version != plain
    later = NOW + runtime.KEPT + timedelta(seconds=1)
    other = runtime.snoozed(asleep, "stolen_card", "c-18", later, later)
    assert rules.read(SETTINGS, other, "").snoozes["stolen_card"].keys() == {"c-18"}
    assert rules.read(
        SETTINGS, runtime.snoozed(other, "stolen_card", "c-18", None, later), ""
    ).version == (plain)


@pytest.mark.parametrize(("seconds", "outcome"), [(-1, "approve"), (0, "decline"), (1, "decline")])
def test_a_snoozed_rule_is_noted_and_not_acted_on_before_the_events_time(
    seconds: int, outcome: str
) -> None:
    asleep = rules.read(SETTINGS, runtime.snoozed(MINE, "stolen_card", "c-17", NOW, NOW), "")
    time = int(NOW.timestamp() + seconds) * 1000
    event = Transaction("p", "c-17", "t", time, 100, "EUR")
    row = tuple(100.0 if name == "amount" else 0.0 for name in FEATURE_NAMES)
    (verdict,) = Scorer(NoModel(), asleep, shipped())([event], [row], ["EUR"])
    assert verdict.outcome == outcome
    code = "stolen_card" if outcome == "decline" else "snoozed:stolen_card"
    assert [reason.code for reason in verdict.reasons] == [code]
    assert verdict.noted == ("" if outcome == "decline" else SNOOZED)
    assert Fraud.name == rules.DOMAIN
