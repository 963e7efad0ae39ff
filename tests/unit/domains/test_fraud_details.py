"""Details of payments: refunds are no spending, a retry is one payment, places give distances."""

import json
from math import isnan
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.fraud import Fraud, rules
from stormwatch.domains.fraud.details import ATTEMPTS, Told, distance_km
from stormwatch.domains.fraud.event import AUTHORISATIONS, KINDS, Details, Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.domains.fraud.parse import parse, to_wire
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.errors import SettingsError
from stormwatch.models import NONE
from stormwatch.records import RETRY, TAKEN_BACK, Rejection
from stormwatch.settings import Settings
from stormwatch.state.envelope import VERSION, Envelope, EnvelopeCodec
from stormwatch.state.judge import UNSCORED, Verdict

NOON = 1_796_040_000_000
MINUTE, DAY = 60_000, 86_400_000
BY_RULES = Fraud(Path(NONE))
PLAIN = {
    "id": "t1", "customer": "c", "terminal": "p", "time": "2026-11-21T09:15:30Z", "amount": 1250,
    "currency": "EUR",
}  # fmt: skip


def read(**fields: Any) -> Transaction | Rejection:
    return parse(json.dumps(PLAIN | fields).encode(), NOON, future_skew_ms=0)


def pay(time: int, name: str = "i", amount: int = 1000, **more: Any) -> Transaction:
    return Transaction(
        name, "c", "p", time, amount, "EUR", more=Details(**{"channel": "pos", **more})
    )


def judged(domain: Fraud, state: CustomerState, event: Transaction) -> tuple[Verdict, Told]:
    row, carry = domain.advance(state, event)
    (verdict,) = domain.decide([event], [row], [carry])
    return verdict, carry


TEXTS = st.text("abcdef-09", min_size=1, max_size=20)
PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180)).filter(any)
DETAILS = st.builds(
    Details, kind=st.sampled_from(KINDS), authorisation=st.sampled_from(("", *AUTHORISATIONS)),
    original=TEXTS, card=TEXTS, category=TEXTS, channel=TEXTS, entry=TEXTS, device=TEXTS,
    network=TEXTS, counterparty=TEXTS, place=st.none() | PLACES, customer_place=st.none() | PLACES,
)  # fmt: skip


@given(DETAILS, st.booleans())
def test_what_is_written_is_read_back(more: Details, history: bool) -> None:
    event = Transaction("i", "c", "p", NOON, 5, "EUR", "m", "DE", 60, more, history)
    value = to_wire(event)
    assert parse(value, NOON, future_skew_ms=0) == event
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Transaction)
    assert again == event and again.content == event.content


def test_a_payment_without_details_is_what_it_was() -> None:
    event = read()
    assert isinstance(event, Transaction) and event.more is None and not event.learn_only
    assert len(event.content) == 8
    assert b"kind" not in to_wire(event) and b"learn_only" not in to_wire(event)
    assert read(unknown="x", latitude=None, kind="purchase", device="") == event


def test_history_and_live_are_the_same_payment() -> None:
    event, live = read(learn_only=True), read()
    assert isinstance(event, Transaction) and isinstance(live, Transaction)
    assert event.learn_only and event.content == live.content


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"kind": "gift"}, "out_of_range", "kind"),
        ({"authorisation": "maybe"}, "out_of_range", "authorisation"),
        ({"latitude": 91, "longitude": 0}, "out_of_range", "latitude"),
        ({"latitude": 9, "longitude": -181}, "out_of_range", "longitude"),
        ({"latitude": 9}, "missing_field", "longitude"),
        ({"customer_longitude": 9}, "missing_field", "customer_latitude"),
        ({"latitude": "9", "longitude": 1}, "wrong_type", "latitude"),
        ({"channel": " pos"}, "bad_text", "channel"),
        ({"category": "x" * 65}, "out_of_range", "category"),
        ({"learn_only": "true"}, "wrong_type", "learn_only"),
        ({"card": "4111111111111111"}, "card_number", ""),
    ],
)
def test_a_detail_that_cannot_be_is_refused(fields: dict[str, Any], code: str, field: str) -> None:
    found = read(**fields)
    assert isinstance(found, Rejection)
    assert (found.code, found.field) == (code, field)


def test_no_place_is_taken_from_the_place_where_zeros_stand_for_nothing() -> None:
    event = read(latitude=0, longitude=0, channel="pos")
    assert isinstance(event, Transaction) and event.more == Details(channel="pos")


