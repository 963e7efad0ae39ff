"""Kinesis decided by processes that are killed (kill -9) after every step of the position protocol,
while the stream is resharded. Judged by content, beside the code."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stormwatch.adapters import connect
from stormwatch.archive import Archive
from stormwatch.settings import Settings
from tests.models import kinesis_writer
from tests.models.kinesis_cluster import Kinesis
from tests.models.kinesis_writer import AWAY, HALF, STEPS, Notes

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.integration
pytest.importorskip("boto3", reason="pip install -r requirements/kinesis.txt")
ROOT = Path(__file__).parents[2]
KEYS, AHEAD, PUT = 997, 6_000, 500


@pytest.fixture(params=["spanner", "cassandra"])
def settings(request: pytest.FixtureRequest, unique: Any) -> Settings:
    """Of a store with its tables, and nothing in it."""
    found: Settings = request.getfixturevalue(request.param)
    found = replace(found, layout_stripes=kinesis_writer.STRIPES)
    if request.param == "spanner":
        found = replace(found, spanner_database=unique("d").replace("-", "_")[:24])
    else:
        found = replace(found, cassandra_keyspace=unique("killed"))
    tables = connect.tables(found)
    tables.apply(found, ROOT / tables.files, lambda step, said: None)
    return found


def ping(number: int) -> bytes:
    name = f"k{number * 7919 % KEYS}"
    return msgspec.json.encode([f"id-{number}", name, number, number % 11])


@pytest.mark.parametrize(
    ("records", "kills"), [(2_000, 7), pytest.param(100_000, 50, marks=pytest.mark.slow)]
)
@pytest.mark.timeout(7_200)
def test_each_record_is_decided_once_and_in_its_keys_order(
    kinesis: Kinesis, settings: Settings, tmp_path: Path, unique: Any, records: int, kills: int
) -> None:
    stream, notes = unique("pings"), Notes(tmp_path)
    admin = kinesis.admin()
    admin.ensure_topic(stream, 2, {})
    changes = [lambda: admin.split(stream, 0), lambda: admin.merge(stream, 3, 1)]
    stop, failed = threading.Event(), list[BaseException]()

    def put() -> None:
        """So many ahead of what is decided; the stream is split, and two shards merged, amid it."""
        try:
            sink = kinesis.sink()
            for first in range(0, records, PUT):
                while first - notes.read() > AHEAD and not stop.is_set():
                    time.sleep(0.05)
                for n in range(first, min(first + PUT, records)):
                    sink.send(stream, msgspec.json.decode(ping(n))[1].encode(), ping(n))
                sink.flush(60)
                if changes and first * 3 >= records * (3 - len(changes)):
                    changes.pop(0)()
        except BaseException as error:
            failed.append(error)
            raise

    chooser, died = random.Random(records), dict.fromkeys((*STEPS, ""), 0)
    steps = [step for step in STEPS if step != HALF or settings.store != "spanner"]
    putting = threading.Thread(target=put)
    putting.start()
    try:
        with writers(settings, kinesis.url, stream, records, tmp_path) as start:
            ended = None
            while ended != 0:
                assert not failed
                struck = sum(died.values())
                dies = struck < kills
                step = [*steps, ""][struck % (len(steps) + 1)] if dies else ""
                # From where it goes on: the deaths are spread over all of the stream.
                due = struck * records // (kills + 5)
                pid, wait = start(f"{step} {due}")
                if dies and not step:
                    until = time.monotonic() + 60
                    while notes.read() < due and time.monotonic() < until:
                        time.sleep(0.02)
                    time.sleep(chooser.uniform(0, 0.5))
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                ended = wait()
                assert ended in (0, -signal.SIGKILL, AWAY), f"a writer ended with {ended}"
                logger.info("%d records, %d kills; %s: %d", notes.read(), struck, step, ended)
                died[step] += ended == -signal.SIGKILL
    finally:
        stop.set()
        putting.join()
    assert not changes
    assert sum(died.values()) >= kills and all(died[step] for step in [*steps, ""]), died
    store = connect.archive(settings)
    try:
        judge(store, kinesis, stream, records)
    finally:
        store.close()


def judge(store: Archive, kinesis: Kinesis, stream: str, records: int) -> None:
    """None missing, none doubled, each key in its order; positions at the ends of the shards."""
    found = [msgspec.json.decode(each.row.body) for each in store.all_decisions("toy")]
    assert len(found) == records
    by_id = {each["id"]: each["features"] for each in found}
    wanted, counts, totals = {}, dict[str, int](), dict[str, float]()
    for n in range(records):
        name, value = f"k{n * 7919 % KEYS}", n % 11
        count, total = counts.get(name, 0), totals.get(name, 0.0)
        wanted[f"id-{n}"] = [float(count), total, float(value)]
        counts[name], totals[name] = count + 1, total * 0.9 + value / 3
    wrong = {name for name in wanted if by_id.get(name) != wanted[name]}
    assert not wrong, f"{len(wrong)} of {records}, as {sorted(wrong)[:5]}"


@contextmanager
def writers(settings: Settings, url: str, stream: str, records: int, folder: Path) -> Iterator[Any]:
    """Starts one with "step due": its pid, and what waits for its exit code."""
    told = {name: getattr(settings, name) for name in (
        "store", "layout_stripes", "spanner_project", "spanner_instance", "spanner_database",
        "spanner_emulator", "cassandra_keyspace", "cassandra_contact_points", "cassandra_port",
    )}  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", kinesis_writer.__name__, repr(told), url, stream, str(records),
         str(folder)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": f".{os.pathsep}src"}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as forks:  # fmt: skip
        assert forks.stdin is not None
        assert forks.stdout is not None
        asked, answers = forks.stdin, forks.stdout

        def start(line: str) -> tuple[int, Any]:
            asked.write(f"{line}\n")
            asked.flush()
            return int(answers.readline()), lambda: int(answers.readline())

        yield start
        asked.close()
