"""A project beside this one whose topology keeps states in memory and sends decisions to Kafka."""

import shutil
from pathlib import Path

_BOLT = '''"""The fraud bolt without Cassandra: states in the process, decisions to Kafka."""

from functools import cached_property

from bolts.chain import ChainBolt
from bolts.decide import score
from stormwatch.adapters.storm.resources import Connections
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from bolts.engine_sink import DecisionsToKafka
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction


class EngineBolt(ChainBolt):
    payload = Parsed[Transaction]
    steps = (score(Fraud.from_settings), lambda bolt: DecisionsToKafka(bolt.connections.sink()))

    @cached_property
    def connections(self):
        connections = Connections(
            self.settings, self.topology_name, self.component_name, self.task_id
        )
        memory = MemoryStore()
        connections.store = lambda: memory
        return connections
'''


def build(root: Path) -> Path:
    """Make the project under the run directory; returns its folder."""
    folder = root / ".stormwatch" / "bench-engine"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("project.clj", "config.json"):
        shutil.copy(root / name, folder / name)
    for name in ("topologies", "virtualenvs"):
        (folder / name).mkdir()
    shutil.copy(root / "virtualenvs" / "fraud.txt", folder / "virtualenvs" / "engine.txt")
    shutil.copy(root / "benchmarks" / "engine_sink.py", folder / "src" / "bolts")
    (folder / "src" / "bolts" / "engine.py").write_text(_BOLT)
    fraud = (root / "topologies" / "fraud.py").read_text()
    anchor = "from bolts.parse import"
    assert fraud.count(anchor) == 1, "topologies/fraud.py has changed"
    imported = fraud.replace(anchor, f"from bolts.engine import EngineBolt as FraudBolt\n{anchor}")
    (folder / "topologies" / "engine.py").write_text(imported)
    return folder
