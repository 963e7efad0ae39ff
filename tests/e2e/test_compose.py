"""compose.yaml brought up by podman-compose: generated payments are decided in containers."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from apps.local.services import ports

ROOT = Path(__file__).parents[2]
NEEDED = ("buildah", "podman", "podman-compose", "runc", "mmdebstrap")
STORE = ("--storage-driver", "overlay")
CONTAINERS = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=8192:8192", "nproc=4096:4096"]
"""
STORAGE = """[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
"""
PROMETHEUS = """FROM localhost/stormwatch-base:test
RUN apt-get update && apt-get install -y --no-install-recommends prometheus \\
    && install -d -o 65534 /prometheus
USER 65534
ENTRYPOINT ["prometheus"]
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, NEEDED)),
        reason=f"images are built as root with {', '.join(NEEDED)}",
    ),
]


class Compose:
    """A project of compose.yaml, and what podman is told of it."""

    def __init__(self, folder: Path) -> None:
        (folder / "containers.conf").write_text(CONTAINERS)
        (folder / "storage.conf").write_text(STORAGE)
        self._name = f"sw{os.getpid()}"
        self.page = ports.free(8765)
        self.prometheus = ports.free(9090)
        self._environ = os.environ | {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "BASE": "localhost/stormwatch-base:test", "PROMETHEUS": "localhost/prometheus:test",
            "PAGE_PORT": str(self.page), "PROMETHEUS_PORT": str(self.prometheus),
        }  # fmt: skip

    def __call__(self, *command: str) -> str:
        return self.run("podman-compose", "-p", self._name, *command)

    def run(self, *command: str, cwd: Path = ROOT) -> str:
        done = subprocess.run(
            command, cwd=cwd, env=self._environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout

    def version(self) -> tuple[int, ...]:
        """Of podman-compose: the first two numbers."""
        found = re.search(r"podman-compose\w* version:?\s+(\d+)\.(\d+)", self("--version"))
        assert found
        return tuple(map(int, found.groups()))

    def state(self, service: str) -> tuple[str, int]:
        """(status, exit code) of its container."""
        found = self.run(
            "podman", "ps", "-a", "--format", "json",
            "--filter", f"label=com.docker.compose.service={service}",
            "--filter", f"label=com.docker.compose.project={self._name}",
        )  # fmt: skip
        [one] = json.loads(found)
        return one["State"], one["ExitCode"]


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Compose]:
    made = Compose(tmp_path)
    if made.version() < (1, 1):
        pytest.skip("podman-compose 1.0, as Debian 12 has it, knows no profiles: take pip's")
    # A build must not write into this machine's certificates (Java's package adds to them).
    certificates = tmp_path / "certificates"
    shutil.copytree("/etc/ssl/certs", certificates)
    build = [
        "buildah", *STORE, "bud", "--isolation", "chroot", "--network", "host", "--format",
        "docker", "--layers", "--volume", f"{certificates}:/etc/ssl/certs",
    ]  # fmt: skip
    if Path("/etc/pip.conf").exists():
        build += ["--volume", "/etc/pip.conf:/etc/pip.conf:ro"]
    base = tmp_path / "base"
    base.mkdir()
    packages = "--include=ca-certificates,python3,python3-venv"
    made.run("mmdebstrap", "--variant=minbase", packages, "bookworm", str(base / "base.tar"))
    (base / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
    made.run(*build, "-t", "localhost/stormwatch-base:test", ".", cwd=base)
    chosen = ["--build-arg", "BASE=localhost/stormwatch-base:test", "--target"]
    made.run(*build, *chosen, "system", "-t", "localhost/stormwatch-system", ".")
    made.run(*build, *chosen, "operator", "-t", "localhost/stormwatch", ".")
    (base / "Dockerfile").write_text(PROMETHEUS)
    made.run(*build, "-t", "localhost/prometheus:test", ".", cwd=base)
    try:
        yield made
    finally:
        made("--profile", "demo", "down", "-v", "-t", "5")


def test_payments_are_decided_in_containers(compose: Compose) -> None:
    compose("up", "-d", "--no-build")
    until = time.monotonic() + 900
    while (state := compose.state("topology"))[0] != "exited":
        assert time.monotonic() < until, compose("logs", "topology")
        time.sleep(3)
    assert state[1] == 0, compose("logs", "topology")
    compose("--profile", "demo", "run", "--rm", "--no-deps", "events")
    ended: dict[str, float] = {}
    while sum(ended.values()) < 2000:
        assert time.monotonic() < until, f"of 2000 payments these have ended: {ended}"
        time.sleep(3)
        ended = _ended(compose.page)
    assert ended["scored"] > 1900
    asked = f"http://127.0.0.1:{compose.prometheus}/api/v1/query?query=up"
    with urlopen(asked, timeout=30) as answer:
        [target] = json.load(answer)["data"]["result"]
    assert target["value"][1] == "1"


def _ended(page: int) -> dict[str, float]:
    """How many payments have come to which end, as the page's metrics say."""
    try:
        with urlopen(f"http://127.0.0.1:{page}/metrics", timeout=30) as answer:
            text = answer.read().decode()
    except OSError:  # it waits for Kafka and Cassandra before it listens
        return {}
    found = re.findall(r'stormwatch_records_total{domain="fraud",state="(\w+)"} (\S+)', text)
    return {state: float(count) for state, count in found}
