"""Debian's Prometheus scrapes the server, and its rules fire on a planted fault."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from stormwatch.adapters.storm.resources import now_ms
from tests.models.asked import ROOT, Api, asked

pytestmark = pytest.mark.slow
OPS = ROOT / "ops" / "prometheus"


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of prometheus and promtool: installed, or unpacked from Debian's package."""
    if found := shutil.which("prometheus"):
        return Path(found).parent
    if not shutil.which("apt-get"):
        pytest.skip("prometheus is not installed, and there is no Debian package of it here")
    place = tmp_path_factory.mktemp("prometheus")
    command = "apt-get download prometheus && dpkg -x *.deb ."
    done = subprocess.run(command, shell=True, cwd=place, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"prometheus cannot be had: {done.stderr.decode()[-200:]}")
    return place / "usr" / "bin"


def test_the_rules_are_well_formed(binaries: Path) -> None:
    done = subprocess.run(
        [str(binaries / "promtool"), "check", "rules", str(OPS / "rules.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "15 rules found" in done.stdout, done.stdout + done.stderr


def test_what_is_wrong_raises_its_alarm(binaries: Path, tmp_path: Path) -> None:
    with asked() as api:
        api.world.meter(now_ms(), 5)
        (tmp_path / "rules.yml").write_text(
            (OPS / "rules.yml").read_text().replace("for: 1m", "for: 1s")
        )
        config = (OPS / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:8765", f"127.0.0.1:{api.port}").replace("10s", "1s")
        (tmp_path / "prometheus.yml").write_text(config)
        with _prometheus(binaries, tmp_path) as base:
            until(lambda: _values(base, 'stormwatch_records_total{state="scored"}') == ["5"])
            until(lambda: _values(base, "up") == ["1"])
            assert _firing(base) == set()
            api.world.store.down = True
            until(lambda: "StormwatchStoreOrKafkaAway" in _firing(base))
            _back(api)
            until(lambda: _firing(base) == set())


def _back(api: Api) -> None:
    api.world.store.down = False


@contextmanager
def _prometheus(binaries: Path, place: Path) -> Iterator[str]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (place / "log").open("wb") as log:
        running = subprocess.Popen(
            [
                str(binaries / "prometheus"), f"--config.file={place / 'prometheus.yml'}",
                f"--storage.tsdb.path={place / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)


def _asked(base: str, path: str) -> Any:
    try:
        with urlopen(base + path, timeout=5) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def _values(base: str, name: str) -> list[str]:
    from urllib.parse import quote

    told = _asked(base, f"/api/v1/query?query={quote(name)}")
    return [one["value"][1] for one in told["result"]] if told else []


def _firing(base: str) -> set[str]:
    told = _asked(base, "/api/v1/alerts")
    some = told["alerts"] if told else []
    return {one["labels"]["alertname"] for one in some if one["state"] == "firing"}


def until(is_so: Any) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.3)
