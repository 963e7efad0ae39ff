"""A card transaction, as it travels between components. Wire format: schema/transactions.md."""

from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

PURCHASE = "purchase"
REVERSAL = "reversal"
TAKING_BACK = ("refund", REVERSAL)
KINDS = (PURCHASE, *TAKING_BACK, "withdrawal", "transfer", "top_up")
AUTHORISATIONS = ("approved", "declined")

FRAUD, CHARGEBACK, CLEARED = "fraud", "chargeback", "cleared"
LABELS = (FRAUD, CHARGEBACK, CLEARED)

Place = tuple[float, float]
"""Latitude and longitude, degrees (WGS 84)."""


class Details(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What more is known of a payment than the fields that each has. Texts are "" where unknown."""

    kind: str = PURCHASE  # one of KINDS
    original: str = ""  # id of the payment that is taken back
    card: str = ""  # a token or hash, never the number
    category: str = ""  # of the merchant: an MCC (ISO 18245), or the source's own word
    channel: str = ""  # the source's own word: pos, online, atm …
    entry: str = ""  # how the card was read: chip, contactless, keyed …
    authorisation: str = ""  # one of AUTHORISATIONS
    place: Place | None = None  # of the terminal
    customer_place: Place | None = None  # where the customer lives, or is known to be
    device: str = ""  # a hash
    network: str = ""  # a hash of the address, or of its network
    counterparty: str = ""  # who gets a transfer


class Label(msgspec.Struct, frozen=True, array_like=True):
    """What became known of a payment after it was made. Wire format: schema/labels.md."""

    payment: str  # its id
    payment_time: int  # when it was made, ms since the epoch, UTC
    kind: str  # one of LABELS

    @property
    def is_fraud(self) -> bool:
        """Whether the payment was not its customer's doing, as a bank or the customer says."""
        return self.kind != CLEARED


class Transaction(msgspec.Struct, frozen=True, array_like=True):
    """One authorised or requested card payment; or, with `label`, what became known of one.

    Of a label `id` is its own, `time` is when it arrived; customer, terminal, amount and currency
    are those of the payment.
    """

    id: str
    customer: str  # also the record's Kafka key
    terminal: str
    time: int  # ms since the epoch, UTC
    amount: int  # minor units of `currency` (cents, yen), > 0
    currency: str  # ISO 4217, upper case
    merchant: str = ""  # free text, shown escaped
    country: str = ""  # ISO 3166 alpha-2 of the terminal, upper case
    utc_offset: int = 0  # minutes that the clock where `time` was written is ahead of UTC
    more: Annotated[Details | None, Meta(examples=[None])] = None
    learn_only: Annotated[bool, Meta(examples=[False])] = False
    """History: learned, and not judged."""
    label: Annotated[Label | None, Meta(examples=[None])] = None

    @property
    def entity(self) -> str:
        return self.customer

    @property
    def is_beside(self) -> bool:
        """A label comes by a topic of its own."""
        return self.label is not None

    @property
    def content(self) -> tuple[object, ...]:
        """What a repeat of it has in common with it: all but how the time was written and whether
        it is history."""
        told = (
            self.id, self.customer, self.terminal, self.time, self.amount, self.currency,
            self.merchant, self.country,
        )  # fmt: skip
        if self.label is not None:
            return (*told, self.label)
        return told if self.more is None else (*told, self.more)


def digest(payment: str) -> int:
    """Of a payment's id: 56 bits, to know it again by."""
    return int.from_bytes(blake2b(payment.encode(), digest_size=7).digest(), "little")
