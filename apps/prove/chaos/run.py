"""A project directory with a copy of the topologies, `sparse run` in it, and what runs of it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import psutil

from apps.local.services.prctl import end_with_parent
from apps.prove.chaos.errors import ChaosFailed, expect
from stormwatch.errors import InfrastructureError
from stormwatch.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[3]
JVM = "org.apache.storm.LocalCluster"
BOLT = "bolts.fraud.FraudBolt"
SPOUT = "spouts.transactions.TransactionSpout"
_POLL_S = 0.2
_ENDED = 143  # of SIGTERM, which a run in the background hears too


class Run:
    """The processes of a topology, by what their command lines name."""

    def __init__(self, root: Path, jars: Path, settings: Settings) -> None:
        self.project = Project(root)
        self.settings = settings
        self.bolt = BOLT
        """What the command line of the deciding bolt names."""
        self.environ: dict[str, str] = {}
        """Of each `sparse run`, beside ours and the settings."""
        for each in ("project.clj", "config.json"):
            shutil.copy(ROOT / each, root / each)
        for each in ("src", "topologies", "virtualenvs"):
            shutil.copytree(ROOT / each, root / each, ignore=shutil.ignore_patterns("__pycache__"))
        (root / ".stormwatch").mkdir()
        (root / ".stormwatch" / "jars").symlink_to(jars)

    def start(self, topology: str = "fraud", /, **changes: object) -> None:
        """`sparse run -n TOPOLOGY` with settings changed from the defaults by environment."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        default, told = Settings(), {}
        for each in fields(Settings):
            value = getattr(self.settings, each.name)
            if value != getattr(default, each.name):
                told[variable(each.metadata["key"])] = str(value)
        self.project.sparse("run", "-n", topology, **told, **self.environ)

    @property
    def run(self) -> "subprocess.Popen[str]":
        return self.project.running[-1]

    def said(self) -> str:
        """All that the last run printed."""
        return self.project.said(len(self.project.running) - 1)

    def stop(self) -> None:
        """SIGTERM, which a run in the background hears too."""
        self.run.terminate()
        code = self.run.wait(timeout=20)
        expect(code == _ENDED, f"the run ended with {code}, not {_ENDED}:\n{self.said()}")

    def pids(self, part: str) -> list[int]:
        """Processes of the run whose command line names `part`."""
        found = []
        for child in psutil.Process(self.run.pid).children(recursive=True):
            try:
                if part in " ".join(child.cmdline()).split():
                    found.append(child.pid)
            except psutil.NoSuchProcess:
                continue
        return sorted(found)

    def kill(self, part: str) -> int:
        """kill -9 of one process, as soon as there is one; its pid."""
        self.until(lambda: self.pids(part), f"process {part}", 60)
        pid = self.pids(part)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def until(self, condition: Callable[[], object], what: str, limit_s: float) -> float:
        """Wait, s; raises ChaosFailed when it takes over `limit_s`, or the run ended.

        A service that does not answer us either is waited for.
        """
        begin = time.monotonic()
        while not _holds(condition):
            if time.monotonic() - begin > limit_s:
                stacks = self._stacks()
                raise ChaosFailed(
                    f"no {what} in {limit_s:g} s; sparse said:\n{self.said()}\n{stacks}"
                )
            code = self.run.poll()
            expect(code is None, f"the run ended with {code} before {what}:\n{self.said()}")
            time.sleep(_POLL_S)
        return time.monotonic() - begin

    def _stacks(self) -> str:
        """Where each component stands, as it tells on SIGUSR1."""
        pids = [pid for part in (SPOUT, self.bolt) for pid in self.pids(part)]
        for pid in pids:
            os.kill(pid, signal.SIGUSR1)
        time.sleep(2)
        files = sorted(self.project.root.glob(".stormwatch/logs/*.stderr/*"))
        return "\n".join(f"{each.name}: {each.read_text()[-3000:]}" for each in files)

    def until_said(self, text: str, limit_s: float) -> None:
        """Wait for a sentence on the screen."""
        self.until(lambda: text in self.said(), f"word of {text!r}", limit_s)

    def add_bolt(self, module: Path, name: str = "FraudBolt") -> None:
        """Put the bolt `name` of a module in the place of the shipped one."""
        shutil.copy(module, self.project.root / "src" / "bolts" / module.name)
        wiring = self.project.root / "topologies" / "fraud.py"
        text, begin = wiring.read_text(), "from bolts.fraud import FraudBolt, "
        expect(begin in text, f"{wiring} has changed: {begin!r} is not in it")
        own = f"from bolts.{module.stem} import {name} as FraudBolt\nfrom bolts.fraud import "
        wiring.write_text(text.replace(begin, own))
        self.bolt = f"bolts.{module.stem}.{name}"


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except InfrastructureError:
        return False


@dataclass
class Project:
    """A streamparse project; `running` has every `sparse` that was started, dead or alive."""

    root: Path
    running: "list[subprocess.Popen[str]]" = field(default_factory=list)

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
                preexec_fn=end_with_parent,  # noqa: PLW1509 (it calls one function, loaded before)
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

    def end(self) -> None:
        """End every run, and kill what is left of them."""
        for child in self.running:
            child.terminate()
        for child in self.running:
            child.wait(timeout=30)
        for left in self.processes():
            with suppress(psutil.NoSuchProcess):
                left.kill()
