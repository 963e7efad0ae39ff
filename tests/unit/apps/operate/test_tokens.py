"""Who is let in, by a clock of the test's own."""

import pytest

from apps.operate import tokens
from apps.operate.tokens import Gate, NoEntry
from apps.serve.front import Front
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import SettingsError, StoreUnavailable
from stormwatch.people import ANALYST

DAY = 86_400_000
T0 = 1_700_000_000_000


class Clock:
    now = T0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def gate(store: MemoryStore, clock: Clock, *, open_: bool = True) -> Gate:
    made = Gate(store, clock, "me", open_=open_)
    made.refresh()
    return made


def refused(gate: Gate, origin: str, text: str | None) -> NoEntry:
    with pytest.raises(NoEntry) as caught:
        gate.enter(origin, text)
    return caught.value


def test_only_a_hash_is_stored_and_the_token_lets_in_with_its_role(
    store: MemoryStore, clock: Clock
) -> None:
    text = tokens.add(store, "ann", ANALYST, 30, T0)
    (stored,) = store.tokens()
    assert text not in repr(stored) and stored.hash == tokens.hash_of(text)
    assert len(text) > 40 and text != tokens.add(store, "bob", ANALYST, 30, T0)
    who = gate(store, clock).enter("1.2.3.4", text)
    assert who == ("ann", ANALYST, "1.2.3.4")
    with pytest.raises(SettingsError, match="already"):
        tokens.add(store, "ann", ANALYST, 30, T0)


@pytest.mark.parametrize(
    ("name", "role", "days", "said"),
    [("a b", "viewer", 1, "letters"), ("", "viewer", 1, "letters"), ("x" * 49, "viewer", 1, "48"),
     ("a", "root", 1, "viewer, analyst, operator"), ("a", "viewer", 0, "366"),
     ("a", "viewer", 367, "366")],
)  # fmt: skip
def test_what_no_token_can_be(
    store: MemoryStore, name: str, role: str, days: int, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        tokens.add(store, name, role, days, T0)


def test_an_expired_or_revoked_token_is_refused_and_says_so(
    store: MemoryStore, clock: Clock
) -> None:
    ann, bob = (tokens.add(store, name, ANALYST, 1, T0) for name in ("ann", "bob"))
    door = gate(store, clock)
    store.revoke_token("bob", T0 + 1)
    assert door.enter("x", bob).name == "bob" and not door.stale
    clock.now += tokens.KNOWN_MS + 1
    assert door.stale
    door.refresh()
    assert "was revoked" in str(refused(door, "x", bob))
    clock.now = T0 + DAY
    assert "has expired" in str(refused(door, "x", ann))


def test_without_any_token_this_machine_is_let_in_and_others_are_not(
    store: MemoryStore, clock: Clock
) -> None:
    door = gate(store, clock)
    assert not door.needed and door.enter("::1", None).role == "operator"
    assert refused(gate(store, clock, open_=False), "::1", None).status == 401
    tokens.add(store, "ann", ANALYST, 1, T0)
    door.refresh()
    assert door.needed and refused(door, "::1", None).status == 401


def test_many_wrong_tokens_lock_an_address_out_even_with_a_right_one(
    store: MemoryStore, clock: Clock
) -> None:
    text = tokens.add(store, "ann", ANALYST, 1, T0)
    door = gate(store, clock)
    for _ in range(tokens.FAILURES):
        assert refused(door, "9.9.9.9", "sw_guess").status == 401
    locked = refused(door, "9.9.9.9", text)
    assert (locked.status, locked.wait_s) == (429, tokens.LOCKED_MS // 1000 + 1)
    assert door.enter("8.8.8.8", text).name == "ann"
    clock.now += tokens.LOCKED_MS
    assert door.enter("9.9.9.9", text).name == "ann"


def test_askers_that_are_remembered_are_bounded(
    store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "ASKERS", 10)
    tokens.add(store, "ann", ANALYST, 1, T0)
    door = gate(store, clock)
    for i in range(50):
        refused(door, str(i), "sw_guess")
    assert len(door._failures) == 10


def test_requests_of_one_asker_are_limited_and_of_others_not(
    store: MemoryStore, clock: Clock
) -> None:
    texts = [tokens.add(store, name, ANALYST, 1, T0) for name in ("ann", "bob")]
    door = gate(store, clock)
    ann, bob = (door.enter("x", text) for text in texts)
    for _ in range(int(tokens.BURST)):
        door.take(ann)
    with pytest.raises(NoEntry, match="requests a second"):
        door.take(ann)
    door.take(bob)
    clock.now += 100
    door.take(ann)


def test_while_the_store_is_away_those_known_before_hold(store: MemoryStore, clock: Clock) -> None:
    text = tokens.add(store, "ann", ANALYST, 1, T0)
    door = gate(store, clock)
    store.down = True
    clock.now += 60_000
    door.refresh()
    assert door.enter("x", text).name == "ann"
    with pytest.raises(StoreUnavailable):
        gate(store, clock)


@pytest.mark.parametrize(
    ("front", "tokens", "said"),
    [
        (Front("0.0.0.0"), False, "token add"),
        (Front("0.0.0.0"), True, "--tls-cert"),
        (Front(proxied=True), False, "token add"),
        (Front(certificate="c.pem"), True, "go together"),
        (Front(certificate="no.pem", key="no.key"), True, "PEM files"),
    ],
)
def test_what_others_could_read_or_overhear_is_not_served(
    front: Front, tokens: bool, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        front.check(tokens)


def test_loopback_needs_nothing_and_a_proxy_is_enough_with_tokens() -> None:
    Front().check(tokens=False)
    Front("10.0.0.1", proxied=True).check(tokens=True)
    assert Front("10.0.0.1", ("watch.example",)).hosts >= {"10.0.0.1", "watch.example"}
    assert "0.0.0.0" not in Front("0.0.0.0").hosts
