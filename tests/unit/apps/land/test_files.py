"""A watched folder: a file is moved when all of it is in the log, never before."""

import gzip
import os
import time
from pathlib import Path

import pytest

from apps.land import files, streams
from apps.land.appender import Appender
from apps.land.figures import Figures
from apps.land.streams import Stream
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemorySink
from tests.models.pushed import SETTINGS, payment


@pytest.fixture(scope="module")
def stream() -> Stream:
    return streams.of_topics(SETTINGS, ["transactions"])["transactions"]


def land(folder: Path, stream: Stream, broker: MemoryBroker, pauses: int = 0) -> None:
    appender = Appender(lambda: MemorySink(broker), 1.0)
    left = iter(range(pauses))
    try:
        files.carry(SETTINGS, folder, stream, appender, Figures(),
                    lambda seconds: next(left, None) is None, once=not pauses)  # fmt: skip
    finally:
        appender.close()


def write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    os.utime(path, (time.time() - 60,) * 2)
    return path


def values(broker: MemoryBroker) -> list[bytes | None]:
    topic = broker.topic("transactions")
    return [record.value for log in (topic.logs if topic else []) for record in log.records]


def test_files_of_each_format_are_landed_and_moved(tmp_path: Path, stream: Stream) -> None:
    lines = [payment(n) for n in range(3)]
    write(tmp_path / "a.jsonl", b"\n".join(lines))
    write(tmp_path / "b.json.gz", gzip.compress(b"[" + payment(3) + b", " + payment(4) + b"]"))
    write(tmp_path / "c.csv", b"id,customer,terminal,time,amount,currency\n"
          b"p5,c5,t1,2026-01-01T00:00:00Z,105,EUR\n")  # fmt: skip
    write(tmp_path / "d.jsonl.part", payment(6))
    write(tmp_path / ".e.jsonl", payment(7))
    write(tmp_path / "f.bin", b"\0\1\2")
    (tmp_path / "g.jsonl").write_bytes(payment(8))  # just written
    broker = MemoryBroker()
    land(tmp_path, stream, broker)
    assert values(broker)[:5] == [*lines, payment(3), payment(4)] and len(values(broker)) == 6
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert names == {
        "landed/a.jsonl", "landed/b.json.gz", "landed/c.csv", "d.jsonl.part", ".e.jsonl",
        "failed/f.bin", "failed/f.bin.why", "g.jsonl",
    }  # fmt: skip
    assert "not a text file" in (tmp_path / "failed" / "f.bin.why").read_text()
    write(tmp_path / "a.jsonl", payment(9))
    land(tmp_path, stream, broker)
    assert (tmp_path / "landed" / "a.jsonl.1").read_bytes() == payment(9)


def test_while_kafka_is_away_a_file_stays_and_is_begun_anew(tmp_path: Path, stream: Stream) -> None:
    lines = [payment(n) for n in range(2_500)]
    path = write(tmp_path / "a.jsonl", b"\n".join(lines))

    class Once(MemoryBroker):
        """Goes away after a thousand records."""

        def append(self, *args: object, **more: object) -> None:
            super().append(*args, **more)  # type: ignore[arg-type]
            self.is_up = self.log("transactions", 0).high != 1_000

    broker = Once()
    land(tmp_path, stream, broker, pauses=2)
    assert path.exists()
    broker.up()
    land(tmp_path, stream, broker)
    assert list(dict.fromkeys(values(broker))) == lines and len(values(broker)) == 3_500
    assert (tmp_path / "landed" / "a.jsonl").exists()


def test_parquet_rows_are_objects_without_what_is_null(tmp_path: Path, stream: Stream) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pip install -r requirements/parquet.txt")
    from pyarrow import parquet

    rows = [
        {"id": f"p{n}", "customer": "c1", "terminal": "t1", "time": "2026-01-01T00:00:00Z",
         "amount": 100 + n, "currency": "EUR", "country": "DE" if n else None}
        for n in range(1_200)
    ]  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", b"PAR1 no more")
    os.utime(tmp_path / "a.parquet", (time.time() - 60,) * 2)
    broker = MemoryBroker()
    land(tmp_path, stream, broker)
    found = values(broker)
    assert len(found) == 1_200 and b"country" not in (found[0] or b"")
    events = [stream.look(value or b"", 1_800_000_000_000) for value in found]
    assert [event.id for event in events] == [row["id"] for row in rows]
    assert (tmp_path / "failed" / "b.parquet.why").exists()
