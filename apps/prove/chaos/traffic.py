"""Transactions as they come: mostly good ones, some sent twice, changed, late or broken."""

from collections.abc import Iterator

import msgspec

from apps.data.generate.transactions import DAY, START, Transactions

KeyValue = tuple[bytes, bytes | None]
Good = tuple[bytes, bytes]

A_DAY = 1000
"""Records of a day of event time, with 500 customers."""
_TEMPLATE = {
    "terminal": "T1", "time": "2010-01-02T00:00:00Z", "amount": 100, "currency": "EUR",
}  # fmt: skip
POISON = b"C-poison"
"""How the customers begin on whom the poisoned domain raises."""
_LARGE = 100_000
BROKEN = (b"", b"{", None, b'{"id":"x"}', b"\xff\xfe", b'{"amount":NaN}')


def mixed(
    count: int, seed: int = 1, run: str = "a", customers: int = 500, day: int = 0
) -> Iterator[KeyValue]:
    """`count` records from that day on, always the same ones for the same arguments."""
    generated = iter(Transactions(seed, run=run, customers=customers, start=START + day * DAY))
    recent: list[Good] = []
    for i in range(count):
        again = recent[-40 * (i % 5) - 1] if len(recent) > 200 else None
        if again is None or i % 10:
            key, value, _ = next(generated)
            recent = [*recent[-200:], (key, value)] if i % 4 == 0 else recent
            yield key, value
        else:
            yield again[0], _spoilt(i // 10, again[1])


def poisoned(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Mixed traffic; one record in 500 is of a customer on whom the poisoned domain raises."""
    for i, (key, value) in enumerate(mixed(count, seed)):
        if i % 500 == 250:
            name = f"{POISON.decode()}-{i % 3}"
            event = {**_TEMPLATE, "id": f"poison-{i}", "customer": name}
            yield name.encode(), msgspec.json.encode(event)
        else:
            yield key, value


def oversized(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Mixed traffic; one record in 1,000 of 1 MiB or 100,000 fields, two of 10 MiB."""
    for i, (key, value) in enumerate(mixed(count, seed)):
        if i in {count // 3 + 1, count // 2 + 1}:
            yield key, b'{"id":"' + b"x" * (10 << 20) + b'"}'
        elif i % 1000 == 500:
            large = msgspec.json.encode({f"f{n}": n for n in range(100_000)})
            yield key, large if i % 2000 == 500 else b'{"id":"' + b"x" * (1 << 20) + b'"}'
        else:
            yield key, value


def hot(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Half of the records are of one customer."""
    one = iter(Transactions(seed + 1, run="hot", customers=1))
    for i, record in enumerate(mixed(count, seed)):
        if i % 2:
            key, value, _ = next(one)
            yield key, value
        else:
            yield record


def motley(count: int, seed: int = 1) -> Iterator[KeyValue]:
    """Half of one customer, and between the others what `poisoned` and `oversized` have."""
    for half, poison, large in zip(
        hot(count, seed), poisoned(count, seed), oversized(count, seed), strict=True
    ):
        if len(large[1] or b"") > _LARGE:
            yield large
        else:
            yield poison if poison[0].startswith(POISON) else half


def _spoilt(turn: int, value: bytes) -> bytes | None:
    match turn % 4:
        case 0:
            return value
        case 1:
            return BROKEN[turn // 4 % len(BROKEN)]
        case 2:
            event = msgspec.json.decode(value)
            return msgspec.json.encode(event | {"amount": event["amount"] + 1})
        case _:
            event = msgspec.json.decode(value)
            early = "2001-01-01T00:00:00Z"
            return msgspec.json.encode(event | {"id": f"late-{turn}", "time": early})
