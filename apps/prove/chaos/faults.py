"""What is done to processes, services, connections and disks under a running topology."""

import errno
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from apps.local.services import process
from apps.prove.chaos.campaign import START_S, Play
from apps.prove.chaos.errors import ChaosFailed
from apps.prove.chaos.run import JVM, SPOUT
from apps.prove.chaos.services import TcpProxy

KAFKA_GONE = "Kafka does not answer, waiting for it"
KAFKA_BACK = "Kafka answers again"
CASSANDRA_GONE = "will be tried again: Cassandra"
_TOLD_S = 60.0


def kill_bolt(play: Play) -> None:
    """One bolt."""
    play.kill(play.scene.bolt, play.random.uniform(0.05, 0.3))


def kill_spout(play: Play) -> None:
    """One spout, with a batch in flight."""
    play.kill(SPOUT, play.random.uniform(0.05, 0.3))


def kill_jvm(play: Play) -> None:
    """Storm's worker: the bolts may outlive it for a moment."""
    play.kill(JVM, play.random.uniform(0.05, 0.3))


def kill_three(play: Play) -> None:
    """As many as the wrapper forgives within ten minutes, of any kind."""
    for low in (0.05, 0.25, 0.45):
        part = play.random.choice((play.scene.bolt, SPOUT, JVM))
        play.kill(part, play.random.uniform(low, low + 0.1))


def kill_late(play: Play) -> None:
    """One bolt, when it holds most of the states."""
    play.kill(play.scene.bolt, play.random.uniform(0.6, 0.75))


