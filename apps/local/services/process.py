"""Processes that outlive the command that started them, told apart from strangers by pid and age.

Each has a session of its own: a Ctrl-C in the terminal reaches us and not them.
"""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from apps.local.services.home import set_aside
from apps.local.services.prctl import end_with_parent, wake_rarely

_SAME_START_S = 5.0
"""A pid is not reused so soon, and a clock that is set by a little does not matter."""

_children: dict[int, "subprocess.Popen[bytes]"] = {}
"""Ours to reap while this command lives."""


@dataclass(frozen=True)
class Identity:
    """A process, surely the same one later: pid and start time (s since 1970)."""

    pid: int
    started: float


def spawn(
    command: list[str], log: Path, env: Mapping[str, str], cwd: Path, with_parent: bool = False
) -> Identity:
    """Start `command`, with stdout and stderr in `log`; the logs before are set aside.

    What it writes is readable by its owner alone.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    set_aside(log)

    def prepare() -> None:
        os.umask(0o077)
        wake_rarely()
        if with_parent:
            end_with_parent()

    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=env,
            cwd=cwd,
            preexec_fn=prepare,  # noqa: PLW1509 (no thread runs here)
        )
    _children[child.pid] = child
    return Identity(child.pid, psutil.Process(child.pid).create_time())


def find(identity: Identity) -> psutil.Process | None:
    """The running process, or None when it has ended, whoever has its pid by now."""
    child = _children.get(identity.pid)
    if child is not None and child.poll() is not None:
        return None
    try:
        process = psutil.Process(identity.pid)
        same = abs(process.create_time() - identity.started) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def stop(identities: Iterable[Identity], grace_s: float = 8.0) -> None:
    """End them side by side: SIGTERM, and SIGKILL for what is left after `grace_s`.

    An interrupt shortens the grace to nothing: what runs is killed and the interrupt goes on.
    """
    running = [process for identity in identities if (process := find(identity))]
    try:
        for process in running:
            _signal(process, psutil.Process.terminate)
        _, running = psutil.wait_procs(running, timeout=grace_s)
    finally:
        for process in running:
            _signal(process, psutil.Process.kill)
        psutil.wait_procs(running, timeout=2)
        for pid in [pid for pid, child in _children.items() if child.poll() is not None]:
            del _children[pid]


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file for an error message, without the frames of Java's stacks."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 64_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return "(no log was written)"
    told = [line for line in text.splitlines() if not line.startswith(("\tat ", "\t... "))]
    return "\n".join(told[-lines:]) or "(the log is empty)"


def _signal(process: psutil.Process, send: Callable[[psutil.Process], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        send(process)
