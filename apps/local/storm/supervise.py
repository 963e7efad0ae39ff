"""Run a topology locally until its time is over, and never hang in silence.

Storm's local mode goes on as if nothing had happened when a Python bolt dies: its batches hang for
ever. So we watch the component processes ourselves, show why one died, and restart the topology in
place: a new JVM, the same command.
"""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apps.data.printable import lines_shown
from apps.local.services.process import tail
from apps.local.storm.flux import Topology
from apps.local.storm.journal import Follower, Journal
from apps.local.storm.local import LocalCluster, alive
from apps.local.storm.restarts import LIMIT, WINDOW_S, Restarts
from apps.local.storm.words import STARTED
from stormwatch.errors import lasting

_POLL_S = 0.25
_START_LIMIT_S = 120.0
"""From the JVM's start to the last component's process; 6 s on two idle cores."""
_BY_SIGNAL = 128
UNLEARNED = ": Storm did not learn its exit code"
_SETTLE_S, _SETTLE_LIMIT_S = 0.5, 6.0
"""After a death: until Storm has written why, and on a busy machine the exit code."""


@dataclass(frozen=True)
class Incident:
    """Why a run cannot go on as it is."""

    what: str
    why: str
    restart: bool = True


class Supervisor:
    """One `storm jar`."""

    def __init__(
        self, topology: Topology, launch: Callable[[], LocalCluster], log: Path, out: Path
    ) -> None:
        self._topology = topology
        self._launch = launch
        self._log = log
        self._out = out
        self._signal = 0

    def run(self, seconds: float) -> int:
        """Exit code: 0 at the end of the time, 128 + signal when ended by one, else 1."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ended_by)
        restarts = Restarts()
        end: float | None = None
        while True:
            follower, journal = Follower(self._log), Journal()
            cluster = self._launch()
            started = time.monotonic()
            try:
                incident = None
                while incident is None:
                    if self._signal:
                        cluster.rest(self._spouts(journal))
                        return 128 + self._signal
                    if end is not None and time.monotonic() >= end:
                        cluster.rest(self._spouts(journal))
                        return 0
                    time.sleep(_POLL_S)
                    before = len(journal.components)
                    self._say(journal.read(follower.lines()))
                    if len(journal.components) > before:
                        of = f"{len(journal.components)} of {self._topology.processes}"
                        self._say([f"{of} {STARTED}"])
                    if restarts.excuse(journal.suspicions):
                        self._say(["a record is being tried alone: this restart is not counted"])
                    if end is None and journal.running:
                        end = time.monotonic() + seconds
                    incident = self._look(cluster, journal, time.monotonic() - started)
                if self._signal:
                    return 128 + self._signal
                self._finish(cluster, follower, journal)
                incident = self._look(cluster, journal, time.monotonic() - started) or incident
            finally:
                cluster.stop()
            if sentence := lasting(incident.why):
                given_up = f"a restart would not mend that; giving up. Storm's log: {self._log}"
                self._say([f"{incident.what}: {sentence}", given_up])
                return 1
            self._say([incident.what, *filter(None, [incident.why])])
            if not incident.restart or not restarts.allow(time.monotonic()):
                return self._give_up(incident)
            self._say(
                [f"restarting the topology in place ({restarts.used} of at most {LIMIT} in "
                 f"{WINDOW_S / 60:.0f} minutes)"]
            )  # fmt: skip

    def _finish(self, cluster: LocalCluster, follower: Follower, journal: Journal) -> None:
        begin = time.monotonic()
        while (waited := time.monotonic() - begin) < _SETTLE_LIMIT_S:
            known = journal.exit_codes or cluster.exit_code() is not None
            if known and waited >= _SETTLE_S:
                break
            time.sleep(_POLL_S)
            self._say(journal.read(follower.lines()))
        self._say(journal.flush())

    def _spouts(self, journal: Journal) -> list[int]:
        return [pid for pid, name in journal.components.items() if name in self._topology.spouts]

    def _look(self, cluster: LocalCluster, journal: Journal, age_s: float) -> Incident | None:
        code = cluster.exit_code()
        program = "the ZooKeeper of this run" if cluster.zookeeper_ended() else "Storm's JVM"
        if code is not None and (code < 0 or cluster.zookeeper_ended()):
            # Its components end with it: none is to blame.
            return Incident(f"{program} died{_how(_BY_SIGNAL - code if code < 0 else code)}", "")
        dead = [pid for pid in journal.components if not alive(pid)]
        if journal.unborn and (dead or code is not None):  # the others ended with Storm
            return Incident(
                f"component {journal.unborn} ended before it had told Storm its pid",
                journal.traceback("") or journal.last_error,
            )
        if dead:
            pid = journal.blame(dead)
            name = journal.components[pid]
            return Incident(
                f"component {name} (pid {pid}) died{_died(journal, pid)}",
                journal.traceback(name)
                or cluster.stderr(pid)
                or journal.traceback("")
                or self._without_traceback(journal, pid),
            )
        if code is not None:
            why = journal.traceback("") or journal.last_error or tail(self._out)
            return Incident(f"Storm's JVM ended with code {code}", why, restart=journal.running)
        if len(journal.components) < self._topology.processes and age_s > _START_LIMIT_S:
            return Incident(
                f"only {len(journal.components)} of {self._topology.processes} components started "
                f"within {_START_LIMIT_S:.0f} s",
                self._without_traceback(journal),
            )
        return None

    def _without_traceback(self, journal: Journal, pid: int = 0) -> str:
        if journal.exit_codes.get(pid, 0) > _BY_SIGNAL:
            return ""
        return f"There is no traceback. {self._log} says:\n{journal.last_error or tail(self._log)}"

    def _give_up(self, incident: Incident) -> int:
        again = f"it died {LIMIT + 1} times in {WINDOW_S / 60:.0f} minutes" * incident.restart
        self._say([f"{again or 'the topology did not start'}; giving up. Storm's log: {self._log}"])
        return 1

    def _say(self, messages: list[str]) -> None:
        for message in messages:
            told = f"{self._topology.name}: {lines_shown(message)}"
            print(told, file=sys.stderr, flush=True)

    def _ended_by(self, number: int, frame: object) -> None:
        self._signal = number


def _died(journal: Journal, pid: int) -> str:
    """How it ended, as Storm says. On a busy machine Storm may tell of the death, and end, before
    its JVM has the exit code: nobody has it then."""
    if pid in journal.exit_codes:
        return _how(journal.exit_codes[pid])
    return UNLEARNED if pid in journal.mourned else ""


def _how(code: int) -> str:
    by_signal = code > _BY_SIGNAL
    return f": killed by signal {code - _BY_SIGNAL}" if by_signal else f" with code {code}"