STEPS = st.lists(
    st.tuples(st.integers(-2 * DAY, 5 * DAY), st.integers(1, 50_000), st.booleans()), max_size=30
)


@given(STEPS, st.sampled_from(["refund", "reversal"]))
def test_refunds_change_nothing_that_is_learned(
    steps: list[tuple[int, int, bool]], kind: str
) -> None:
    """Payments among refunds have the features that they have without them."""
    alone, among, time = BY_RULES.new_state(), BY_RULES.new_state(), NOON
    for n, (gap, amount, is_refund) in enumerate(steps):
        time += gap
        if is_refund:
            event = pay(time, f"r{n}", amount, kind=kind, original="t")
            assert len(BY_RULES.advance(among, event)[0]) == len(FEATURE_NAMES)
        else:
            event = Transaction(f"t{n}", "c", f"p{n}", time, amount, "EUR")
            assert BY_RULES.advance(among, event) == BY_RULES.advance(alone, event)
        assert among == alone


def test_a_refund_is_approved_with_a_note_whatever_model_and_rules_say() -> None:
    domain, state = Fraud.load(), BY_RULES.new_state()
    event = pay(NOON, "r", 10**8, kind="refund", original="t-1")
    (verdict, _) = judged(domain, state, event)
    told = Verdict("approve", UNSCORED, verdict.reasons, noted=TAKEN_BACK)
    assert verdict == told and [r.code for r in verdict.reasons] == ["refund"]
    assert verdict.reasons[0].text == "refund of t-1: 1000000.00 EUR go back"
    (paid, _) = judged(domain, state, msgspec.structs.replace(event, more=None))
    assert paid.outcome in domain.alert_outcomes


OF_ALL_ATTEMPTS = {"since_last", "known_days", "max_30d", "retry"}
"""Features that an attempt which is taken out leaves a trace in: when it was, and its amount."""


def without_greatest(state: CustomerState) -> CustomerState:
    """The state but for what of an attempt is not taken out: the first time, greatest amounts."""
    kept = state.habits and msgspec.structs.replace(state.habits, since=0, most=[])
    return msgspec.structs.replace(state, known=None, habits=kept)


@given(
    st.lists(
        st.tuples(
            st.integers(3 * MINUTE, 3 * DAY), st.integers(1, 50_000), st.integers(0, 3),
            st.integers(0, 2 * MINUTE),
        ),
        max_size=20,
    )
)  # fmt: skip
def test_an_attempt_and_its_retries_are_one_payment(
    steps: list[tuple[int, int, int, int]],
) -> None:
    """Each attempt has the features that it had if those before it had not been; what is learned
    in the end are the last attempts alone."""
    state, last_only, time = BY_RULES.new_state(), BY_RULES.new_state(), NOON
    for n, (gap, amount, retries, wait) in enumerate(steps):
        time += gap
        before = msgspec.msgpack.encode(last_only)
        for attempt in range(retries + 1):
            time += wait if attempt else 0
            event = pay(time, f"t{n}.{attempt}", amount)
            row, told = BY_RULES.advance(state, event)
            copy = msgspec.msgpack.decode(before, type=CustomerState)
            alone, _ = BY_RULES.advance(copy, msgspec.structs.replace(event, more=None))
            names = [name for name in FEATURE_NAMES if name not in OF_ALL_ATTEMPTS]
            now, then = (dict(zip(FEATURE_NAMES, each, strict=True)) for each in (row, alone))
            assert [now[name] for name in names] == [then[name] for name in names]
            assert told.retry_of == (f"t{n}.{attempt - 1}" if attempt else "")
        last_only = copy
        assert without_greatest(state) == without_greatest(last_only)
        assert state.known is not None and len(state.known.attempts) <= ATTEMPTS


