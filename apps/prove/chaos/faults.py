"""What is done to processes, services, connections and disks under a running topology."""

import errno
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from apps.local.services import process
from apps.prove.chaos.campaign import START_S, Trial
from apps.prove.chaos.errors import ChaosFailed
from apps.prove.chaos.run import JVM, SPOUT
from apps.prove.chaos.services import TcpProxy

KAFKA_GONE = "Kafka does not answer, waiting for it"
KAFKA_BACK = "Kafka answers again"
CASSANDRA_GONE = "will be tried again: Cassandra"
_TOLD_S = 60.0


def kill_bolt(trial: Trial) -> None:
    """One bolt."""
    trial.kill(trial.environment.bolt, trial.random.uniform(0.05, 0.3))


def kill_spout(trial: Trial) -> None:
    """One spout, with a batch in flight."""
    trial.kill(SPOUT, trial.random.uniform(0.05, 0.3))


def kill_jvm(trial: Trial) -> None:
    """Storm's worker: the bolts may outlive it for a moment."""
    trial.kill(JVM, trial.random.uniform(0.05, 0.3))


def kill_three(trial: Trial) -> None:
    """As many as the wrapper forgives within ten minutes, of any kind."""
    for low in (0.05, 0.25, 0.45):
        part = trial.random.choice((trial.environment.bolt, SPOUT, JVM))
        trial.kill(part, trial.random.uniform(low, low + 0.1))


def kill_late(trial: Trial) -> None:
    """One bolt, when it holds most of the states."""
    trial.kill(trial.environment.bolt, trial.random.uniform(0.6, 0.75))


