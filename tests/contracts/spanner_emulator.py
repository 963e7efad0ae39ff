"""Google's Spanner emulator as a process of the tests."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_connection

from apps.local.services import ports

_BESIDE_GCLOUD = Path("bin/cloud_spanner_emulator/emulator_main")
_ROOTS = (Path("/usr/lib/google-cloud-sdk"), Path("/opt/google-cloud-sdk"))


def binary() -> Path | None:
    """Where it is: on the PATH, or beside gcloud."""
    if found := shutil.which("emulator_main"):
        return Path(found)
    gcloud = shutil.which("gcloud")
    roots = [*([Path(gcloud).resolve().parents[1]] if gcloud else []), *_ROOTS]
    return next((root / _BESIDE_GCLOUD for root in roots if (root / _BESIDE_GCLOUD).exists()), None)


@contextmanager
def running(binary: Path) -> Iterator[str]:
    """host:port of a new one; what it holds ends with it."""
    address = f"127.0.0.1:{ports.free()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([binary, f"--host_port={address}"], **quiet)
    try:
        _until_open(address)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _until_open(address: str) -> None:
    host, _, port = address.partition(":")
    until = time.monotonic() + 30
    while True:
        try:
            with closing(create_connection((host, int(port)), 1)):
                return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.05)
