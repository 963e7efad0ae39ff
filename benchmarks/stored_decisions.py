"""Decisions as bolts write them, for benchmarks of what reads them: many at once, and a stream.

    python benchmarks/stored_decisions.py KEYSPACE RATE

writes RATE a second whenever its standard input says `on`, until `off`, and then prints how long a
write of each batch took, ms, from when it was due.
"""

import json
import random
import select
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.archive import Archive
from stormwatch.domains.fraud import Fraud
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.partitioner import stripe_of
from stormwatch.records import (
    Decision,
    DecisionRow,
    Fragment,
    LedgerRow,
    Outcomes,
    Reason,
    StateRow,
)
from stormwatch.settings import Settings, load
from stormwatch.state.envelope import Envelope
from stormwatch.state.write_timestamps import outcome_stamp

ROOT = Path(__file__).parents[1]
TOPIC, PARTITIONS, BATCH, CUSTOMERS = "transactions", 4, 1_000, 20_000
RATE = 2_000
"""Records a second that the stored ones came with."""
SMALL = 100
"""Records of a batch of the stream."""
MODEL = "m-2026"
_NAMES = 30  # features of a decision
_FILLED = "filled"
"""In place of a topology: how far a keyspace is filled."""


def outcomes(
    settings: Settings, first: int, count: int, begin: int, chance: random.Random
) -> Outcomes:
    """A batch: record `first + i` came `i / RATE` s after `begin`; one of 200 is an alert."""
    rows = []
    partition = first // BATCH % PARTITIONS
    for i in range(first, first + count):
        at, name = begin + (i - first) * 1000 // RATE, f"C{chance.randrange(CUSTOMERS):07}"
        alert = i % 200 == 0
        reasons = (Reason("large_at_night", "at night", 0.4),) if alert else ()
        body = Decision(
            f"t{i}", name, at, "decline" if alert else "approve", chance.random(), reasons,
            tuple(round(chance.random(), 4) for _ in range(_NAMES)), "fraud-2", MODEL, "r1", TOPIC,
            partition, i, at,
        )  # fmt: skip
        rows.append(DecisionRow(
            stripe_of(name, settings.layout_stripes), name, at, body.id, body.outcome, body.score,
            msgspec.json.encode(body), at, alert,
        ))  # fmt: skip
    f = Fragment(TOPIC, partition, 1, first, first + count - 1, 1, 0)
    ledger = LedgerRow(f, "score:a.1", {"scored": bitmap_of(range(count), 0)}, 9)
    return Outcomes(f, "fraud", outcome_stamp(f), rows, [], [], ledger, [], [])


def fill(settings: Settings, store: Archive, records: int, seconds: float = 1e9) -> int:
    """Write so many, the newest of now, for at most so long; how many there are. What an earlier
    call wrote is not written again."""
    made, begin = 0, now_ms() - records * 1000 // RATE
    for body in store.meters(_FILLED).values():
        made, begin = json.loads(body)
    until, chance = time.monotonic() + seconds, random.Random(made)
    if not made:
        fresh = Fraud().new_state()
        names = [f"C{i:07}" for i in range(CUSTOMERS)]
        for first in range(0, CUSTOMERS, BATCH):
            store.write_states("fraud", [
                StateRow(
                    stripe_of(name, settings.layout_stripes), name,
                    msgspec.msgpack.encode(Envelope(1, 1, [], now_ms(), b"", fresh)), 1,
                )
                for name in names[first : first + BATCH]
            ])  # fmt: skip
    while made < records and time.monotonic() < until:
        at = begin + made * 1000 // RATE
        store.write_outcomes(outcomes(settings, made, BATCH, at, chance))
        made += BATCH
        store.write_meter(_FILLED, "fill", "0", json.dumps([made, begin]).encode())
    return made


def stream(settings: Settings, store: Archive, rate: int) -> None:
    """See the module; ends with its standard input."""
    made, chance = 1 << 30, random.Random(2)
    while sys.stdin.readline().strip() == "on":
        took: list[float] = []
        due = time.monotonic()
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            if time.monotonic() < due:
                continue
            store.write_outcomes(outcomes(settings, made, SMALL, now_ms() - 50, chance))
            took.append((time.monotonic() - due) * 1000)
            made += BATCH  # of one partition after another
            due += SMALL / rate
        print(json.dumps(took), flush=True)
        sys.stdin.readline()  # off


if __name__ == "__main__":
    chosen = replace(load(root=ROOT), cassandra_keyspace=sys.argv[1])
    opened = cassandra.connect(chosen)
    try:
        stream(chosen, opened, int(sys.argv[2]))
    finally:
        opened.close()
