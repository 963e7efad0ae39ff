"""Labels on the wire: what became known of a payment. The format: schema/labels.md."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stormwatch.domains.fraud.event import CHARGEBACK, CLEARED, FRAUD, Label, Transaction
from stormwatch.models import NONE
from stormwatch.parsing.fields import Id, Time, check_time, from_ms
from stormwatch.parsing.rejections import refuse
from stormwatch.records import LABELLED, Learned, Reason
from stormwatch.state.judge import UNSCORED, Verdict

KIND = "label"
OUTCOME = "labelled"
FEATURE_SET = "label-1"
"""Of a label's row among the decisions: it has no features."""
_WORDS = {
    FRAUD: "is fraud, as was confirmed",
    CHARGEBACK: "was charged back",
    CLEARED: "is genuine, as was confirmed",
}


class Wire(msgspec.Struct, gc=False):
    """The record's fields."""

    type: str
    id: Id
    customer: Id
    terminal: Id
    payment: Id
    payment_time: Time
    amount: Annotated[int, Meta(ge=1, le=10**17)]
    currency: str
    label: Literal["fraud", "chargeback", "cleared"]
    time: Time


decode = msgspec.json.Decoder(Wire).decode
_encode = msgspec.json.Encoder().encode


def label_of(wire: Wire, time: int) -> Label:
    """What the record says; `time` is when it arrived, ms. Raises Refused."""
    made = _payment_time(wire.payment_time)
    if made > time:
        why = "is after `time`: nothing is known of a payment before it is made"
        raise refuse("out_of_range", "payment_time", why, wire.payment_time.isoformat())
    return Label(wire.payment, made, wire.label)


def _payment_time(time: datetime) -> int:
    return check_time(time, b"", -1, 0, "payment_time")


def to_wire(event: Transaction, label: Label) -> bytes:
    """The record value that `parse` reads back to the same event."""
    return _encode(
        Wire(
            KIND, event.id, event.customer, event.terminal, label.payment,
            from_ms(label.payment_time), event.amount, event.currency,
            label.kind,  # type: ignore[arg-type]
            from_ms(event.time, event.utc_offset),
        )
    )  # fmt: skip


def verdict(label: Label, rules_version: str) -> Verdict:
    """What is stored of a label: which payment, and what became known of it."""
    made = from_ms(label.payment_time).isoformat(timespec="seconds")
    text = f"payment {label.payment} of {made} {_WORDS[label.kind]}"
    reasons = (Reason(label.kind, text),)
    by = (FEATURE_SET, NONE, rules_version)
    learned = Learned(label.payment, label.payment_time, label.kind != CLEARED)
    return Verdict(OUTCOME, UNSCORED, reasons, noted=LABELLED, by=by, learned=learned)
