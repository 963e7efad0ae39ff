"""A campaign as it runs: what its harm may do, and what is noted of it."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from random import Random

from apps.chaos.scene import JVM, Scene, committed
from apps.chaos.traffic import KeyValue
from stormwatch.ledger import TopicLedger

START_S = 240.0
"""For a topology's start on a machine that is busy."""
RESTART_S = 60.0


class Play:
    """A scene with `count` records published, and chance from a seed."""

    def __init__(self, scene: Scene, seed: int, count: int) -> None:
        self.scene, self.count = scene, count
        self.random = Random(seed)
        self.kills = 0
        self.told: list[str] = []
        """What the screen of the run has to say."""
        self.ended_at = 0.0
        self.before = 0
        """When the last fault ended (monotonic s), and how many offsets were committed then."""

    def at(self, share: float) -> None:
        """Wait until this share of the records has an end state."""
        self.scene.until_ended(int(share * self.count), START_S)

    def more(self, records: Iterable[KeyValue]) -> None:
        """Publish more records."""
        self.count += len(self.scene.publish(records))

    def kill(self, part: str, share: float) -> None:
        """kill -9 of a process at that share; until the topology is started again."""
        self.at(share)
        pid = self.scene.kill(part)
        self.fell()
        self.kills += 1
        self.scene.tell(f"killed {part} (pid {pid}) with SIGKILL")
        dead = f"(pid {pid}) died" if part != JVM else "Storm's JVM died: killed by signal 9"
        self.told.append(dead)
        self.scene.until_said(f"restarting the topology in place ({self.kills} of at most", 30)
        self.scene.tell(f"sparse says: … {dead}; restarting the topology in place")

    @contextmanager
    def paused(self, part: str) -> Iterator[None]:
        """SIGSTOP of a process; SIGCONT at the end unless it is gone by then."""
        self.scene.until(lambda: self.scene.pids(part), f"a process {part}", RESTART_S)
        pid = self.scene.pids(part)[0]
        os.kill(pid, signal.SIGSTOP)
        self.scene.tell(f"stopped {part} (pid {pid}) with SIGSTOP")
        try:
            yield
        finally:
            here = pid in self.scene.pids(part)
            if here:
                os.kill(pid, signal.SIGCONT)
            self.scene.tell(f"pid {pid} {'goes on' if here else 'was ended meanwhile'}")
            self.fell()

    def wait(self, seconds: float) -> None:
        """Let the fault last, looking at the ledger when it can be seen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))

    def fell(self) -> None:
        """The fault ends now, or strikes at once and is over."""
        self.ended_at = time.monotonic()
        self.before = committed(self._look())

    def _look(self) -> TopicLedger:
        found: list[TopicLedger] = []

        def seen() -> bool:
            with self.scene.watching() as ledger:
                found.append(ledger())
            return True

        self.scene.until(seen, "answer of Kafka and Cassandra", RESTART_S)
        return found[-1]
