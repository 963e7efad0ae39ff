"""The API and the page over many stored decisions: what a question, a reader of the stream and the
server itself cost, and what they cost whoever writes decisions meanwhile.

    ./stormwatch bench page_load --records 1000000 --clients 1000 --ingest 2000

against the Cassandra of the settings (`./stormwatch up`, or STORMWATCH_CASSANDRA_PORT), in a
keyspace of its own, dropped at the end unless `--keyspace` names one to keep; Kafka is in memory.
The server is a process of its own, and so is what writes. Questions take turns with `/healthz`,
which asks nothing, and seconds with writing take turns with seconds without: ratios are what
another machine has too. Latency is of one asker, from the first byte sent to the last received.
"""

import argparse
import json
import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from apps.operate.tokens import RATE
from apps.serve.front import HERE
from apps.serve.server import Outside, serving
from benchmarks.stored_decisions import PARTITIONS, TOPIC, fill
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.adapters.memory.kafka import MemoryAdmin, MemoryBroker, MemorySink, MemorySource
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.archive import Archive
from stormwatch.settings import Settings, load

ROOT = Path(__file__).parents[1]
BLOCKS = 3
"""Times that seconds with writing take turns with seconds without."""
WATCHED_S = 45.0
"""How long readers stay: longer than one that never reads is kept."""


class Told(NamedTuple):
    """Of one question, ms."""

    p50: float
    p95: float
    server: float  # processor time of its process, mean
    store: float  # of Cassandra's, where it is known


Took = list[tuple[float, float, float]]
"""Of each time that a question was asked: ms until the answer, of the server's and the store's
processor time."""
Pids = tuple[int, int]
"""Of the server and of Cassandra; 0 where it is not known."""


@contextmanager
def filled(settings: Settings, records: int, seconds: float, keep: bool) -> Iterator[int]:
    """A keyspace with decisions, dropped at the end; how many. Of memory the server's own."""
    if settings.cassandra_keyspace.isdigit():
        yield records
        return
    cassandra.apply(settings, ROOT / "schema" / "cql")
    store = cassandra.connect(settings)
    try:
        yield fill(settings, store, records, seconds)
    finally:
        if not keep:
            store._session.execute(f"DROP KEYSPACE {settings.cassandra_keyspace}", timeout=60)
        store.close()


def serve(settings: Settings) -> None:
    """The server alone, until its standard input ends."""
    broker, name = MemoryBroker(), settings.cassandra_keyspace
    admin = MemoryAdmin(broker)
    admin.ensure_topic(TOPIC, PARTITIONS, {})
    connect.use(connect.Doubles(
        lambda s, topic: MemorySource(broker, topic, s.kafka_group), lambda: MemorySink(broker),
        lambda: admin, lambda: store,
    ))  # fmt: skip
    listening = HERE.listen(0)
    store: Archive = MemoryStore() if name.isdigit() else cassandra.connect(settings)
    if name.isdigit():
        fill(settings, store, int(name), 1e9)
    with (
        closing(store),
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
        "all entities": ("fleet", {}),
        "curves": ("curves", {}),
        "versions": ("versions", {}),
        "lists of rules": ("lists", {}),
        "audit": ("audit", {}),
        "components": ("components", {}),
        "settings": ("settings", {}),
        "streams": ("streams", {}),
    }
    without = ("lists", "audit", "components", "settings", "streams")
    return {
        word: f"/v1/{path}"
        + ("" if path in without else f"?{urlencode({'domain': 'fraud', **asked})}")
        for word, (path, asked) in some.items()
    }


class Writing:
    """A process that writes decisions while it is told to."""

    def __init__(self, keyspace: str, rate: int) -> None:
        self._made = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "stored_decisions.py"), keyspace, str(rate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, word: str) -> None:
        assert self._made.stdin
        self._made.stdin.write(f"{word}\n")
        self._made.stdin.flush()

    def off(self) -> list[float]:
        """How long each batch took since `on`, ms."""
        assert self._made.stdout
        self.tell("off")
        took: list[float] = json.loads(self._made.stdout.readline())
        return took

    def end(self) -> None:
        assert self._made.stdin
        self._made.stdin.close()
        self._made.wait(20)


def quantiles(took: Took) -> Told:
    ms, server, store = zip(*took, strict=True)
    return Told(
        statistics.median(ms), statistics.quantiles(ms, n=20)[-1], statistics.mean(server),
        statistics.mean(store),
    )  # fmt: skip


