"""A project directory of its own for `sparse`, and what runs of it."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from apps.local.services.prctl import end_with_parent


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
