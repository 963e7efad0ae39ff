"""Leiningen resolves every jar we run: from PATH, else installed where we may."""

import os
import shutil
import subprocess
from pathlib import Path

from apps.local.services.errors import ServiceError
from apps.local.services.home import Progress

_ADVICE = (
    "Install Leiningen and start again. Debian, Ubuntu: `sudo apt-get install leiningen`; "
    "macOS: `brew install leiningen`; elsewhere: put the script of https://leiningen.org "
    "on PATH as `lein` and make it executable."
)


def lein(progress: Progress) -> str:
    """Path of `lein`. As root on Debian or Ubuntu it is installed if missing.

    Raises ServiceError saying how to get it otherwise.
    """
    found = shutil.which("lein")
    if found:
        return found
    if not _may_install():
        raise ServiceError(f"There is no `lein` on PATH. {_ADVICE}")
    progress("leiningen", "installing the package leiningen with apt-get")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "leiningen"]):
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        )
    found = shutil.which("lein")
    if not found:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise ServiceError(f"`{' '.join(command)}` did not bring `lein`:\n{tail}\n{_ADVICE}")
    return found


def environment() -> dict[str, str]:
    """The environment for `lein`; without LEIN_ROOT it waits for a key when run as root."""
    return os.environ | {"LEIN_ROOT": "1"}


def _may_install() -> bool:
    debian = Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None
    return debian and os.geteuid() == 0