def worked_ms(pid: int) -> float:
    """Processor time of a process so far."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat") if pid else ()
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


def ask_all(port: int, pids: Pids, rounds: int) -> dict[str, Took]:
    """How long each took, in turns."""
    paths = {"(nothing)": "/healthz", "now": "/v1/now", **questions()}
    took: dict[str, Took] = {word: [] for word in paths}
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as link:
        for _ in range(rounds):
            for word, path in paths.items():
                worked = [worked_ms(pid) for pid in pids]
                began = time.perf_counter()
                link.request("GET", path)
                answer = link.getresponse()
                body = answer.read()
                ms = (time.perf_counter() - began) * 1000
                server, store = (worked_ms(pid) for pid in pids)
                took[word].append((ms, server - worked[0], store - worked[1]))
                if answer.status == 429:
                    time.sleep(0.5)
                assert answer.status in (200, 404), (path, body[:300])
                time.sleep(0.01)  # an asker has 100 requests a second
    return took


def asked_by_turns(
    port: int, pids: Pids, rounds: int, writing: Writing | None, tell: Callable[..., None]
) -> None:
    """Tells after each turn of the questions without and with writing; and what a batch written
    took meanwhile, and while nobody asked."""
    quiet: dict[str, Took] = {}
    busy: dict[str, Took] = {}
    wrote: dict[str, list[float]] = {"beside questions": [], "alone": []}

    def asked(into: dict[str, Took]) -> dict[str, Told]:
        for word, took in ask_all(port, pids, max(rounds // BLOCKS, 2)).items():
            into.setdefault(word, []).extend(took)
        return {word: quantiles(took) for word, took in into.items()}

    for _ in range(BLOCKS):
        tell(quiet=asked(quiet))
        if writing is None:
            continue
        writing.tell("on")
        told = asked(busy)
        wrote["beside questions"] += writing.off()
        writing.tell("on")
        time.sleep(5)
        wrote["alone"] += writing.off()
        tell(busy=told, wrote={word: round(p99(ms) or 0) for word, ms in wrote.items()})


def resident_mb(pid: int) -> float:
    """Of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Crowd(NamedTuple):
    """What readers of the stream cost."""

    kb: float  # of the server, each
    ms: float  # until all had their first state
    unserved: int  # that had none
    refused: dict[str, int]  # by what the server said: "" where it closed at once
    dropped: int  # of those that never read
    with_ms: list[float]  # a batch written took
    without_ms: list[float]