@given(
    STEPS, st.integers(1, 50_000),
    st.lists(
        st.tuples(st.integers(3 * MINUTE, 12 * DAY), st.integers(1, 50_000)),
        min_size=1, max_size=ATTEMPTS - 1,
    ),
)  # fmt: skip
def test_a_reversal_takes_its_original_out_of_the_windows(
    before: list[tuple[int, int, bool]], amount: int, after: list[tuple[int, int]]
) -> None:
    """The windows are those of a customer who never made the payment."""
    state, without, time = BY_RULES.new_state(), BY_RULES.new_state(), NOON
    steps = [(f"b{n}", gap, paid) for n, (gap, paid, _) in enumerate(before)]
    newest = time
    for name, gap, paid in steps:
        time += gap
        newest = max(newest, time)
        for each in (state, without):
            BY_RULES.advance(each, pay(time, name, paid))
    time = newest + 3 * MINUTE
    BY_RULES.advance(state, pay(time, "x", amount))
    for n, (gap, paid) in enumerate(after):
        time += gap
        for each in (state, without):
            BY_RULES.advance(each, pay(time, f"a{n}", paid))
    back = pay(time, "r", amount, kind="reversal", original="x")
    for once in (back, msgspec.structs.replace(back, id="again")):
        BY_RULES.advance(state, once)
        assert msgspec.structs.replace(state, known=None, habits=None) == msgspec.structs.replace(
            without, known=None, habits=None
        )  # which payments are doubtful was decided while it was there
    assert state.known is not None and "x" not in {one.id for one in state.known.attempts}


@pytest.mark.parametrize(
    "changes",
    [{"kind": "refund"}, {"original": "y"}, {"amount": 999}, {"kind": "reversal", "original": ""}],
)
def test_what_is_no_reversal_of_a_remembered_payment_takes_nothing_out(
    changes: dict[str, Any],
) -> None:
    state = BY_RULES.new_state()
    BY_RULES.advance(state, pay(NOON, "x"))
    before = msgspec.msgpack.encode(state)
    event = {"amount": 1000, "kind": "reversal", "original": "x"} | changes
    BY_RULES.advance(state, pay(NOON + MINUTE, "r", event.pop("amount"), **event))
    assert msgspec.msgpack.encode(state) == before


def test_what_makes_a_retry() -> None:
    first = pay(NOON, "a", card="k")
    for seconds, changes, is_retry in (
        (119, {}, True), (120, {}, True), (121, {}, False), (9, {"amount": 999}, False),
        (9, {"terminal": "q"}, False), (9, {"currency": "USD"}, False),
        (9, {"more": Details(card="other")}, False), (9, {"more": None}, False),
    ):  # fmt: skip
        state = BY_RULES.new_state()
        BY_RULES.advance(state, first)
        event = msgspec.structs.replace(first, id="b", time=NOON + seconds * 1000, **changes)
        verdict, _ = judged(BY_RULES, state, event)
        assert (verdict.noted == RETRY) == is_retry, (seconds, changes)
        assert state.seen == (1 if is_retry else 2)
        if is_retry:
            told = f"a once more, {seconds} s after it: counted as one payment"
            assert (verdict.outcome, verdict.reasons[-1].text) == ("approve", told)


def test_retries_are_no_burst_and_a_setting_turns_them_off() -> None:
    def outcomes(domain: Fraud) -> list[str]:
        state = domain.new_state()
        return [
            judged(domain, state, pay(NOON + n * 30_000, f"t{n}", 5_000))[0].outcome
            for n in range(8)
        ]

    assert set(outcomes(BY_RULES)) == {"approve"}
    assert "review" in outcomes(Fraud(Path(NONE), retry_ms=0))
    assert Settings().fraud_retry_s == 120


