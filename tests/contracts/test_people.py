"""The port `People`: in memory and on Cassandra."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.archive import Archive
from stormwatch.errors import StoreUnavailable
from stormwatch.people import ACKNOWLEDGED, Act, AlertKey, Audit, Token, Work
from tests.contracts.store_rows import DAY, NOW

KEYS = [AlertKey(f"C/{i % 3}", NOW - i * DAY // 2, f"t'{i}") for i in range(7)]


@pytest.fixture
def name() -> str:
    return f"d{uuid.uuid4().hex[:10]}"


@pytest.fixture
def people(store: Archive) -> Archive:
    return store


def test_work_is_stored_only_after_the_version_that_was_seen(people: Archive, name: str) -> None:
    first = Work(1, ACKNOWLEDGED, acts=[Act(NOW, "ann", "acknowledge")])
    assert people.work(name, KEYS[0]) == Work()
    assert not people.put_work(name, KEYS[0], Work(2))
    assert people.put_work(name, KEYS[0], first)
    assert not people.put_work(name, KEYS[0], Work(1, assignee="bob"))
    second = Work(2, ACKNOWLEDGED, "bob", acts=[*first.acts, Act(NOW, "ann", "assign", "bob")])
    assert people.put_work(name, KEYS[0], second)
    assert not people.put_work(name, KEYS[0], second)
    assert people.work(name, KEYS[0]) == second
    assert people.work(name, KEYS[1]) == people.work("another", KEYS[0]) == Work()


def test_of_many_at_once_one_is_stored(people: Archive, name: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(
            lambda i: people.put_work(name, KEYS[0], Work(1, assignee=f"a{i}")), range(8)
        ))  # fmt: skip
    assert done.count(True) == 1
    assert people.work(name, KEYS[0]).assignee == f"a{done.index(True)}"


def test_works_of_a_list_of_alerts(people: Archive, name: str) -> None:
    for i, key in enumerate(KEYS[:5]):
        assert people.put_work(name, key, Work(1, assignee=str(i)))
    found = people.works(name, KEYS)
    assert {key: work.assignee for key, work in found.items()} == {
        key: str(i) for i, key in enumerate(KEYS[:5])
    }
    assert people.works(name, []) == {}


def test_the_audit_log_newest_first(people: Archive, name: str) -> None:
    at = uuid.uuid4().int % 10**12  # a day of its own
    at -= at % DAY
    rows = [
        Audit(at + i // 2, f"n{i}", name, "analyst", "::1", "alert.label", "fraud/C1/1/t", "fraud",
              "begun") for i in range(5)
    ]  # fmt: skip
    for row in rows:
        people.write_audit(row)
    last = Audit(*[getattr(rows[4], f) for f in rows[4].__struct_fields__[:-1]], "done")
    people.write_audit(last)
    mine = [row for row in people.audit(at // DAY, 100) if row.who == name]
    assert mine == [last, rows[2], rows[3], rows[0], rows[1]]
    assert len(people.audit(at // DAY, 2)) == 2


def test_tokens_are_given_once_and_revoked(people: Archive, name: str) -> None:
    token = Token(name, b"\x00hash", "viewer", NOW, NOW + DAY)
    assert people.put_token(token) and not people.put_token(Token(name, b"x", "operator", 0, 1))
    (mine,) = [one for one in people.tokens() if one.name == name]
    assert mine == token and mine.holds(NOW) and not mine.holds(NOW + DAY)
    assert people.revoke_token(name, NOW + 5) and not people.revoke_token(f"{name}x", NOW)
    (mine,) = [one for one in people.tokens() if one.name == name]
    assert mine.revoked == NOW + 5 and not mine.holds(NOW)


def test_a_store_that_is_down_is_told() -> None:
    store = MemoryStore()
    store.down = True
    for call in (
        lambda: store.work("d", KEYS[0]),
        lambda: store.put_work("d", KEYS[0], Work(1)),
        lambda: store.write_audit(Audit(0, "", "", "", "", "", "", "", "")),
        store.tokens,
    ):
        with pytest.raises(StoreUnavailable):
            call()