def readers(port: int, pid: int, count: int, writing: Writing | None) -> Crowd:
    """Readers of the stream, every tenth of whom never reads, while decisions are written. They
    come as slowly as one asker may."""
    before, began = resident_mb(pid), time.monotonic()
    never, reading = [], selectors.DefaultSelector()
    for i in range(count):
        one = socket.socket()
        if i % 10 == 0:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            never.append(one)
        time.sleep(max(0.0, began + i / (RATE / 2) - time.monotonic()))
        one.connect(("127.0.0.1", port))
        one.sendall(f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        if i % 10:
            one.setblocking(False)
            reading.register(one, selectors.EVENT_READ)
    waiting, first, refused = attended(reading, writing)
    taken = writing.off() if writing else []
    without: list[float] = []
    after = resident_mb(pid)
    dropped = sum(gone(one) for one in never)
    for key in list(reading.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    for one in never:
        one.close()
    if writing:
        time.sleep(3)
        writing.tell("on")
        time.sleep(WATCHED_S / 2)
        without = writing.off()
    return Crowd((after - before) * 1000 / count, first, waiting, refused, dropped, taken, without)


def attended(
    reading: selectors.BaseSelector, writing: Writing | None
) -> tuple[int, float, dict[str, int]]:
    """All that come are read for a while: who had nothing, ms from the last's
    coming until all had their first state,
    and who was refused."""
    waiting = {key.fileobj for key in reading.get_map().values()}
    first = 0.0
    refused: Counter[str] = Counter()
    if writing:
        writing.tell("on")
    began = time.monotonic()
    while time.monotonic() < began + WATCHED_S:
        for key, _ in reading.select(0.2):
            told = read(key.fileobj)  # type: ignore[arg-type]
            if key.fileobj in waiting:
                waiting.discard(key.fileobj)
                if told.startswith(b"HTTP/1.1 200"):
                    first = (time.monotonic() - began) * 1000
                else:
                    refused[told.split(b"\r\n")[0].decode()] += 1
            if not told:
                reading.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
    return len(waiting), first, dict(refused)


def read(one: socket.socket) -> bytes:
    """What came; nothing where the server has left it."""
    try:
        return one.recv(1 << 18)
    except ConnectionError:
        return b""


def gone(one: socket.socket) -> bool:
    """Whether the server has left it."""
    one.setblocking(False)
    try:
        while one.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


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
    given.add_argument("--keyspace", default="", help="Fill it unless it is, and keep it.")
    given.add_argument(
        "--memory", action="store_true", help="The store in memory, without indexes."
    )
    given.add_argument("--rounds", type=int, default=60)
    given.add_argument("--clients", type=int, default=1_000)
    given.add_argument("--ingest", type=int, default=0, help="Decisions written a second.")
    given.add_argument("--store-pid", type=int, default=0, help="Cassandra's, for its share.")
    given.add_argument("--json", action="store_true")
    given.add_argument("--serve", default="", help=argparse.SUPPRESS)
    options = given.parse_args()
    if options.serve:
        serve(replace(load(root=ROOT), cassandra_keyspace=options.serve))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, options.clients + 500)), hard))
    keyspace = options.keyspace or f"load_{uuid.uuid4().hex[:8]}"
    keyspace = str(options.records) if options.memory else keyspace
    settings = replace(load(root=ROOT), cassandra_keyspace=keyspace)
    told: dict[str, Any] = {}
    keep = bool(options.keyspace)

    def tell(**more: Any) -> None:
        told.update(more)
        if not options.json:
            print("\n".join(lines(more)), flush=True)

    with (
        filled(settings, options.records, options.fill_seconds, keep) as stored,
        server(settings) as (pid, port),
    ):
        writing = Writing(keyspace, options.ingest) if options.ingest else None
        time.sleep(8)
        tell(stored=stored, idle_mb=resident_mb(pid), page_kb=weight_kb(port))
        if options.clients:
            tell(readers=readers(port, pid, options.clients, writing))
        if options.rounds:
            ask_all(port, (pid, options.store_pid), 2)
            asked_by_turns(port, (pid, options.store_pid), options.rounds, writing, tell)
            tell(asked_mb=resident_mb(pid))
        if writing:
            writing.end()
    if options.json:
        print(json.dumps(told))


def p99(ms: list[float]) -> float | None:
    return statistics.quantiles(ms, n=100)[-1] if len(ms) > 1 else None


def lines(told: dict[str, Any]) -> Iterator[str]:
    """What was measured, for people."""
    if "stored" in told:
        yield (
            f"{told['stored']:,} decisions stored. The server has {told['idle_mb']:.0f} MB idle. "
            f"The page weighs {told['page_kb']:.0f} kB."
        )
    if "asked_mb" in told:
        yield f"The server has {told['asked_mb']:.0f} MB after all that was asked."
    if crowd := told.get("readers"):
        yield (
            f"Readers of the stream: {crowd.kb:.0f} kB each, all with the state after "
            f"{crowd.ms:,.0f} ms but {crowd.unserved + sum(crowd.refused.values())}; of those that "
            f"never read {crowd.dropped} were dropped."
            + "".join(f" Refused: {n}, {said!r}." for said, n in crowd.refused.items())
        )
        if crowd.with_ms:
            yield (
                f"A batch was written in {p99(crowd.with_ms):.0f} ms at p99 beside them and in "
                f"{p99(crowd.without_ms):.0f} without (p50 {statistics.median(crowd.with_ms):.0f} "
                f"and {statistics.median(crowd.without_ms):.0f})."
            )
    if wrote := told.get("wrote"):
        yield f"p99 of a batch written, ms: {wrote}"
    for word in ("quiet", "busy"):
        some = told.get(word) or {}
        if some:
            yield (
                f"{word + ', ms':<22}{'p50':>8}{'p95':>8}{'p95 / nothing':>15}"
                f"{'server':>8}{'store':>8}"
            )
        for name, one in some.items():
            ratio = one.p95 / some["(nothing)"].p95
            yield (
                f"{name:<22}{one.p50:>8.1f}{one.p95:>8.1f}{ratio:>15.1f}{one.server:>8.1f}"
                f"{one.store:>8.1f}"
            )


if __name__ == "__main__":
    main()