@given(PLACES, PLACES)
def test_distances_are_those_of_a_sphere(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    far = distance_km(one, other)
    assert 0 <= far <= 20_016 and abs(far - distance_km(other, one)) < 1e-6
    assert distance_km(one, one) < 1e-6


def test_distance_and_speed_are_from_the_payment_before() -> None:
    state = BY_RULES.new_state()
    berlin, munich = (52.52, 13.405), (48.137, 11.575)
    _, first = judged(BY_RULES, state, pay(NOON, "a", place=berlin, customer_place=munich))
    assert isnan(first.distance_km) and isnan(first.speed_kmh)
    assert first.from_customer_km == pytest.approx(504, abs=1)
    judged(BY_RULES, state, pay(NOON + MINUTE, "b"))  # without a place nothing is forgotten
    _, told = judged(BY_RULES, state, pay(NOON + 30 * MINUTE, "c", place=munich))
    assert told.distance_km == pytest.approx(504, abs=1)
    assert told.speed_kmh == pytest.approx(1008, abs=2)
    _, late = judged(BY_RULES, state, pay(NOON, "d", place=berlin))
    assert late.distance_km == pytest.approx(504, abs=1)
    assert state.known is not None and state.known.place == munich


def test_a_payment_that_nobody_can_have_travelled_to_is_reviewed() -> None:
    domain = Fraud(Path(NONE))
    for channel, outcome in (("pos", "review"), ("", "review"), ("online", "approve")):
        state = domain.new_state()
        judged(domain, state, pay(NOON, "a", place=(52.52, 13.4)))
        event = pay(NOON + 10 * MINUTE, "b", place=(40.7, -74.0), channel=channel)
        verdict, _ = judged(domain, state, event)
        assert verdict.outcome == outcome
        if outcome == "review":
            (reason,) = verdict.reasons
            assert reason.code == "impossible_travel" and "km/h" in reason.text


def test_a_native_payment_has_no_speed_so_no_rule_on_it_fires() -> None:
    state = BY_RULES.new_state()
    for name in ("a", "b"):
        plain = Transaction(name, "c", "p", NOON, 500, "EUR")
        row, carry = BY_RULES.advance(state, plain)
        (verdict,) = BY_RULES.decide([plain], [row], [carry])
        assert (verdict.outcome, verdict.reasons) == ("approve", ())


def written(folder: Path, *conditions: list[Any], text: str = "x") -> Path:
    file = folder / "rules.json"
    rule = {"code": "r", "weight": 1.0, "conditions": conditions, "text": text}
    file.write_text(json.dumps({"rules": [rule]}))
    return file


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (["kind", ">=", 1], "x"), (["kind", "in", 1], "x"), (["amount", "in", ["1"]], "x"),
        (["speed_kmh", "<=", ["1"]], "x"), (["kind", "<=", ["1"]], "x"),
        (["amount", ">=", 1], "{speed_kmh}"), (["kind", "in", ["refund"]], "{kind:.1f}"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_on_a_detail_is_refused(
    tmp_path: Path, condition: list[Any], text: str
) -> None:
    with pytest.raises(SettingsError, match=r"rules\.json: rule 'r': "):
        rules.read(written(tmp_path, condition, text=text), FEATURE_NAMES)


def test_rules_of_a_file_look_at_details_in_any_batch(tmp_path: Path) -> None:
    asked = [["kind", "in", ["withdrawal", "refund"]], ["channel", "not in", ["branch"]]]
    text = "{kind} by {channel} in {country}: {amount}"
    found = rules.read(written(tmp_path, *asked, text=text), FEATURE_NAMES)
    domain = Fraud(Path(NONE), rule_set=found)
    events = [
        pay(NOON, "a", kind="withdrawal"), pay(NOON, "b", kind="withdrawal", channel="branch"),
        pay(NOON, "c", kind="refund"), pay(NOON, "d"), Transaction("e", "c", "p", NOON, 1, "EUR"),
    ]  # fmt: skip
    made = [domain.advance(domain.new_state(), event) for event in events]
    verdicts = domain.decide(events, [row for row, _ in made], [carry for _, carry in made])
    assert [v.outcome for v in verdicts] == ["decline", "approve", "decline", "approve", "approve"]
    assert verdicts[0].reasons[0].text == "withdrawal by pos in : 10.00 EUR"
    assert [r.code for r in verdicts[2].reasons] == ["r", "refund"]


def test_the_blob_of_a_customer_without_details_has_none() -> None:
    codec = EnvelopeCodec(CustomerState, BY_RULES.new_state)
    state = BY_RULES.new_state()
    BY_RULES.advance(state, Transaction("i", "c", "p", NOON, 1, "EUR"))
    names = CustomerState.__struct_fields__
    before = [getattr(state, name) for name in names[: names.index("own")]]
    assert before[names.index("known")] is None
    assert [getattr(state, name) for name in names[len(before) :]] == [None, None, None]
    for floor in (0, 7):
        blob = codec.encode(Envelope(VERSION, 1, [], NOON, b"", state, floor))
        parts = [VERSION, 1, [], NOON, b"", before, *([floor] if floor else [])]
        assert blob == msgspec.msgpack.encode(parts)
        assert codec.decode(blob, "c").body == state
    BY_RULES.advance(state, pay(NOON, "j", place=(1.0, 2.0)))
    blob = codec.encode(Envelope(VERSION, 1, [], NOON, b"", state))
    assert codec.decode(blob, "c").body == state and state.known is not None
