"""What the landers carry into Kafka beside a bare producer: the same payments in turns, in one run.

./stormwatch up
PUBSUB_EMULATOR_HOST=127.0.0.1:8085 python -m benchmarks.landers [--records 30000] [--mqtt 1883]

HTTP is pushed to in batches of 500 by four clients. Of Pub/Sub and MQTT all is published while the
lander stands still, and timed is how it lands that. Also by the lander's processor time, which what
else runs on the machine does not change.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from apps.local.services import ports
from stormwatch.adapters import connect
from stormwatch.settings import Settings, load
from tests.models.publishers import to_mqtt, to_pubsub

ROOT = Path(__file__).parents[1]
TOKEN = "a-token-of-a-benchmark"
AT_ONCE, CLIENTS, KEYS = 500, 4, 5_000


def payment(n: int) -> bytes:
    return (
        b'{"id":"p%d","customer":"c%d","terminal":"t%d","time":"2026-01-01T00:00:00Z",'
        b'"amount":%d,"currency":"EUR"}' % (n, n % KEYS, n % 50, 1000 + n % 777)
    )


@contextmanager
def lander(settings: Settings, *words: str) -> Iterator[psutil.Process]:
    """`./stormwatch land …` in a process of its own."""
    env = os.environ | {
        "STORMWATCH_KAFKA_BOOTSTRAP": settings.kafka_bootstrap, "STORMWATCH_LAND_TOKENS": TOKEN,
        "PYTHONPATH": f".{os.pathsep}src",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "apps.cli", "land", *words], cwd=ROOT, env=env,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def spent(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


class Rates:
    """Records a second by the clock and by the lander's processor time, of each way."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._found: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def time(self, name: str, work: Callable[[], None], process: psutil.Process) -> None:
        used, began = spent(process), time.perf_counter()
        work()
        wall, used = time.perf_counter() - began, spent(process) - used
        self._found[name].append((self._records / wall, self._records / max(used, 0.001)))

    def tell(self) -> None:
        for name, some in self._found.items():
            wall, used = (statistics.median(each) for each in zip(*some, strict=True))
            print(f"{name:<22} {wall:>9,.0f} records/s; {used:>9,.0f} a processor second")


def pushed(port: int, bodies: list[bytes]) -> None:
    def client(mine: list[bytes]) -> None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as link:
            for body in mine:
                head = {"authorization": f"Bearer {TOKEN}"}
                link.request("POST", "/v1/streams/transactions", body, head)
                answer = link.getresponse()
                said = answer.read()
                assert answer.status == 200, said[:200]

    threads = [threading.Thread(target=client, args=(bodies[n::CLIENTS],)) for n in range(CLIENTS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mqtt", type=int, default=0, help="a broker's port on 127.0.0.1")
    options = parser.parse_args()
    measure(load(root=ROOT), options.records, options.rounds, options.mqtt)


def measure(settings: Settings, records: int, rounds: int, mqtt: int) -> None:
    """Prints the medians."""
    rates = Rates(records)
    values = [payment(n) for n in range(records)]
    bodies = [b"\n".join(values[n : n + AT_ONCE]) for n in range(0, records, AT_ONCE)]
    me, port = psutil.Process(), ports.free()
    with closing(connect.admin(settings)) as admin, closing(connect.sink(settings)) as sink:
        admin.ensure_topic("transactions", 4, {})

        def landed() -> int:
            return sum(each.high for each in admin.watermarks("transactions").values())

        def bare() -> None:
            for first in range(0, records, AT_ONCE):
                for value in values[first : first + AT_ONCE]:
                    sink.send("transactions", b"k", value)
                sink.flush(60)

        def carried(process: psutil.Process, publish: Callable[[list[bytes]], None]) -> Any:
            process.suspend()
            publish(values)
            whole = landed() + records

            def land() -> None:
                process.resume()
                while landed() < whole:
                    time.sleep(0.01)

            return land

        with lander(settings, "http", "--topic", "transactions", "--port", str(port)) as http:
            _until(lambda: _listens(port))
            pushed(port, bodies[:4])
            for _ in range(rounds):
                rates.time("bare producer", bare, me)
                rates.time("HTTP", lambda: pushed(port, bodies), http)
        for name, source in (("Pub/Sub", _pubsub), ("MQTT", _mqtt(mqtt))):
            if source is None:
                continue
            with source() as (words, publish), lander(settings, *words) as process:
                before = landed()
                while landed() == before:  # a broker keeps nothing before it was subscribed to
                    publish(values[:10])
                    time.sleep(1)
                time.sleep(2)
                for _ in range(rounds):
                    rates.time("bare producer", bare, me)
                    rates.time(name, carried(process, publish), process)
    rates.tell()


def _until(seen: Callable[[], bool], within: float = 120.0) -> None:
    until = time.monotonic() + within
    while True:
        try:
            if seen():
                return
        except OSError:
            pass
        assert time.monotonic() < until
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextmanager
def _pubsub() -> Iterator[Any]:
    subscription = f"projects/bench/subscriptions/s{os.getpid()}"
    with to_pubsub(subscription, KEYS, lease_s=60) as publish:
        yield ("pubsub", "transactions", "--subscription", subscription), publish


def _mqtt(port: int) -> Any:
    @contextmanager
    def source() -> Iterator[Any]:
        with to_mqtt(port, "bench/1") as publish:
            yield (
                ("mqtt", "transactions", "--port", str(port), "--filter", "bench/#",
                 "--client", f"bench{os.getpid()}"), publish,
            )  # fmt: skip

    return source if port else None


if __name__ == "__main__":
    main()
