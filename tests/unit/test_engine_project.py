"""The topology without a store, which benchmarks make of the shipped ones, still fits its parts."""

import json
import sys
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from benchmarks import engine_project, engine_sink
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.records import Fragment
from stormwatch.testing import batch, drive, memory_ports

ROOT = Path(__file__).resolve().parents[2]
MS = 1_950_000_000_000


@pytest.mark.parametrize("topology", ["fraud", "maintenance"])
def test_its_bolt_decides_into_kafka(topology: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bolts.engine_sink", engine_sink)
    module = ModuleType("engine_bolt")
    monkeypatch.setitem(sys.modules, "engine_bolt", module)
    exec(engine_project.bolt(topology), module.__dict__)
    domain = {"fraud": Fraud.load, "maintenance": Maintenance.load}[topology]()
    made = Transactions(1, run="e", customers=5) if topology == "fraud" else readings(1, units=5)
    events = [
        (nth, MS, domain.parse(one.value, MS)) for nth, one in enumerate(islice(iter(made), 12))
    ]
    with memory_ports() as ports:
        ports.broker.create(engine_sink.TOPIC, 1, {})
        said = drive(
            module.EngineBolt, batch(Fragment("t", 0, 2048, 0, 11, 1, 0), Parsed(events, [], []))
        )
        assert said.acks == ["1"]
        source = MemorySource(ports.broker, engine_sink.TOPIC, "g", "control")
        source.assign({0: 0})
        bodies = [json.loads(one.value or b"") for one in source.poll(100, 0.0)[0]]
    assert [body["offset"] for body in bodies] == list(range(12))
    assert not any(body.get("degraded") for body in bodies)


@pytest.mark.parametrize("topology", ["fraud", "maintenance"])
def test_its_folder_has_all_that_sparse_needs(topology: str, tmp_path: Path) -> None:
    for name in ("src", "topologies", "virtualenvs", "benchmarks", "project.clj", "config.json"):
        (tmp_path / name).symlink_to(ROOT / name)
    folder = engine_project.build(tmp_path, topology)
    text = (folder / "topologies" / "engine.py").read_text()
    compile(text, "engine.py", "exec")
    assert "from bolts.engine import EngineBolt as" in text
    assert (folder / "virtualenvs" / "engine.txt").exists()
    assert (folder / "src" / "bolts" / "engine.py").exists()
