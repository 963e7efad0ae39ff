"""A disk of its own for a service's data, which somebody else fills."""

import errno
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from apps.local.services import process
from apps.prove.chaos.campaign import START_S, Play
from apps.prove.chaos.errors import ChaosFailed
from apps.prove.chaos.faults import CASSANDRA_GONE, KAFKA_GONE

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
