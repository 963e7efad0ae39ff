"""The social topology: one hop more than the others, keyed by brand."""

from pathlib import Path
from typing import Any

import pytest

from bolts.base import METER_FIELDS, METERS
from stormwatch.codec import BATCH_FIELDS
from tests.topologies import wiring


@pytest.fixture
def topology(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(wiring.NAMES, "social", ("Social", "posts"))
    return wiring.load("social")


def test_a_brand_stays_in_one_process_and_parse_and_split_are_any(topology: Any) -> None:
    expected = {
        ("posts", "default", "parse"): "shuffle",
        ("parse", "default", "split"): "shuffle",
        ("split", "default", "decide"): "fields bucket",
        ("posts", "notices", "reject"): "shuffle",
        ("parse", "rejected", "reject"): "shuffle",
        ("split", "rejected", "reject"): "shuffle",
    }
    assert expected.items() <= wiring.edges(topology).items()  # others may read along


def test_every_stream_has_a_reader_and_the_fields_of_a_batch(topology: Any) -> None:
    read = {edge[:2] for edge in wiring.edges(topology)}
    assert {(spec.name, stream) for spec in topology.specs for stream in spec.outputs} == read
    for spec in topology.specs:
        for name, stream in spec.outputs.items():
            fields = METER_FIELDS if name == METERS else BATCH_FIELDS
            assert stream.output_fields == list(fields)
