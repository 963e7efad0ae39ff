"""A project beside this one whose topology keeps states in memory and sends decisions to Kafka."""

import shutil
from pathlib import Path

_BOLT = '''"""The deciding bolt without Cassandra: states in the process, decisions to Kafka."""

from functools import cached_property

from bolts.chain import ChainBolt
from bolts.decide import score
from stormwatch.adapters.storm.resources import Connections
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from bolts.engine_sink import DecisionsToKafka
from stormwatch.domains.{domain} import {judge}
from stormwatch.domains.{domain}.event import {event}


class EngineBolt(ChainBolt):
    payload = Parsed[{event}]
    steps = (score({judge}.from_settings), lambda bolt: DecisionsToKafka(bolt.connections.sink()))

    @cached_property
    def connections(self):
        connections = Connections(self.settings, self.meter)
        memory = MemoryStore()
        connections.store = lambda: memory
        return connections
'''


_NAMES = {"fraud": ("Fraud", "Transaction"), "maintenance": ("Maintenance", "Reading")}
"""Topology -> its domain's class and its event's."""


def bolt(topology: str) -> str:
    """The text of its deciding bolt."""
    judge, event = _NAMES[topology]
    return _BOLT.format(domain=topology, judge=judge, event=event)


def build(root: Path, topology: str = "fraud") -> Path:
    """Make the project under the run directory; returns its folder."""
    folder = root / ".stormwatch" / "bench-engine"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("project.clj", "config.json"):
        shutil.copy(root / name, folder / name)
    for name in ("topologies", "virtualenvs"):
        (folder / name).mkdir()
    shutil.copy(root / "virtualenvs" / f"{topology}.txt", folder / "virtualenvs" / "engine.txt")
    shutil.copy(root / "benchmarks" / "engine_sink.py", folder / "src" / "bolts")
    judge, _ = _NAMES[topology]
    (folder / "src" / "bolts" / "engine.py").write_text(bolt(topology))
    text = (root / "topologies" / f"{topology}.py").read_text()
    anchor = "from bolts.parse import"
    assert text.count(anchor) == 1, f"topologies/{topology}.py has changed"
    imported = text.replace(anchor, f"from bolts.engine import EngineBolt as {judge}Bolt\n{anchor}")
    (folder / "topologies" / "engine.py").write_text(imported)
    return folder
