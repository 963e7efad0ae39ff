"""The recommend topology as Storm is given it: a batch goes round in one line."""

from pathlib import Path
from typing import Any

import pytest

from bolts.base import METER_FIELDS, METERS
from stormwatch.codec import BATCH_FIELDS
from tests.topologies import wiring

SHARDS = ("items_0", "items_1")


@pytest.fixture
def topology(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORMWATCH_TOPOLOGY_SCORERS", "3")
    monkeypatch.setitem(wiring.NAMES, "recommend", ("Recommend", "behaviour"))
    return wiring.load("recommend")


def test_every_stream_has_one_reader_and_the_fields_of_a_batch(topology: Any) -> None:
    expected = {
        ("behaviour", "default", "parse"): "shuffle",
        ("behaviour", "notices", "reject"): "shuffle",
        ("parse", "rejected", "reject"): "shuffle",
        ("parse", "default", "plan"): "fields bucket",
        ("plan", "default", "items_0"): "shuffle",
        ("items_0", "default", "items_1"): "shuffle",
        ("items_1", "default", "recommend"): "fields bucket",
    }
    assert expected.items() <= wiring.edges(topology).items()  # others may read along
    read = {edge[:2] for edge in wiring.edges(topology)}
    assert read == {(spec.name, stream) for spec in topology.specs for stream in spec.outputs}
    for spec in topology.specs:
        for name, stream in spec.outputs.items():
            fields = METER_FIELDS if name == METERS else BATCH_FIELDS
            assert stream.output_fields == list(fields)


def test_each_shard_is_one_task_for_a_key_has_one_writer(topology: Any) -> None:
    specs = {spec.name: spec for spec in topology.specs}
    assert {specs[name].par for name in SHARDS} == {1}
    assert specs["plan"].par == specs["recommend"].par == 3
    classes = [specs[name].component_cls for name in SHARDS]
    assert sorted(found.shard for found in classes) == list(range(classes[0].shards))
