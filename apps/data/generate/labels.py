"""Labels of generated payments: each fraud is told of LABEL_DELAY later. See schema/labels.md.

What is still to be told when the events end is never told, as where an installation is new.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from apps.data.generate.transactions import LABEL_DELAY, Generated
from apps.data.publish import Beside, Event, Keyed


class _Payment(msgspec.Struct):
    """What a label repeats of it."""

    id: str
    customer: str
    terminal: str
    time: datetime
    amount: int
    currency: str


class _Label(msgspec.Struct):
    type: str
    id: str
    customer: str
    terminal: str
    payment: str
    payment_time: datetime
    amount: int
    currency: str
    label: str
    time: datetime


def label_of(event: Keyed, delay: int = LABEL_DELAY) -> Event | None:
    """The record of the labels' topic that tells of it `delay` ms later; None of a genuine one, or
    no payment."""
    if not isinstance(event, Generated) or not event.label:
        return None
    payment = msgspec.json.decode(event.value, type=_Payment)
    told = _Label(
        "label", f"{payment.id}-told", payment.customer, payment.terminal, payment.id,
        payment.time, payment.amount, payment.currency, "fraud",
        payment.time + timedelta(milliseconds=delay),
    )  # fmt: skip
    return Event(event.key, msgspec.json.encode(told))


_payment = msgspec.json.Decoder(_Payment).decode


def with_labels(events: Iterable[Keyed], topic: str, delay: int = LABEL_DELAY) -> Iterator[Keyed]:
    """Payments in order of event time, and before each the labels that arrived until then, `delay`
    ms after their payments, in order, for a `topic` of their own."""
    waiting: deque[tuple[datetime, Beside]] = deque()
    for event in events:
        time = _payment(event.value).time
        while waiting and waiting[0][0] <= time:
            yield waiting.popleft()[1]
        label = label_of(event, delay)
        if label is not None:
            waiting.append(
                (time + timedelta(milliseconds=delay), Beside(label.key, label.value, topic))
            )
        yield event
