"""Reads the corpus of bad and odd records."""

import re
from pathlib import Path
from typing import NamedTuple

TIME = 1_795_252_530_000
"""Kafka's time of every record: 2026-11-21T09:15:30Z."""

_PART = re.compile(r"\(([0-9a-f]*)\)\*(\d+)|([0-9a-f]+)")


class Case(NamedTuple):
    number: int
    topic: str
    verdict: str  # "R code", "A" or "N"
    value: bytes | None
    note: str


def cases(topic: str) -> list[Case]:
    """The cases of a topic, in the file's order."""
    lines = Path(__file__).with_name("bad_records.tsv").read_text().splitlines()
    fields = [line.split("\t") for line in lines if not line.startswith("#")]
    return [
        Case(int(number), topic, verdict, _value(data), note)
        for number, where, verdict, data, note in fields
        if where in (topic, "any")
    ]


def _value(data: str) -> bytes | None:
    if data == "-":
        return None
    return b"".join(
        bytes.fromhex(repeated) * int(times) + bytes.fromhex(plain)
        for repeated, times, plain in ((a, b or 0, c) for a, b, c in _PART.findall(data))
    )
