"""Each system of the README, in a root of its own: its packages, then the first commands and the
tests that need no services, on that system's Python and Java.

Needs debootstrap and root's rights; about ten minutes and 2 GB a system.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.project import ROOT

README = (ROOT / "README.md").read_text()
TABLE = re.findall(r"^\| ((?:Debian|Ubuntu)[^|]*) \| `([^`]*)` \|$", README, re.M)
FROM_HERE = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
"""So that a mirror or proxy which this machine names is used inside as well."""


class System(NamedTuple):
    """A release, and the Python that it brings."""

    name: str
    suite: str
    python: str

    @property
    def packages(self) -> list[str]:
        """What the README says to install."""
        (row,) = [row for row in TABLE if self.name in _systems(row[0])]
        return row[1].split()


def _systems(cell: str) -> list[str]:
    """`Debian 13, 14; Ubuntu 24.04` -> each by name."""
    found = []
    for part in cell.split(";"):
        kind, *versions = re.findall(r"[A-Za-z]+|[\d.]+", part)
        found += [f"{kind} {version}" for version in versions]
    return found


SYSTEMS = [
    System("Debian 12", "bookworm", "3.11"),
    System("Debian 13", "trixie", "3.13"),
    System("Debian 14", "forky", "3.14"),
    System("Ubuntu 22.04", "jammy", "3.11"),
    System("Ubuntu 24.04", "noble", "3.12"),
]


def test_every_system_of_the_readme_is_tried() -> None:
    named = [system for cell, _ in TABLE for system in _systems(cell)]
    assert sorted(named) == sorted(system.name for system in SYSTEMS)


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_the_first_commands_and_the_tests(system: System, tmp_path: Path) -> None:
    root = tmp_path / "root"
    try:
        _make(system, root)
        _packages(system, root)
        _project(root)
        said = _inside(root, "./stormwatch", "doctor").stdout
        assert f"Python: {system.python}." in said, said
        assert not re.search(r"^\s*fail ", said, re.M), said
        done = _inside(root, "./stormwatch", "demo", "--seconds", "10")
        assert done.returncode == 0, done.stdout + done.stderr
        done = _inside(
            root, "./stormwatch", "test", "-q", "-m", "not slow and not integration", "tests",
            "-n", "2", "--dist", "loadfile",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _make(system: System, root: Path) -> None:
    """Skips aloud where no root can be made here."""
    if shutil.which("debootstrap") is None:
        pytest.skip("there is no debootstrap here (Debian, Ubuntu: apt-get install debootstrap)")
    if os.geteuid() != 0:
        pytest.skip("making a root for another system needs root's rights")
    is_ubuntu = system.name.startswith("Ubuntu")
    # A release that debootstrap does not know is made as its elders are; "": its script's mirror.
    known = Path("/usr/share/debootstrap/scripts", system.suite).exists()
    script = [] if known else ["", "gutsy" if is_ubuntu else "sid"]
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=ca-certificates",
         *(["--components=main,universe"] if is_ubuntu else []),
         system.suite, str(root), *script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"debootstrap cannot make {system.name}: {(done.stdout + done.stderr)[-500:]}")


def _packages(system: System, root: Path) -> None:
    for name in FROM_HERE:
        if (Path("/") / name).exists():
            (root / name).unlink(missing_ok=True)
            shutil.copy(Path("/") / name, root / name)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    assert "./stormwatch test` and `./stormwatch train` also need `libgomp1`" in README
    packages = [*system.packages, "libgomp1"]
    command = ["apt-get", "install", "-qy", "--no-install-recommends", *packages]
    done = _inside(root, *command, DEBIAN_FRONTEND="noninteractive")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _project(root: Path) -> None:
    """A copy of this checkout, as `git clone` would bring it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        (root / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / "project" / name)


def _inside(root: Path, *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run in the root, in the project once there is one; what it started ends with it."""
    folder = "/project" if (root / "project").exists() else "/"
    kept = {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy") or k[:4] == "PIP_"}
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
         'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && '
         'exec chroot "$0" sh -c \'cd "$0" && exec "$@"\' "$@"',
         str(root), folder, *command],
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "HOME": "/root", "LANG": "C.UTF-8", **kept, **environ},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
