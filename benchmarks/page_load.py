"""The API and the page over many stored decisions: what a question, a reader of the stream and the
server itself cost.

    PYTHONPATH=.:src python benchmarks/page_load.py [--records 1000000] [--clients 1000]

against the Cassandra of the settings (`./stormwatch up`, or STORMWATCH_CASSANDRA_PORT), in a
keyspace of its own, dropped at the end; Kafka is in memory. The server is a process of its own.
Questions take turns with `/healthz`, which asks nothing: the ratio to it is what another machine
has too. Latency is of one asker, from the first byte sent to the last byte received.
"""

import argparse
import json
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from apps.serve.front import HERE
from apps.serve.server import Outside, serving
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySink, MemorySource
from stormwatch.adapters.storm.resources import now_ms
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
MODEL = "m-2026"


class Told(NamedTuple):
    """Of one question, ms."""

    p50: float
    p95: float


def fill(settings: Settings, store: cassandra.CassandraStore, records: int, seconds: float) -> int:
    """Decisions as bolts write them, the newest of now, for at most so long; how many."""
    made, until, chance = 0, time.monotonic() + seconds, random.Random(1)
    begin = now_ms() - records * 1000 // RATE
    newest: dict[str, int] = {}
    while made < records and time.monotonic() < until:
        rows = []
        for i in range(made, made + BATCH):
            at, name = begin + i * 1000 // RATE, f"C{chance.randrange(CUSTOMERS):07}"
            alert = i % 200 == 0
            reasons = (Reason("large_at_night", "at night", 0.4),) if alert else ()
            body = Decision(
                f"t{i}", name, at, "decline" if alert else "approve", chance.random(), reasons,
                tuple(round(chance.random(), 4) for _ in range(30)), "fraud-2", MODEL, "r1", TOPIC,
                i // BATCH % PARTITIONS, i, at,
            )  # fmt: skip
            rows.append(DecisionRow(
                stripe_of(name, settings.layout_stripes), name, at, body.id, body.outcome,
                body.score, msgspec.json.encode(body), at, alert,
            ))  # fmt: skip
            newest[name] = at
        f = Fragment(TOPIC, made // BATCH % PARTITIONS, 1, made, made + BATCH - 1, 1, 0)
        ledger = LedgerRow(f, "score:a.1", {"scored": bitmap_of(range(BATCH), 0)}, 9)
        store.write_outcomes(Outcomes(f, "fraud", outcome_stamp(f), rows, [], [], ledger, [], []))
        made += BATCH
    names = list(newest)
    for first in range(0, len(names), BATCH):
        store.write_states("fraud", [
            StateRow(stripe_of(name, settings.layout_stripes), name,
                     msgspec.msgpack.encode(Envelope(1, 1, [], newest[name], b"", [])), 1)
            for name in names[first : first + BATCH]
        ])  # fmt: skip
    return made


def serve(settings: Settings) -> None:
    """The server alone, until its standard input ends."""
    broker = MemoryBroker()
    admin = MemoryAdmin(broker)
    admin.ensure_topic(TOPIC, PARTITIONS, {})
    connect.use(connect.Doubles(
        lambda s, topic: MemorySource(broker, topic, s.kafka_group), lambda: MemorySink(broker),
        lambda: admin, lambda: cassandra.connect(settings),
    ))  # fmt: skip
    listening = HERE.listen(0)
    with (
        closing(cassandra.connect(settings)) as store,
        serving(ROOT, Outside(settings, admin, store), listening),
    ):
        print(listening.getsockname()[1], flush=True)
        sys.stdin.read()


@contextmanager
def server(settings: Settings) -> Iterator[tuple[int, int]]:
    """(pid, port) of a server in a process of its own."""
    made = subprocess.Popen(
        [sys.executable, __file__, "--serve", settings.cassandra_keyspace],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert made.stdin and made.stdout
    try:
        yield made.pid, int(made.stdout.readline())
    finally:
        made.stdin.close()
        made.wait(20)


def questions() -> dict[str, str]:
    """Each list that can be asked for: a word for it, and its path."""
    since = now_ms() - 3_600_000
    some: dict[str, tuple[str, dict[str, object]]] = {
        "alerts": ("alerts", {}),
        "alerts of a rule": ("alerts", {"rule": "large_at_night"}),
        "alerts of no rule": ("alerts", {"rule": "none"}),
        "decisions of one": ("decisions", {"entity": "C0000017"}),
        "decided": ("decided", {}),
        "decided, declines": ("decided", {"outcome": "decline"}),
        "decided, 500": ("decided", {"limit": 500}),
        "decided, none fits": ("decided", {"model": "other", "since": since}),
        "set aside": ("set-aside", {}),
        "dead letters": ("letters", {}),
        "one entity": ("entity", {"entity": "C0000017"}),
        "curves": ("curves", {}),
    }
    return {
        word: f"/v1/{path}?{urlencode({'domain': 'fraud', **asked})}"
        for word, (path, asked) in some.items()
    }


def ask_all(port: int, rounds: int) -> dict[str, Told]:
    """Quantiles of each, in turns."""
    paths = {"(nothing)": "/healthz", "now": "/v1/now", **questions()}
    took: dict[str, list[float]] = {word: [] for word in paths}
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as link:
        for _ in range(rounds):
            for word, path in paths.items():
                began = time.perf_counter()
                link.request("GET", path)
                answer = link.getresponse()
                body = answer.read()
                took[word].append((time.perf_counter() - began) * 1000)
                if answer.status == 429:
                    time.sleep(0.5)
                assert answer.status in (200, 404), (path, body[:300])
                time.sleep(0.012)  # an asker has 100 requests a second
    return {
        word: Told(statistics.median(ms), statistics.quantiles(ms, n=20)[-1])
        for word, ms in took.items()
    }


def resident_mb(pid: int) -> float:
    """Of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def readers(port: int, pid: int, count: int) -> tuple[float, float]:
    """(kB of the server a reader of the stream, ms until all had their first state); every tenth
    never reads."""
    before, began = resident_mb(pid), time.monotonic()
    some = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        some.append(one)
        if len(some) % 50 == 0:
            time.sleep(0.1)
    for i, one in enumerate(some):
        if i % 10:
            one.settimeout(60)
            assert one.recv(65_536).startswith(b"HTTP/1.1 200"), "a reader was refused"
    took = (time.monotonic() - began) * 1000
    time.sleep(3)
    after = resident_mb(pid)
    for one in some:
        one.close()
    return (after - before) * 1000 / count, took


def weight_kb(port: int) -> float:
    """Bytes of the page, its scripts and styles."""
    total = 0
    page = ROOT / "apps" / "serve" / "page"
    for path in ["/", *(f"/{p.relative_to(page)}" for p in page.rglob("*") if p.is_file())]:
        if path.endswith((".txt", "index.html")):
            continue
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as link:
            link.request("GET", path)
            total += len(link.getresponse().read())
    return total / 1000


def main() -> None:
    """Measure, and print a table; `--json` for programs."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--records", type=int, default=1_000_000)
    given.add_argument("--fill-seconds", type=float, default=1e9)
    given.add_argument("--rounds", type=int, default=60)
    given.add_argument("--clients", type=int, default=1_000)
    given.add_argument("--json", action="store_true")
    given.add_argument("--serve", default="", help=argparse.SUPPRESS)
    options = given.parse_args()
    if options.serve:
        serve(replace(load(root=ROOT), cassandra_keyspace=options.serve))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, options.clients + 500)), hard))
    settings = replace(load(root=ROOT), cassandra_keyspace=f"load_{uuid.uuid4().hex[:8]}")
    cassandra.apply(settings, ROOT / "schema" / "cql")
    store = cassandra.connect(settings)
    try:
        stored = fill(settings, store, options.records, options.fill_seconds)
        with server(settings) as (pid, port):
            time.sleep(8)
            idle = resident_mb(pid)
            ask_all(port, 3)
            told = ask_all(port, options.rounds)
            asked = resident_mb(pid)
            kb, took = readers(port, pid, options.clients)
            weight = weight_kb(port)
    finally:
        store._session.execute(f"DROP KEYSPACE {settings.cassandra_keyspace}", timeout=60)
        store.close()
    if options.json:
        print(json.dumps({
            "stored": stored, "idle_mb": idle, "asked_mb": asked, "kb_a_reader": kb,
            "ms_of_all_readers": took, "page_kb": weight,
            "ms": {word: one._asdict() for word, one in told.items()},
        }))  # fmt: skip
        return
    nothing = told["(nothing)"]
    print(f"{stored:,} decisions stored. The server has {idle:.0f} MB idle, {asked:.0f} MB asked.")
    print(
        f"{options.clients:,} readers of the stream, a tenth of whom never read: {kb:.0f} kB each,"
    )
    print(f"all with the state after {took:,.0f} ms. The page weighs {weight:.0f} kB.")
    print(f"{'ms':<22}{'p50':>8}{'p95':>8}{'p95 / nothing':>15}")
    for word, one in told.items():
        print(f"{word:<22}{one.p50:>8.1f}{one.p95:>8.1f}{one.p95 / nothing.p95:>15.1f}")


if __name__ == "__main__":
    main()
