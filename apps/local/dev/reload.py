"""A run that begins again whenever a source file changes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from apps.local.run.signals import Signals

LOOK_EVERY_S = 0.5
LEAVE_S = 15.0
"""A run that was asked to end may take so long."""
FOLDERS = ("src", "topologies")

Times = dict[Path, int]


def times(root: Path) -> Times:
    """When each source file was last changed."""
    out: Times = {}
    for folder in FOLDERS:
        for path in (root / folder).rglob("*.py"):
            try:
                out[path] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # an editor replaces files; the next look sees it
    return out


def changed(before: Times, after: Times) -> list[Path]:
    """Files that are new, other or gone."""
    either = before.keys() | after.keys()
    return sorted(path for path in either if before.get(path) != after.get(path))


def keep_running(
    command: Sequence[str], root: Path, say: Callable[[str], None], *, wait: bool = True
) -> int:
    """Run `command` again at each change, until Ctrl-C or until it ends by itself with 0.

    The exit code: 0, or 130 after Ctrl-C. A run that fails waits for the change that mends it;
    without `wait` its exit code is ours.
    """
    with Signals() as signals:
        signals.only_ask()
        while not signals.asked:
            seen = times(root)
            child = _start(command, root)
            files: list[Path] = []
            told = False
            while not signals.asked and not files:
                signals.pause(LOOK_EVERY_S)
                code = child.poll()
                if code == 0 or (code is not None and not wait and not signals.asked):
                    return code
                if code is not None and not told and not signals.asked:
                    say(f"ended with code {code}; waiting for a change in {' or '.join(FOLDERS)}")
                    told = True
                files = changed(seen, times(root))
            _end(child)
            if files:
                names = ", ".join(str(path.relative_to(root)) for path in files)
                say(f"{names} changed: reloading")
        return signals.code


def _start(command: Sequence[str], root: Path) -> "subprocess.Popen[bytes]":
    # In a session of its own: Ctrl-C reaches it through us, once. It ends when we do.
    tied = [sys.executable, "-m", "apps.local.run.with_parent", str(os.getpid()), *command]
    return subprocess.Popen(tied, cwd=root, start_new_session=True)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        end = time.monotonic() + LEAVE_S
        while child.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if child.poll() is None:
            child.kill()
            child.wait()
