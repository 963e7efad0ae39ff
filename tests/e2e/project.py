"""A small project of its own for `sparse`: one spout, one bolt, behaviour by files."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

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


@dataclass
class Project:
    """A streamparse project in a directory of its own."""

    root: Path
    running: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def topology(self, name: str) -> Path:
        """Add a topology; its bolt writes one file a process, `pid.N`, in the directory."""
        directory = self.root / "seen" / name
        directory.mkdir(parents=True)
        text = _TOPOLOGY.format(title=name.title(), directory=str(directory))
        (self.root / "topologies" / f"{name}.py").write_text(text)
        return directory

    def sparse(self, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
        """Start `sparse` in the project, in a session of its own; output in sparse.N.log."""
        log = self.root / f"sparse.{len(self.running)}.log"
        with log.open("w") as out:
            child = subprocess.Popen(
                [str(Path(sys.executable).with_name("sparse")), *arguments],
                cwd=self.root,
                env=os.environ | environ,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.running.append(child)
        return child

    def said(self, number: int = 0) -> str:
        """What `sparse` number `number` printed."""
        return (self.root / f"sparse.{number}.log").read_text()

    def processes(self) -> list[psutil.Process]:
        """Whatever still runs of the project, by directory or command line."""
        found = []
        for candidate in psutil.process_iter(["cmdline"]):
            if any(str(self.root) in part for part in candidate.info["cmdline"] or ()):
                found.append(candidate)
        return found


Until = Callable[[Callable[[], object], float], None]
