"""Labels: read from their wire form and back, refused with a reason, kept as `labelled`."""

import json
from typing import Any

import pytest

from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Label, Transaction
from stormwatch.domains.fraud.parse import parse, to_wire
from stormwatch.records import Rejection
from stormwatch.state.judge import UNSCORED, versions_of

NOW = 1_795_800_000_000  # Kafka's time of the record
WIRE = {
    "type": "label", "id": "l-1", "customer": "c-1", "terminal": "pos-9", "payment": "t-1",
    "payment_time": "2026-11-20T09:15:30.123Z", "amount": 12950, "currency": "EUR",
    "label": "fraud", "time": "2026-11-27T08:30:00+01:00",
}  # fmt: skip
LABEL = Transaction(
    "l-1", "c-1", "pos-9", 1_795_764_600_000, 12950, "EUR", utc_offset=60,
    label=Label("t-1", 1_795_166_130_123, "fraud"),
)  # fmt: skip


def read(**changes: Any) -> Transaction | Rejection:
    wire = {name: value for name, value in (WIRE | changes).items() if value is not None}
    return parse(json.dumps(wire).encode(), NOW, future_skew_ms=300_000)


def test_a_label_is_read_and_written_back() -> None:
    assert read() == LABEL
    assert parse(to_wire(LABEL), NOW, future_skew_ms=300_000) == LABEL


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"payment": None}, "missing_field", "payment"),
        ({"terminal": None}, "missing_field", "terminal"),
        ({"label": "stolen"}, "wrong_type", "label"),
        ({"payment": "t\u200b"}, "bad_text", "payment"),
        ({"payment_time": "2026-11-28T00:00:00Z"}, "out_of_range", "payment_time"),
        ({"payment_time": "1970-01-01T00:00:00Z"}, "out_of_range", "payment_time"),
        ({"payment_time": "2026-11-20"}, "bad_time", "payment_time"),
        ({"time": "2026-12-30T00:00:00Z"}, "too_far_in_future", "time"),
        ({"currency": "XXX"}, "unknown_currency", "currency"),
        ({"amount": 10**16}, "out_of_range", "amount"),
        ({"payment": "4111111111111111"}, "card_number", "payment"),
    ],
)
def test_what_is_no_label_is_refused(changes: dict[str, Any], code: str, field: str) -> None:
    found = read(**changes)
    assert isinstance(found, Rejection)
    assert (found.code, found.field) == (code, field)


def test_a_key_that_is_there_twice_is_refused() -> None:
    value = json.dumps(WIRE).encode().replace(b"{", b'{"label": "cleared", ', 1)
    found = parse(value, NOW, future_skew_ms=300_000)
    assert isinstance(found, Rejection)
    assert found.code == "duplicate_key"


def test_a_label_is_kept_and_not_judged_as_a_payment() -> None:
    domain = Fraud()
    payment = Transaction("t-2", "c-1", "pos-9", LABEL.time + 1, 500, "EUR")
    state = domain.new_state()
    rows = [domain.advance(state, event) for event in (LABEL, payment)]
    label, judged = domain.decide(
        [LABEL, payment], [features for features, _ in rows], [carry for _, carry in rows]
    )
    assert (label.outcome, label.score, label.degraded) == ("labelled", UNSCORED, False)
    assert (
        label.reasons[0].text
        == "payment t-1 of 2026-11-20T09:15:30+00:00 is fraud, as was confirmed"
    )
    assert label.reasons[0].code == "fraud"
    assert label.by is not None
    feature_set, model, rules = label.by
    assert (model, rules, feature_set) in versions_of(domain)
    assert judged.outcome == "approve"
    assert [judged] == domain.decide([payment], [rows[1][0]], [rows[1][1]])
    known = dict(zip(domain.feature_names, rows[1][0], strict=True))
    assert (known["frauds_21d"], known["count_30d"]) == (1, 0), "learned as a label alone"