def burst(trial: Trial) -> None:
    """Thirty for each 20,000 records, whatever runs."""
    trial.at(0.02)
    trial.burst(30 * max(1, trial.count // 20_000), (trial.environment.bolt, SPOUT, JVM))


def pause_bolt(trial: Trial, seconds: float) -> None:
    """A bolt stands still and may come back as a zombie."""
    trial.at(trial.random.uniform(0.05, 0.2))
    trial.restarts = None
    with trial.paused(trial.environment.bolt):
        trial.wait(seconds)


def kill_kafka(trial: Trial, seconds: float, times: int = 1) -> None:
    """kill -9 of the broker; started again on the same data."""
    trial.at(0.05)
    for turn in range(times):
        with trial.environment.own_services.down("kafka"):
            trial.environment.tell("killed Kafka with SIGKILL")
            _said_again(trial, KAFKA_GONE, turn, _TOLD_S)
            trial.environment.tell(f"sparse says: {KAFKA_GONE}")
            trial.wait(seconds)
        trial.environment.tell("Kafka runs again")
        trial.fell()
        _said_again(trial, KAFKA_BACK, turn, START_S)
        trial.more(trial.later(2000, f"after-{turn}"))


def hang_cassandra(trial: Trial, seconds: float) -> None:
    """SIGSTOP: connections stand, nothing answers."""
    _without_cassandra(
        trial, seconds, trial.environment.own_services.paused("cassandra"), "SIGSTOP", "goes on"
    )


def stop_cassandra(trial: Trial, seconds: float) -> None:
    """An orderly stop, and a start on the same data."""
    down = trial.environment.own_services.down("cassandra", kill=False)
    _without_cassandra(trial, seconds, down, "SIGTERM", "runs again")


def kill_cassandra(trial: Trial, times: int) -> None:
    """kill -9, and a start on the same data."""
    for turn in range(times):
        down = trial.environment.own_services.down("cassandra")
        _without_cassandra(trial, 1, down, "SIGKILL", "runs again", 0.05 + turn / 10)
        trial.kills += 1


def _without_cassandra(
    trial: Trial, seconds: float, away: AbstractContextManager[None], signal: str, back: str,
    share: float = 0.05,
) -> None:  # fmt: skip
    trial.at(share)
    before = trial.environment.said().count(CASSANDRA_GONE)
    with away:
        trial.environment.tell(f"stopped Cassandra with {signal}")
        _said_again(trial, CASSANDRA_GONE, before, _TOLD_S)
        trial.environment.tell("sparse says: … a batch " + CASSANDRA_GONE + " …")
        trial.wait(seconds)
    trial.environment.tell(f"Cassandra {back}")
    trial.fell()


@contextmanager
def behind_a_proxy(trial: Trial) -> Iterator[Mapping[str, object]]:
    """Cassandra is met through a proxy that can be slow, silent or gone."""
    trial.proxy = TcpProxy(trial.environment.settings.cassandra_port)
    try:
        yield {"cassandra_port": trial.proxy.port}
    finally:
        trial.proxy.cut()


def slow_cassandra(trial: Trial) -> None:
    """Through the proxy of the stage: late, then cut off, then silent."""
    proxy = trial.proxy
    assert proxy is not None
    trial.at(0.05)
    proxy.pause = 0.3
    trial.environment.tell("every answer of Cassandra comes 0.3 s late")
    trial.wait(10)
    proxy.pause = 0.0
    for _ in range(3):
        proxy.cut()
        trial.environment.tell("every connection to Cassandra is reset")
        trial.wait(trial.random.uniform(0.5, 2.0))
        proxy.mend()
        trial.wait(trial.random.uniform(1.0, 3.0))
    proxy.hang()
    trial.environment.tell("connections to Cassandra stand and pass nothing on")
    trial.wait(15)
    proxy.mend()
    trial.environment.tell("Cassandra answers as it did")
    trial.fell()


def _said_again(trial: Trial, words: str, times: int, limit_s: float) -> None:
    trial.environment.until(lambda: trial.environment.said().count(words) > times, words, limit_s)


def gauntlet(trial: Trial) -> None:
    """All of these in one run, in an order by chance; commits have to move again after each."""
    parts = {"bolt": trial.environment.bolt, "spout": SPOUT, "JVM": JVM}
    harms: list[tuple[str, Callable[[], None]]] = [
        (f"{name} killed", partial(trial.kill, part, 0.0)) for name, part in parts.items()
    ]
    harms += [
        ("bolt paused", partial(pause_bolt, trial, 20)),
        ("Kafka killed", partial(kill_kafka, trial, 2)),
        ("Cassandra hung", partial(hang_cassandra, trial, 5)),
        ("Cassandra stopped", partial(stop_cassandra, trial, 5)),
    ]
    trial.random.shuffle(harms)
    some, took = trial.count // 2, []
    for number, (name, harm) in enumerate(harms):
        trial.more(trial.later(some, f"part-{number}", trial.random.randrange(1 << 30)))
        harm()
        took.append(f"{name} {trial.moved(START_S):.1f} s")
    trial.restarts = trial.kills
    trial.notes.append(f"Until commits moved again: {', '.join(took)}.")


SIZE_MIB = 512
_PIECES = (1 << 20, 1 << 12)
"""First large, then what is left."""
_FULL_S = 15
_WORDS = ("No space left", "SIGBUS", "unsafe memory access")
_TOLD = {"cassandra": CASSANDRA_GONE, "kafka": KAFKA_GONE}


@contextmanager
def small(trial: Trial, service: str) -> Iterator[Mapping[str, object]]:
    """The data lies on a tmpfs of SIZE_MIB. Raises ChaosFailed where none may be mounted."""
    own_services = trial.environment.own_services
    data = own_services.home.run_dir / service / "data"
    aside = data.with_name("data.before")
    with own_services.down(service, kill=False):
        data.rename(aside)
        data.mkdir()
        _call("mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "stormwatch-chaos", str(data))
        _call("cp", "-a", "--sparse=always", f"{aside}/.", str(data))
    try:
        yield {}
    finally:
        _call("umount", "--lazy", str(data))  # the service lives on until the campaign is over


def fill(trial: Trial, service: str) -> None:
    """Not a byte is left for a while; then there is room again, and the service is restarted."""
    environment = trial.environment
    trial.at(0.05)
    ballast = environment.own_services.home.run_dir / service / "data" / "ballast"
    _fill(ballast)
    environment.tell(f"the disk of {service} is full")
    try:
        environment.until(partial(_told, trial, service, ballast), f"word of {service}", START_S)
        environment.tell(f"sparse says: … {_TOLD[service]} …")
        for _ in range(_FULL_S):
            _fill(ballast)
            trial.wait(1)
        home = environment.own_services.home
        said = complaint(home.log(service), home.run_dir / service)
        environment.tell(f"{service} says: {said}")
        trial.notes.append(f"{service} said: {said}")
    finally:
        ballast.unlink()
    environment.tell("there is room again")
    with environment.own_services.down(service, kill=False):
        pass
    environment.tell(f"{service} was started again")
    trial.fell()


def _told(trial: Trial, service: str, ballast: Path) -> bool:
    _fill(ballast)  # what was deleted meanwhile is no room either
    return _TOLD[service] in trial.environment.said()


def _fill(ballast: Path) -> None:
    """Until the disk takes no more."""
    with ballast.open("ab", buffering=0) as out:
        for piece in _PIECES:
            try:
                while True:
                    out.write(bytes(piece))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def complaint(log: Path, folder: Path) -> str:
    """The first line that tells of the disk, in a service's log or in what its JVM left when a
    page of a mapped file could not be written."""
    for path in (log, *sorted(folder.glob("hs_err_*.log"))):
        for line in path.read_text(errors="replace").splitlines():
            if any(word in line for word in _WORDS):
                return line.strip("# ")[:200]
    return f"nothing of its disk; the end of its log: {process.tail(log, 1)}"


def _call(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ChaosFailed(
            f"`{' '.join(command)}` failed: {done.stderr.strip()}. This campaign mounts a small "
            "disk, which takes root on Linux."
        )
