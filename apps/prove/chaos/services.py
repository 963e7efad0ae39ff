"""The Kafka and Cassandra that a campaign stands on, harm done to them, and a proxy before them."""

import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from apps.local.services import cassandra, kafka, manage, ports, process, registry
from apps.local.services.home import Home, Progress, silent
from apps.local.services.plan import ServicePlan
from apps.prove.chaos.errors import expect
from stormwatch.settings import Settings

_PLANS: dict[str, Callable[..., ServicePlan]] = {
    kafka.NAME: kafka.plan,
    cassandra.NAME: cassandra.plan,
}
_STOP_S = 30.0
_OFF_HEAP = "memtable_allocation_type: offheap_objects\n"
_ON_HEAP = "memtable_allocation_type: heap_buffers\n"


@dataclass
class OwnServices:
    """Services of `home`, whose registry knows their pids and ports."""

    home: Home

    @contextmanager
    def paused(self, service: str) -> Iterator[None]:
        """SIGSTOP, and SIGCONT at the end whatever happens."""
        pid = registry.read(self.home)[service].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def down(self, service: str, *, kill: bool = True) -> Iterator[None]:
        """kill -9 or stop now; started on the same ports and data at the end whatever happens."""
        entry = registry.read(self.home)[service]
        if kill:
            os.kill(entry.pid, signal.SIGKILL)
        process.stop([entry.identity], _STOP_S)
        try:
            yield
        finally:
            plan = partial(_ours, _PLANS[service], chosen=entry.ports)
            manage.ensure(self.home, {service: plan}, silent)


@contextmanager
def own(
    root: Path, progress: Progress, *, old: bool = False
) -> Iterator[tuple[Settings, OwnServices]]:
    """A Kafka and a Cassandra for one campaign, on free ports; gone at the end, with their data.

    `old`: their JVMs are soon as they would be after hours (see `aged`); memtables, which fill and
    empty every quarter of an hour, are in Cassandra's heap, so that beside it a leak shows.
    """
    with tempfile.TemporaryDirectory(prefix="stormwatch-chaos-", ignore_cleanup_errors=True) as at:
        home = Home(root, Path(at), root / ".stormwatch" / "jars")
        taken: list[int] = []
        for _ in range(4):
            taken.append(ports.free(taken=taken))
        plans = {
            kafka.NAME: {"broker": taken[0], "controller": taken[1]},
            cassandra.NAME: {"native": taken[2], "storage": taken[3]},
        }
        try:
            entries = manage.ensure(
                home,
                {n: partial(_ours, _PLANS[n], chosen=p, old=old) for n, p in plans.items()},
                progress,
            )
            yield (
                manage.with_entries(Settings(run_dir=str(home.run_dir)), entries),
                OwnServices(home),
            )
        finally:
            manage.halt(home, list(registry.read(home)), silent)


def _ours(
    plan: Callable[..., ServicePlan],
    home: Home,
    progress: Progress,
    chosen: dict[str, int],
    old: bool = False,
) -> ServicePlan:
    """A plan on these ports; a campaign that is killed takes its services along."""
    made = plan(home, progress, **chosen)
    if old and made.name == cassandra.NAME:
        _reconfigure(home, _OFF_HEAP, _ON_HEAP)
    command = aged(made.command) if old else made.command
    return replace(made, command=command, with_parent=True)


def _reconfigure(home: Home, shipped: str, wanted: str) -> None:
    """Another line of cassandra.yaml; raises ChaosFailed when the shipped one is not in it."""
    config = home.run_dir / cassandra.NAME / "cassandra.yaml"
    text = config.read_text()
    expect(shipped in text, f"{config} has changed: {shipped!r} is not in it")
    config.write_text(text.replace(shipped, wanted))


def aged(command: list[str]) -> list[str]:
    """The same JVM, soon as it would be after hours: its greatest heap, every page of it touched,
    and what it runs compiled after a fiftieth of the usual calls, and once (by C1), by threads that
    do not come and go (each leaves some memory behind). It counts what it takes beside its heap:
    `jcmd PID VM.native_memory` tells what grows."""
    most = next(word for word in command if word.startswith("-Xmx"))
    first = command.index(most) + 1
    heap = [most.replace("-Xmx", "-Xms"), "-XX:+AlwaysPreTouch"]
    code = ["-XX:CompileThresholdScaling=0.02", "-XX:TieredStopAtLevel=1"]
    code += ["-XX:-UseDynamicNumberOfCompilerThreads"]
    count = ["-XX:NativeMemoryTracking=summary"]
    return [*command[:first], *heap, *code, *count, *command[first:]]


class TcpProxy:
    """Forwards 127.0.0.1:`port` to a local port; `cut` ends and refuses all until `mend`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.pause = 0.0
        """Seconds before each piece."""
        self.piece = 1 << 16
        """Bytes of a piece, at most."""
        self.mend()

    def cut(self) -> None:
        """Close every connection and the listening port."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()
        self._flowing.set()

    def mend(self) -> None:
        """Listen again, on the same port; let bytes flow."""
        self._flowing.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            self._start(self._accept, self._listener)

    def hang(self) -> None:
        """Keep connections open and pass nothing on until `mend`."""
        self._flowing.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._pairs += [near, far]
                self._start(self._pump, near, far)
                self._start(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(1 << 16):
                self._flowing.wait()
                for begin in range(0, len(data), self.piece):
                    time.sleep(self.pause)
                    sink.sendall(data[begin : begin + self.piece])
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _start(work: Callable[..., None], *args: object) -> None:
        threading.Thread(target=work, args=args, daemon=True).start()
