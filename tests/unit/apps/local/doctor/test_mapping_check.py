"""`doctor` tells of a topic whose newest records its mapping refuses, and of a mapping itself."""

import socket
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from apps.data import mappings
from apps.local.doctor import examine, mapping_check
from apps.local.doctor.finding import FAIL, OK, WARN, Finding
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.errors import TopicError
from stormwatch.settings import Settings

MAPPING = """
event = "transactions"
version = "shop-1"
[fields]
id = { path = "no" }
customer = { path = "who" }
terminal = { constant = "t1" }
time = { path = "at", form = "epoch_s" }
amount = { path = "paid", unit = "minor" }
currency = { constant = "EUR" }
"""
SETTINGS = Settings(mapping_transactions=MAPPING, mask_fields="who")
NOW_MS = 1_767_225_600_000


def sale(no: int, **changes: str) -> bytes:
    row = {"no": f"n{no}", "who": f"c{no % 5}", "at": str(NOW_MS // 1000), "paid": "1250"}
    return msgspec.json.encode(row | changes)


def found(broker: MemoryBroker) -> Finding:
    (mapped,) = mappings.by_topic(SETTINGS, "transactions").values()
    source = MemorySource(broker, "transactions")
    return mapping_check.fits(SETTINGS, source, "transactions", mapped)


def filled(*values: bytes) -> MemoryBroker:
    broker = MemoryBroker()
    broker.create("transactions", 2, {})
    for nth, value in enumerate(values):
        broker.append("transactions", b"k", value, partition=nth % 2, timestamp=NOW_MS)
    return broker


def test_records_that_fit_are_well() -> None:
    told = found(filled(*map(sale, range(20))))
    assert told.level == OK and "newest 20 records fit the mapping shop-1#" in told.what


def test_refusals_are_counted_by_code_with_an_example_and_the_next_step() -> None:
    late = str(NOW_MS // 1000 + 3_600)
    values = [sale(n) for n in range(10)]
    values += [sale(n, paid="12.50") for n in range(4)] + [sale(9, at=late), sale(9, who=" x")]
    told = found(filled(*values))
    assert told.level == WARN
    assert "6 of the newest 16 records do not fit" in told.what
    assert "4 as out_of_range, for example" in told.what and "12.50" in told.what
    assert "too_far_in_future" in told.what
    assert "`who` is refused, its value is masked" in told.what and "[ x]" not in told.what
    assert "map --check MAPPING --topic transactions" in told.next and "dlq redrive" in told.next


def test_the_end_of_a_long_topic_is_looked_at_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_check, "MOST", 10)
    bad = [sale(n, paid="?") for n in range(30)]
    assert "newest 10 records fit" in found(filled(*bad, *map(sale, range(10)))).what


def test_a_topic_without_records_or_that_is_not_there() -> None:
    assert found(filled()).level == OK
    with pytest.raises(TopicError):
        found(MemoryBroker())


def test_a_mapping_that_cannot_be_read_is_a_fault_without_kafka_too(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(MAPPING.replace('unit = "minor"', 'unit = "cents"'))
    for named in (path, tmp_path / "absent.toml"):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        settings = replace(
            SETTINGS, mapping_transactions=str(named), kafka_bootstrap=f"127.0.0.1:{port}",
            run_dir=str(tmp_path),
        )  # fmt: skip
        told = [
            one for one in examine(settings, Path(__file__).parents[5]) if "mapping" in one.check
        ]
        assert [one.level for one in told] == [FAIL] and str(named) in told[0].what
