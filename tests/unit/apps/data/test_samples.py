"""Samples of files and topics are bounded, and tell whether a topic is keyed by its entity."""

from itertools import count
from pathlib import Path

import msgspec
import pytest

from apps.data import mappings, samples
from apps.data.samples import Sampled
from apps.data.text_files import FileError
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySource
from stormwatch.errors import TopicError
from stormwatch.parsing.mapping import Csv

MAPPED, _ = mappings.ready("preset:handbook")


def payment(customer: int) -> bytes:
    return msgspec.json.encode(
        {"tx_id": 1, "t": 1, "customer": customer, "terminal": 1, "amount": 1}
    )


def test_a_sample_ends_at_its_number_its_bytes_or_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2\n" * 500)
    assert len(samples.of_file(path, Csv()).records) == 500
    ticking = count()
    assert len(samples.of_file(path, Csv(), lambda: float(next(ticking))).records) == 6
    monkeypatch.setattr(samples, "MOST", 7)
    assert len(samples.of_file(path, Csv()).records) == 7
    monkeypatch.setattr(samples, "MOST_BYTES", 100)
    assert len(samples.of_file(path, Csv()).records) == 3
    path.write_text("a,b\n")
    with pytest.raises(FileError, match="no record"):
        samples.of_file(path, Csv())


def test_a_file_without_header_is_told_by_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("  1 2.5e-1  3\n 4 5 6\n7 8\n")
    csv = samples.told_csv(path)
    assert (csv.delimiter, csv.names) == ("space", ["c1", "c2", "c3"])
    sample = samples.of_file(path, csv)
    assert sample.flat[0] == {
        "c1": "1",
        "c2": "2.5e-1",
        "c3": "3",
        "_file": "rows.txt",
        "_row": "1",
    }
    assert len(sample.records) == 3 and len(sample.flat) == 2
    path.write_text("a;b\n1;2\n")
    assert samples.told_csv(path) == Csv()


@pytest.mark.parametrize(
    ("wrapped", "envelope"),
    [
        ('{"payload":{"op":"c","after":{"a":1}}}', "debezium"),
        ('{"op":"u","after":{"a":1},"before":null}', "debezium"),
        ('{"specversion":"1.0","type":"t","data":{"a":1}}', "cloudevents"),
        ('{"a":1}', "none"),
    ],
)
def test_envelopes_are_seen(wrapped: str, envelope: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(wrapped + "\n")
    sample = samples.of_file(path, Csv())
    assert (sample.envelope, sample.flat) == (envelope, [{"a": 1}])


def test_a_topic_s_newest_records_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = MemoryBroker()
    source = MemorySource(broker, "mine")
    with pytest.raises(TopicError, match="There is no topic"):
        samples.of_topic(source, "mine")
    broker.create("mine", 2, {})
    with pytest.raises(TopicError, match="no record to look at"):
        samples.of_topic(source, "mine")
    for n in range(40):
        broker.append("mine", b"x%d" % (n % 2), payment(n % 2), partition=n % 2)
    found = samples.of_topic(source, "mine")
    assert len(found.records) == len(found.flat) == 40
    assert not samples.why_not_keyed(found.records, MAPPED)
    monkeypatch.setattr(samples, "MOST", 10)
    newest = samples.of_topic(source, "mine").records
    assert len(newest) == 10 and {record.partition for record in newest} == {0, 1}


def test_a_topic_that_is_not_keyed_by_its_entity_is_told() -> None:
    def told(*records: Sampled) -> str:
        return samples.why_not_keyed(records, MAPPED)

    one, two = payment(1), payment(2)
    assert told(Sampled(one, b"x", 0), Sampled(one, b"x", 0), Sampled(two, b"y", 0)) == ""
    assert "several partitions" in told(Sampled(one, b"x", 0), Sampled(one, b"x", 1))
    assert "have no key" in told(Sampled(one, None, 0), Sampled(two, b"y", 0))
    assert "1 of 2 entities have several keys" in told(
        Sampled(one, b"x", 0), Sampled(one, b"z", 0), Sampled(two, b"y", 0), Sampled(b"{", None, 0)
    )
