"""Storm's log as a local run reads it: entries, and what they say of the Python components."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stormwatch.errors import SUSPECTED

_START = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (?P<level>[A-Z]+) +(?P<rest>.*)$")
_LAUNCHED = re.compile(
    r"\[Thread-\d+-(?P<name>.+?)-executor.*Launched subprocess with pid (?P<pid>\d+)"
)
_SHELL_LOG = re.compile(r"ShellLog pid:(?P<pid>\d+), name:(?P<name>\S+) (?P<text>.*)", re.DOTALL)
_EXECUTOR = re.compile(r"\[Thread-\d+-(?P<name>.+?)-executor")
_LAUNCH = "ShellProcess.launch("
_DIED = re.compile(r"pid:(?P<pid>\d+), name:(?P<name>\S+) exitCode:(?P<code>-?\d+)")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - \S+ - ")
TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True)
class Entry:
    """One log entry with its continuation lines."""

    level: str
    text: str


class Follower:
    """Reads what was added to a log file since it was last asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def lines(self) -> list[str]:
        """Whole lines that came; a file that was rolled is read from its start."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._offset, self._rest = 0, b""
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


@dataclass
class Journal:
    """What Storm's log has said since the JVM was started."""

    running: bool = False
    """The topology was accepted and is being run."""
    components: dict[int, str] = field(default_factory=dict)
    """Name of the component by the pid of its process."""
    mourned: list[int] = field(default_factory=list)
    """Pids whose death Storm told of, in that order."""
    exit_codes: dict[int, int] = field(default_factory=dict)
    tracebacks: list[tuple[str, str]] = field(default_factory=list)
    """(component or "", traceback), in order."""
    suspicions: list[str] = field(default_factory=list)
    """What a spout said of records that one process after the other died of."""
    unborn: str = ""
    """The component that ended before Storm knew its pid."""
    last_error: str = ""
    _open: Entry | None = None

    def read(self, lines: Sequence[str]) -> list[str]:
        """Take lines in; what components said at WARN or ERROR comes back, for the screen.

        An entry ends where the next one begins, or when nothing has come since the call before.
        """
        spoken = [] if lines else self.flush()
        for line in lines:
            start = _START.match(line)
            if start:
                spoken += self.flush()
                self._open = Entry(start["level"], start["rest"])
            elif self._open is not None:
                self._open = Entry(self._open.level, f"{self._open.text}\n{line}")
                self.running = self.running or "RUNNING LOCAL CLUSTER" in line
        return spoken

    def flush(self) -> list[str]:
        """End the entry that may still grow."""
        entry, self._open = self._open, None
        return [] if entry is None else self._take(entry)

    def traceback(self, name: str) -> str:
        """The last traceback that a component sent; "" is for those without a component's name."""
        return next((text for who, text in reversed(self.tracebacks) if who == name), "")

    def blame(self, dead: list[int]) -> int:
        """Of components that died together, the one that said why; else the one that Storm told
        of first: it ends the others with itself."""
        named = [name for name, _ in self.tracebacks]
        said = [pid for pid in dead if self.components[pid] in named]
        return next(iter([*said, *(pid for pid in self.mourned if pid in dead), *dead]))

    def _take(self, entry: Entry) -> list[str]:
        if launched := _LAUNCHED.search(entry.text):
            self.components[int(launched["pid"])] = launched["name"]
        said = _SHELL_LOG.search(entry.text)
        died = _DIED.search(entry.text)
        if died:
            self._died(int(died["pid"]), int(died["code"]))
        if TRACEBACK in entry.text:
            who = said or died
            self.tracebacks.append((who["name"] if who else "", _python(entry.text)))
        executor = _EXECUTOR.search(entry.text)
        if entry.level == "ERROR" and executor and _LAUNCH in entry.text:
            self.unborn = executor["name"]
        if entry.level == "ERROR" and not said:
            self.last_error = "\n".join(entry.text.splitlines()[:4])
        if said and entry.level in ("WARN", "ERROR") and TRACEBACK not in entry.text:
            text = f"{said['name']}: {_STAMP.sub('', said['text']).rstrip()}"
            if SUSPECTED in text:
                self.suspicions.append(text)
            return [text]
        return []

    def _died(self, pid: int, code: int) -> None:
        if pid not in self.mourned:
            self.mourned.append(pid)
        if code >= 0:  # -1 is Storm's word for not yet known
            self.exit_codes.setdefault(pid, code)


def _python(text: str) -> str:
    """From the traceback's first line to the exception, without the Java frames that follow."""
    kept = []
    for line in text[text.index(TRACEBACK) :].splitlines():
        if line.startswith("\tat "):
            break
        kept.append(line)
    return "\n".join(kept).rstrip()
