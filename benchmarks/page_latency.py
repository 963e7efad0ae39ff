"""How soon an alert is seen: from its stored decision to the stream of events, and to the page.

    ./stormwatch bench page_latency --seconds 60 [--browser]

against the Kafka and Cassandra of the settings, with topics and a keyspace of its own. Decisions
are stored as bolts do, 500 a second, of each 200 one is an alert, which is then published to the
topic of alerts. `serve` is a process of its own, with one reader, and with `--browser` a page in a
real browser beside it. What an engine takes from a record's Kafka timestamp to its stored decision
is told by `profile` and `run`; what is told here is the server's and the page's share.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import msgspec

from benchmarks.stored_decisions import outcomes
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, DecisionRow, Outcomes
from stormwatch.settings import Settings, load

ROOT = Path(__file__).parents[1]
RATE, BATCH = 500, 200


def settings_of_its_own() -> Settings:
    name = uuid.uuid4().hex[:8]
    return replace(
        load(root=ROOT), cassandra_keyspace=f"seen_{name}", kafka_group=f"seen-{name}",
        topic_transactions=f"seen-{name}", topic_alerts=f"seen-{name}-alerts",
    )  # fmt: skip


@contextmanager
def served(settings: Settings) -> Iterator[tuple[int, int]]:
    """(pid, port) of `serve`."""
    names = ("cassandra_keyspace", "kafka_group", "topic_transactions", "topic_alerts")
    chosen = {f"STORMWATCH_{n.upper()}": getattr(settings, n) for n in names}
    made = subprocess.Popen(
        [sys.executable, "-m", "apps.cli", "serve", "--port", "0"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, env=os.environ | chosen,
    )  # fmt: skip
    assert made.stdout
    try:
        told = re.search(r":(\d+)/", made.stdout.readline())
        assert told, "it did not start"
        yield made.pid, int(told[1])
    finally:
        made.terminate()
        made.wait(20)


class Reader(Thread):
    """Notes when the stream first told of each alert, ms."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, int] = {}
        self._port = port

    def run(self) -> None:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as link:
            link.request("GET", "/v1/events")
            for line in link.getresponse():
                if line.startswith(b'data: {"alerts"'):
                    now = now_ms()
                    for one in msgspec.json.decode(line.removeprefix(b"data: "))["alerts"]:
                        self.seen.setdefault(one["id"], now)


@contextmanager
def page(port: int, wanted: bool) -> Iterator[dict[str, int]]:
    """When a page first showed each alert's customer; filled at the end of the block."""
    shown: dict[str, int] = {}
    if not wanted:
        yield shown
        return
    from tests.models.browser import opened

    with tempfile.TemporaryDirectory() as home, opened(Path(home)) as browser:
        browser.open(f"http://127.0.0.1:{port}/#now")
        browser.run(
            "window.shown = {};"
            "new MutationObserver(() => { for (const [name] of "
            "document.getElementById('main').innerText.matchAll(/A\\d{7}/g)) "
            "window.shown[name] ??= Date.now(); }).observe(document.getElementById('main'), "
            "{subtree: true, childList: true})"
        )
        yield shown
        shown |= browser.run("return window.shown")


def stored(settings: Settings, seconds: float) -> dict[str, tuple[str, int]]:
    """Store and publish for so long: id of each alert -> its customer, and when it was stored."""
    found: dict[str, tuple[str, int]] = {}
    store, sink = cassandra.connect(settings), connect.sink(settings)
    chance = random.Random(3)
    due, end, first = time.monotonic(), time.monotonic() + seconds, 0
    try:
        while due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            payment = {"id": f"t{first}", "customer": "C1", "amount": 12_345, "currency": "EUR"}
            sink.send(settings.topic_transactions, None, msgspec.json.encode(payment))
            sink.flush(10)
            some = outcomes(settings, first, BATCH, now_ms() - 100, chance)
            made = alerting(some, settings, first // 1_000)
            store.write_outcomes(made)
            alert = next(row for row in made.decisions if row.alert)
            found[alert.id] = alert.entity, now_ms()
            sink.send(settings.topic_alerts, alert.entity.encode(), alert.body)
            sink.flush(10)
            first += 1_000
            due += BATCH / RATE
    finally:
        store.close()
    return found


def alerting(made: Outcomes, settings: Settings, number: int) -> Outcomes:
    """With an alert of a customer that nothing else is of, and of a record that is there."""
    name = f"A{number:07}"

    def mine(row: DecisionRow) -> DecisionRow:
        body = msgspec.structs.replace(
            msgspec.json.decode(row.body, type=Decision), topic=settings.topic_transactions,
            partition=0, offset=number,
        )  # fmt: skip
        return msgspec.structs.replace(
            row, entity=name, stripe=stripe_of(name, settings.layout_stripes), timestamp=now_ms(),
            body=msgspec.json.encode(body),
        )  # fmt: skip

    rows = [mine(row) if row.alert else row for row in made.decisions]
    of = msgspec.structs.replace(made.fragment, topic=settings.topic_transactions)
    return msgspec.structs.replace(made, decisions=rows, fragment=of)


def told(word: str, ms: list[int]) -> str:
    if len(ms) < 2:
        return f"{word}: nothing was seen"
    cuts = statistics.quantiles(ms, n=20)
    return (
        f"{word:<24}{len(ms):>5} alerts, p50 {statistics.median(ms):,.0f}, p95 {cuts[-1]:,.0f} ms"
    )


def memory_mb(pid: int) -> tuple[float, float]:
    """Rss and Pss."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}:\s+(\d+)", text, re.M) for name in ("Rss", "Pss"))
    assert rss and pss
    return int(rss[1]) / 1e3, int(pss[1]) / 1e3


def worked_ms(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


def main() -> None:
    """Measure, and print."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--seconds", type=float, default=60.0)
    given.add_argument("--browser", action="store_true")
    options = given.parse_args()
    settings = settings_of_its_own()
    cassandra.apply(settings, ROOT / "schema" / "cql")
    admin = connect.admin(settings)
    for topic in (settings.topic_transactions, settings.topic_alerts):
        admin.ensure_topic(topic, 1, {})
    with served(settings) as (pid, port):
        time.sleep(15)
        rss, pss = memory_mb(pid)
        print(f"serve idle: {rss:.0f} MB resident, {pss:.0f} MB its own share", flush=True)
        worked = worked_ms(pid)
        time.sleep(10)
        print(f"serve idle: {(worked_ms(pid) - worked) / 10_000:.1%} of a core", flush=True)
        reader = Reader(port)
        reader.start()
        with page(port, options.browser) as shown:
            time.sleep(5)
            worked = worked_ms(pid)
            found = stored(settings, options.seconds)
            share = (worked_ms(pid) - worked) / 1_000 / options.seconds
            time.sleep(5)
        stream = [reader.seen[i] - at for i, (_, at) in found.items() if i in reader.seen]
        on_page = [shown[name] - at for name, at in found.values() if name in shown]
        print(f"{len(found)} alerts stored; serve took {share:.1%} of a core", flush=True)
        print(told("stored to the stream", stream))
        print(told("stored to the page", on_page))
        print(json.dumps({"stream": sorted(stream), "page": sorted(on_page)}))


if __name__ == "__main__":
    main()
