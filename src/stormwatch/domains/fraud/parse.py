"""Topics of transactions and labels: record values to events and back.

The formats: schema/transactions.md, schema/labels.md.
"""

import unicodedata
from datetime import UTC
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from stormwatch.dead_letters import card_numbers
from stormwatch.domains.fraud import labels
from stormwatch.domains.fraud.event import (
    AUTHORISATIONS,
    KINDS,
    PURCHASE,
    Details,
    Place,
    Transaction,
)
from stormwatch.domains.fraud.iso import COUNTRIES, CURRENCIES, WITHDRAWN
from stormwatch.domains.fraud.money import LIMITS, digits, money
from stormwatch.parsing.fields import (
    SOME_TIME,
    Id,
    Time,
    check_ids,
    check_ms,
    check_time,
    from_ms,
    utc_offset,
)
from stormwatch.parsing.mapping import Target, values
from stormwatch.parsing.rejections import UNPARSABLE, check_kind, check_rest, explain, refuse
from stormwatch.records import Rejection

KIND = "transaction"
_MERCHANT_MAX = 200


class _Wire(msgspec.Struct, omit_defaults=True, gc=False):
    id: Id
    customer: Id
    terminal: Id
    time: Time
    amount: Annotated[int, Meta(ge=1, le=10**17)]
    currency: str
    merchant: Annotated[str, Meta(max_length=_MERCHANT_MAX)] | None = None
    country: str | None = None
    type: str | None = None


class _Peek(msgspec.Struct, gc=False):
    type: str | None = None


_Text = Annotated[str, Meta(max_length=64)]
_Hash = Annotated[str, Meta(max_length=128)]
_Latitude = Annotated[float, Meta(ge=-90, le=90)]
_Longitude = Annotated[float, Meta(ge=-180, le=180)]


class _Rest(msgspec.Struct, omit_defaults=True, gc=False):
    """What few records have; "" is as good as absent."""

    kind: str | None = None
    original: _Text | None = None
    card: _Hash | None = None
    category: _Text | None = None
    channel: _Text | None = None
    entry: _Text | None = None
    authorisation: str | None = None
    latitude: _Latitude | None = None
    longitude: _Longitude | None = None
    customer_latitude: _Latitude | None = None
    customer_longitude: _Longitude | None = None
    device: _Hash | None = None
    network: _Hash | None = None
    counterparty: _Text | None = None
    learn_only: bool | None = None


_TEXTS = (
    "original", "card", "category", "channel", "entry", "device", "network", "counterparty",
)  # fmt: skip
_PLACES = ("", "customer_")
_LIKE_A_CARD = 10**12
"""From here on an amount has the digits of a card number: 6,400 EUR in rials."""
_QUOTES = 34  # of nine names and eight texts, `amount` has none; an optional field absent: - 4
_decode = msgspec.json.Decoder(_Wire).decode
_decode_rest = msgspec.json.Decoder(_Rest).decode
_peek = msgspec.json.Decoder(_Peek).decode
_encode = msgspec.json.Encoder().encode


def parse(value: bytes, timestamp: int, *, future_skew_ms: int) -> Transaction | Rejection:
    """Decode and validate one record value; `timestamp` is Kafka's, ms. Never raises on data."""
    try:
        wire = _decode(value)
        if wire.type == labels.KIND:
            return _label(value, timestamp, future_skew_ms)
        rest = _rest(wire, value)
        return _event(wire, rest, value, value, timestamp, future_skew_ms)
    except UNPARSABLE as error:
        return _explained(value, error, timestamp, future_skew_ms)


def _explained(
    value: bytes, error: Exception, timestamp: int, future_skew_ms: int
) -> Transaction | Rejection:
    """Why the record is no transaction, or no label where it says that it is one."""
    try:
        is_label = _peek(value).type == labels.KIND
    except UNPARSABLE:
        is_label = False
    if not is_label:
        return explain(value, error, KIND)
    try:
        return _label(value, timestamp, future_skew_ms)
    except UNPARSABLE as better:
        return explain(value, better, labels.KIND)


