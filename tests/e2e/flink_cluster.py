"""A Flink cluster of one JobManager and one TaskManager, from the scripts in pip's package."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from apps.local.services import ports

_LIMIT_S = 180.0


@contextmanager
def cluster(venv: Path, place: Path, slots: int = 1) -> Iterator[str]:
    """HOST:PORT of its REST; it ends with the block. `venv` has apache-flink."""
    package = next((venv / "lib").glob("python*")) / "site-packages" / "pyflink"
    place.mkdir()
    (place / "lib").mkdir()
    for jar in (*(package / "lib").iterdir(), *(package / "opt").glob("flink-python-*.jar")):
        (place / "lib" / jar.name).symlink_to(jar)
    rest, rpc = (taken := [ports.free()])[0], ports.free(taken=taken)
    own = {
        "FLINK_LIB_DIR": str(place / "lib"),
        "FLINK_LOG_DIR": str(place),
    }
    told = {
        "rest.port": rest, "rest.address": "127.0.0.1", "rest.bind-address": "127.0.0.1",
        "jobmanager.rpc.address": "127.0.0.1", "jobmanager.rpc.port": rpc,
        "jobmanager.memory.process.size": "1024m", "taskmanager.memory.process.size": "1536m",
        "taskmanager.numberOfTaskSlots": slots,
    }  # fmt: skip
    options = [part for key, value in told.items() for part in ("-D", f"{key}={value}")]
    started = []
    try:
        for name in ("jobmanager", "taskmanager"):
            command = [str(package / "bin" / f"{name}.sh"), "start-foreground", *options]
            with (place / f"{name}.out").open("w") as out:
                started.append(
                    subprocess.Popen(command, env=os.environ | own, stdout=out, stderr=out)
                )
        _await_slots(f"http://127.0.0.1:{rest}/overview", slots, started)
        yield f"127.0.0.1:{rest}"
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_slots(url: str, slots: int, started: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + _LIMIT_S
    while True:
        try:
            with urlopen(url, timeout=5) as answer:
                if json.load(answer)["slots-available"] >= slots:
                    return
        except (URLError, OSError, ValueError):
            pass
        assert time.monotonic() < end, "Flink's cluster did not start"
        assert all(process.poll() is None for process in started), "Flink's cluster ended"
        time.sleep(0.5)
