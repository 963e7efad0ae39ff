"""The topologies as Storm is given them: every stream has a reader, entities stay together."""

from pathlib import Path
from typing import Any

import pytest

from bolts.base import METER_FIELDS, METERS
from stormwatch.codec import BATCH_FIELDS
from tests.topologies.wiring import NAMES, edges, load

SECRET = "do-not-tell"
CHAINED = ("true", "false")


@pytest.fixture(params=[(name, chain) for name in NAMES for chain in CHAINED], ids="-".join)
def wired(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[str, bool, Any]:
    """(topology, chained, its class), with settings from the environment alone."""
    name, chain = request.param
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORMWATCH_TOPOLOGY_CHAIN", chain)
    monkeypatch.setenv("STORMWATCH_TOPOLOGY_SCORERS", "3")
    for secret in ("KAFKA_PASSWORD", "CASSANDRA_PASSWORD"):
        monkeypatch.setenv(f"STORMWATCH_{secret}", SECRET)
    return name, chain == "true", load(name)


def test_an_entity_stays_in_one_process_and_a_parser_is_any(wired: tuple[str, bool, Any]) -> None:
    name, chained, topology = wired
    spout, bucket = NAMES[name][1], "fields bucket"
    decide = {("parse", "default", "decide"): bucket}
    if not chained:
        decide = {("parse", "default", "score"): bucket, ("score", "default", "store"): bucket}
    expected = decide | {
        (spout, "default", "parse"): "shuffle",
        (spout, "notices", "reject"): "shuffle",
        ("parse", "rejected", "reject"): "shuffle",
    }
    assert expected.items() <= edges(topology).items()  # others may read along


OPTIONAL = ("decide", "store")
"""Components that emit on `decisions` only where a bolt takes that."""


def test_every_stream_has_a_reader_and_the_fields_of_a_batch(wired: tuple[str, bool, Any]) -> None:
    """Storm acks what is emitted to no one: a stream without a reader would be silent loss."""
    *_, topology = wired
    read = {edge[:2] for edge in edges(topology)}
    declared = {(spec.name, stream) for spec in topology.specs for stream in spec.outputs}
    optional = {(spec.name, "decisions") for spec in topology.specs if spec.name in OPTIONAL}
    assert declared - optional == read
    assert declared & optional, "what is decided can be taken; who emits it asks who listens"
    for spec in topology.specs:
        for name, stream in spec.outputs.items():
            fields = METER_FIELDS if name == METERS else BATCH_FIELDS
            assert stream.output_fields == list(fields)


def test_settings_travel_with_the_topology_but_no_secret(wired: tuple[str, bool, Any]) -> None:
    _, chained, topology = wired
    assert topology.config["stormwatch.topology.chain"] is chained
    assert SECRET not in repr(topology.config)
    scorers = [spec.par for spec in topology.specs if spec.name in ("decide", "score", "store")]
    assert set(scorers) == {3}