def _label(value: bytes, timestamp: int, future_skew_ms: int) -> Transaction:
    """Raises what `explain` takes."""
    wire = labels.decode(value)
    check_rest(value)
    if card_numbers.holds_card(value):
        _check_card(wire, value)
    check_ids(id=wire.id, customer=wire.customer, terminal=wire.terminal, payment=wire.payment)
    time = check_time(wire.time, value, timestamp, future_skew_ms)
    label = labels.label_of(wire, time)
    _check_amount(wire.amount, wire.currency, label.payment_time)
    return Transaction(
        wire.id, wire.customer, wire.terminal, time, wire.amount, wire.currency,
        utc_offset=utc_offset(wire.time), label=label,
    )  # fmt: skip


def of_mapping(
    found: dict[str, Any], value: bytes, timestamp: int, future_skew_ms: int
) -> Transaction:
    """The event of fields that a mapping found in a record. Raises what `explain` takes."""
    timed: bytes | int = b""
    if (time := found["time"]).__class__ is int:
        timed, found["time"] = time, SOME_TIME
    wire = msgspec.convert(found, _Wire)
    rest = None if _RARE.isdisjoint(found) else msgspec.convert(found, _Rest)
    return _event(wire, rest, value, timed, timestamp, future_skew_ms)


def _rest(wire: _Wire, value: bytes) -> _Rest | None:
    """The fields that few records have; None where there is no key but the usual ones."""
    if wire.type is not None:
        check_kind(wire.type, KIND)
    absent = (wire.merchant is None) + (wire.country is None) + (wire.type is None)
    # A key that is unknown or there twice adds quotes, and nothing takes any away.
    if value.count(b'"') == _QUOTES - 4 * absent:
        return None
    check_rest(value)
    if card_numbers.holds_card(value):  # before types: one may stand there as a number
        _check_card(wire, value)
    return _decode_rest(value)


def _check_card(wire: _Wire | labels.Wire, value: bytes) -> None:
    """Raises Refused, but where it is the amount alone that looks like a card number."""
    rest = value.replace(str(wire.amount).encode(), b"0", 1)
    if wire.amount < _LIKE_A_CARD or card_numbers.holds_card(rest):
        raise refuse("card_number", _card_field(wire), "holds a card number in clear", value)


def _event(
    wire: _Wire,
    rest: _Rest | None,
    value: bytes,
    timed: bytes | int,
    timestamp: int,
    future_skew_ms: int,
) -> Transaction:
    """`timed` is the JSON that `wire.time` was read from; nothing, where it is exact already; or
    the time itself, ms, and `wire.time` means nothing."""
    merchant, country = wire.merchant or "", wire.country or ""
    if card_numbers.holds_card(value):
        _check_card(wire, value)
    ids = f"{wire.id}{wire.customer}{wire.terminal}"
    if " " in ids or not ids.isprintable():
        check_ids(id=wire.id, customer=wire.customer, terminal=wire.terminal)
    if isinstance(timed, int):
        time, offset = check_ms(timed, timestamp, future_skew_ms), 0
    else:
        time = check_time(wire.time, timed, timestamp, future_skew_ms)
        offset = 0 if wire.time.tzinfo is UTC else utc_offset(wire.time)
    _check_amount(wire.amount, wire.currency, time)
    if country and country not in COUNTRIES:
        why = "is not an ISO 3166 alpha-2 code, in capitals"
        raise refuse("unknown_country", "country", why, country)
    if not (merchant.isascii() and merchant.isprintable()):
        merchant = _normalised(merchant)
    if rest is None:
        return Transaction(
            wire.id, wire.customer, wire.terminal, time, wire.amount, wire.currency, merchant,
            country, offset,
        )  # fmt: skip
    return Transaction(
        wire.id, wire.customer, wire.terminal, time, wire.amount, wire.currency, merchant, country,
        offset, _details(rest), bool(rest.learn_only),
    )  # fmt: skip


def _check_amount(amount: int, currency: str, time: int) -> None:
    """Raises Refused for an amount or money that no payment of that time can have."""
    if currency not in CURRENCIES:
        _check_withdrawn(currency, time)
    if amount > LIMITS[currency]:
        most = LIMITS[currency]
        why = f"is more than {most} ({money(most, currency)}), the most that one payment is"
        raise refuse("out_of_range", "amount", why, str(amount))


