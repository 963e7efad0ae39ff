"""A small project of its own for `sparse`: one spout, one bolt, behaviour by files."""

from collections.abc import Callable
from pathlib import Path

from apps.prove.chaos import run as chaos

ROOT = Path(__file__).resolve().parents[2]

_TOPOLOGY = """
from streamparse import Grouping, Topology
from bolts.count import Count
from spouts.ticks import Ticks

class {title}(Topology):
    config = {{
        "tiny.dir": {directory!r},
        "topology.max.spout.pending": 5,
        "topology.spout.wait.strategy": "org.apache.storm.policy.WaitStrategyPark",
        "topology.bolt.wait.strategy": "org.apache.storm.policy.WaitStrategyPark",
    }}
    ticks = Ticks.spec()
    count = Count.spec(inputs={{ticks: Grouping.SHUFFLE}})
"""

SPOUT = """
import time
from streamparse import Spout

class Ticks(Spout):
    outputs = ["n"]

    def initialize(self, conf, context):
        self.n = 0

    def next_tuple(self):
        self.n += 1
        time.sleep(0.02)
        self.emit([self.n], tup_id=str(self.n))
"""

BOLT = """
import os
from pathlib import Path
from streamparse import Bolt

class Count(Bolt):
    outputs = ["n"]

    def initialize(self, conf, context):
        self.directory = Path(conf["tiny.dir"])
        if (self.directory / "boom").exists():
            raise ValueError("boom in initialize")
        self.file = (self.directory / f"pid.{os.getpid()}").open("a")

    def process(self, tup):
        self.file.write(f"{tup.values.n}\\n")
        self.file.flush()
"""


class Project(chaos.Project):
    """A streamparse project whose topologies are made here."""

    def topology(self, name: str) -> Path:
        """Add a topology; its bolt writes one file a process, `pid.N`, in the directory."""
        directory = self.root / "seen" / name
        directory.mkdir(parents=True)
        text = _TOPOLOGY.format(title=name.title(), directory=str(directory))
        (self.root / "topologies" / f"{name}.py").write_text(text)
        return directory


Until = Callable[[Callable[[], object], float], None]
