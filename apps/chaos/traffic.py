"""Transactions as they come: mostly good ones, some sent twice, changed, late or broken."""

from collections.abc import Iterator

import msgspec

from apps.generate.transactions import Transactions

KeyValue = tuple[bytes, bytes | None]
Good = tuple[bytes, bytes]

BROKEN = (b"", b"{", None, b'{"id":"x"}', b"\xff\xfe", b'{"amount":NaN}')


def mixed(count: int, seed: int = 1, run: str = "a", customers: int = 500) -> Iterator[KeyValue]:
    """`count` records, always the same ones for the same arguments."""
    generated = iter(Transactions(seed, run=run, customers=customers))
    recent: list[Good] = []
    for i in range(count):
        again = recent[-40 * (i % 5) - 1] if len(recent) > 200 else None
        if again is None or i % 10:
            key, value, _ = next(generated)
            recent = [*recent[-200:], (key, value)] if i % 4 == 0 else recent
            yield key, value
        else:
            yield again[0], _spoilt(i // 10, again[1])


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