def _details(rest: _Rest) -> Details | None:
    """None where nothing is said. Raises Refused."""
    texts = {name: text for name in _TEXTS if (text := getattr(rest, name))}
    check_ids(**texts)
    kind, authorisation = rest.kind or PURCHASE, rest.authorisation or ""
    if kind not in KINDS:
        raise refuse("out_of_range", "kind", f"is none of {', '.join(KINDS)}", kind)
    if authorisation and authorisation not in AUTHORISATIONS:
        why = f"is none of {', '.join(AUTHORISATIONS)}"
        raise refuse("out_of_range", "authorisation", why, authorisation)
    place, customer_place = (_place(rest, whose) for whose in _PLACES)
    found = Details(
        kind=kind, authorisation=authorisation, place=place, customer_place=customer_place, **texts
    )
    return None if found == _NOTHING else found


def _place(rest: _Rest, whose: str) -> Place | None:
    names = (f"{whose}latitude", f"{whose}longitude")
    latitude, longitude = (getattr(rest, name) for name in names)
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        missing, there = names if latitude is None else reversed(names)
        raise refuse("missing_field", missing, f"is missing, {there} is there", "")
    return None if latitude == longitude == 0 else (latitude, longitude)


_NOTHING = Details()
_NOWHERE = (None, None)
_RARE = frozenset(_Rest.__struct_fields__)


TARGET = Target(
    "transactions",
    required=("id", "customer", "terminal", "time", "amount", "currency"),
    optional=("merchant", "country", *_Rest.__struct_fields__[:-1]),
    entity="customer",
    make=of_mapping,
    exponent=digits,
    readers=dict.fromkeys(
        ("latitude", "longitude", "customer_latitude", "customer_longitude"), values.number
    ),
)
"""What a mapping has to find in a record."""


def to_wire(event: Transaction) -> bytes:
    """The record value that `parse` reads back to the same event."""
    if event.label is not None:
        return labels.to_wire(event, event.label)
    merchant, country = event.merchant or None, event.country or None
    value = _encode(
        _Wire(event.id, event.customer, event.terminal, from_ms(event.time, event.utc_offset),
              event.amount, event.currency, merchant, country)
    )  # fmt: skip
    if event.more is None and not event.learn_only:
        return value
    more = event.more or _NOTHING
    texts = {name: getattr(more, name) or None for name in ("kind", "authorisation", *_TEXTS)}
    (latitude, longitude), home = more.place or _NOWHERE, more.customer_place or _NOWHERE
    rest = _Rest(
        latitude=latitude, longitude=longitude, customer_latitude=home[0],
        customer_longitude=home[1], learn_only=event.learn_only or None, **texts,
    )  # fmt: skip
    return value[:-1] + b"," + _encode(rest)[1:]


def _normalised(merchant: str) -> str:
    """The name in NFC, so that one shop has one spelling. Only control characters are refused."""
    text = unicodedata.normalize("NFC", merchant)
    if any(unicodedata.category(c) == "Cc" for c in text):
        raise refuse("bad_text", "merchant", "has control characters", text)
    if len(text) > _MERCHANT_MAX:
        why = f"is longer than {_MERCHANT_MAX} characters once normalised (NFC)"
        raise refuse("out_of_range", "merchant", why, text)
    return text


def _check_withdrawn(currency: str, time: int) -> None:
    """Raises Refused but for money that could still be paid with at that time."""
    end = WITHDRAWN.get(currency)
    if end is None:
        why = "is not an ISO 4217 code of money in use, in capitals"
    elif time < end:
        return
    else:
        last = from_ms(end - 86_400_000).date()
        why = f"was money until {last} only, before the time of the payment, {from_ms(time).date()}"
    raise refuse("unknown_currency", "currency", why, currency)


def _card_field(wire: _Wire | labels.Wire) -> str:
    """The field that holds the card number, or none: then it stands in an unknown one."""
    names = ("id", "customer", "terminal", "merchant", "payment")
    texts = ((name, getattr(wire, name, None)) for name in names)
    return next(
        (name for name, text in texts if text and card_numbers.holds_card(text.encode())), ""
    )