def burst(play: Play) -> None:
    """Thirty for each 20,000 records, whatever runs."""
    play.at(0.02)
    play.burst(30 * max(1, play.count // 20_000), (play.scene.bolt, SPOUT, JVM))


def pause_bolt(play: Play, seconds: float) -> None:
    """A bolt stands still and may come back as a zombie."""
    play.at(play.random.uniform(0.05, 0.2))
    play.restarts = None
    with play.paused(play.scene.bolt):
        play.wait(seconds)


def kill_kafka(play: Play, seconds: float, times: int = 1) -> None:
    """kill -9 of the broker; started again on the same data."""
    play.at(0.05)
    for turn in range(times):
        with play.scene.stand.down("kafka"):
            play.scene.tell("killed Kafka with SIGKILL")
            _said_again(play, KAFKA_GONE, turn, _TOLD_S)
            play.scene.tell(f"sparse says: {KAFKA_GONE}")
            play.wait(seconds)
        play.scene.tell("Kafka runs again")
        play.fell()
        _said_again(play, KAFKA_BACK, turn, START_S)
        play.more(play.later(2000, f"after-{turn}"))


def hang_cassandra(play: Play, seconds: float) -> None:
    """SIGSTOP: connections stand, nothing answers."""
    _without_cassandra(play, seconds, play.scene.stand.paused("cassandra"), "SIGSTOP", "goes on")


def stop_cassandra(play: Play, seconds: float) -> None:
    """An orderly stop, and a start on the same data."""
    down = play.scene.stand.down("cassandra", kill=False)
    _without_cassandra(play, seconds, down, "SIGTERM", "runs again")


def kill_cassandra(play: Play, times: int) -> None:
    """kill -9, and a start on the same data."""
    for turn in range(times):
        down = play.scene.stand.down("cassandra")
        _without_cassandra(play, 1, down, "SIGKILL", "runs again", 0.05 + turn / 10)
        play.kills += 1


def _without_cassandra(
    play: Play, seconds: float, away: AbstractContextManager[None], signal: str, back: str,
    share: float = 0.05,
) -> None:  # fmt: skip
    play.at(share)
    before = play.scene.said().count(CASSANDRA_GONE)
    with away:
        play.scene.tell(f"stopped Cassandra with {signal}")
        _said_again(play, CASSANDRA_GONE, before, _TOLD_S)
        play.scene.tell("sparse says: … a batch " + CASSANDRA_GONE + " …")
        play.wait(seconds)
    play.scene.tell(f"Cassandra {back}")
    play.fell()


@contextmanager
def behind_a_proxy(play: Play) -> Iterator[Mapping[str, object]]:
    """Cassandra is met through a proxy that can be slow, silent or gone."""
    play.proxy = TcpProxy(play.scene.settings.cassandra_port)
    try:
        yield {"cassandra_port": play.proxy.port}
    finally:
        play.proxy.cut()


def slow_cassandra(play: Play) -> None:
    """Through the proxy of the stage: late, then cut off, then silent."""
    proxy = play.proxy
    assert proxy is not None
    play.at(0.05)
    proxy.pause = 0.3
    play.scene.tell("every answer of Cassandra comes 0.3 s late")
    play.wait(10)
    proxy.pause = 0.0
    for _ in range(3):
        proxy.cut()
        play.scene.tell("every connection to Cassandra is reset")
        play.wait(play.random.uniform(0.5, 2.0))
        proxy.mend()
        play.wait(play.random.uniform(1.0, 3.0))
    proxy.hang()
    play.scene.tell("connections to Cassandra stand and pass nothing on")
    play.wait(15)
    proxy.mend()
    play.scene.tell("Cassandra answers as it did")
    play.fell()


def _said_again(play: Play, words: str, times: int, limit_s: float) -> None:
    play.scene.until(lambda: play.scene.said().count(words) > times, words, limit_s)


def gauntlet(play: Play) -> None:
    """All of these in one run, in an order by chance; commits have to move again after each."""
    parts = {"bolt": play.scene.bolt, "spout": SPOUT, "JVM": JVM}
    harms: list[tuple[str, Callable[[], None]]] = [
        (f"{name} killed", partial(play.kill, part, 0.0)) for name, part in parts.items()
    ]
    harms += [
        ("bolt paused", partial(pause_bolt, play, 20)),
        ("Kafka killed", partial(kill_kafka, play, 2)),
        ("Cassandra hung", partial(hang_cassandra, play, 5)),
        ("Cassandra stopped", partial(stop_cassandra, play, 5)),
    ]
    play.random.shuffle(harms)
    some, took = play.count // 2, []
    for number, (name, harm) in enumerate(harms):
        play.more(play.later(some, f"part-{number}", play.random.randrange(1 << 30)))
        harm()
        took.append(f"{name} {play.moved(START_S):.1f} s")
    play.restarts = play.kills
    play.notes.append(f"Until commits moved again: {', '.join(took)}.")


SIZE_MIB = 512
_PIECES = (1 << 20, 1 << 12)
"""First large, then what is left."""
_FULL_S = 15
_WORDS = ("No space left", "SIGBUS", "unsafe memory access")
_TOLD = {"cassandra": CASSANDRA_GONE, "kafka": KAFKA_GONE}


@contextmanager
def small(play: Play, service: str) -> Iterator[Mapping[str, object]]:
    """The data lies on a tmpfs of SIZE_MIB. Raises ChaosFailed where none may be mounted."""
    stand = play.scene.stand
    data = stand.home.run_dir / service / "data"
    aside = data.with_name("data.before")
    with stand.down(service, kill=False):
        data.rename(aside)
        data.mkdir()
        _call("mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "stormwatch-chaos", str(data))
        _call("cp", "-a", "--sparse=always", f"{aside}/.", str(data))
    try:
        yield {}
    finally:
        _call("umount", "--lazy", str(data))  # the service lives on until the campaign is over


def fill(play: Play, service: str) -> None:
    """Not a byte is left for a while; then there is room again, and the service is restarted."""
    scene = play.scene
    play.at(0.05)
    ballast = scene.stand.home.run_dir / service / "data" / "ballast"
    _fill(ballast)
    scene.tell(f"the disk of {service} is full")
    try:
        scene.until(partial(_told, play, service, ballast), f"word of {service}", START_S)
        scene.tell(f"sparse says: … {_TOLD[service]} …")
        for _ in range(_FULL_S):
            _fill(ballast)
            play.wait(1)
        home = scene.stand.home
        said = complaint(home.log(service), home.run_dir / service)
        scene.tell(f"{service} says: {said}")
        play.notes.append(f"{service} said: {said}")
    finally:
        ballast.unlink()
    scene.tell("there is room again")
    with scene.stand.down(service, kill=False):
        pass
    scene.tell(f"{service} was started again")
    play.fell()


def _told(play: Play, service: str, ballast: Path) -> bool:
    _fill(ballast)  # what was deleted meanwhile is no room either
    return _TOLD[service] in play.scene.said()


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
