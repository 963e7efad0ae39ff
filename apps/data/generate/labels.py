"""Labels of generated payments: each fraud is told of LABEL_DELAY later. See schema/labels.md."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from apps.data.generate.transactions import LABEL_DELAY, Generated
from apps.data.publish import Event

_DELAY = timedelta(milliseconds=LABEL_DELAY)


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


def label_of(event: Generated) -> Event | None:
    """The record of the labels' topic that tells of it; None of a genuine one."""
    if not event.label:
        return None
    payment = msgspec.json.decode(event.value, type=_Payment)
    told = _Label(
        "label", f"{payment.id}-told", payment.customer, payment.terminal, payment.id,
        payment.time, payment.amount, payment.currency, "fraud",
        payment.time + _DELAY,
    )  # fmt: skip
    return Event(event.key, msgspec.json.encode(told))


class Delayed:
    """Labels of the payments that are told, given out when event time has come to them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[datetime, Event]] = deque()

    def after(self, event: Generated) -> Iterator[Event]:
        """The labels that arrived until this payment, in order."""
        time = msgspec.json.decode(event.value, type=_Payment).time
        while self._waiting and self._waiting[0][0] <= time:
            yield self._waiting.popleft()[1]
        if (label := label_of(event)) is not None:
            self._waiting.append((time + _DELAY, label))
