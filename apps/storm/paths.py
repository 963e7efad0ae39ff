"""Our own source tree on the import path, and off it again for what must see only the project's."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_OWN = {str(_ROOT), str(_ROOT / "src")}


def leave_import_path() -> None:
    """A topology's `bolts` and `spouts` are those of the directory it is in, not ours."""
    sys.path[:] = [path for path in sys.path if path not in _OWN]


def leave_environment() -> None:
    """The virtualenv's programs on PATH, and our source tree off PYTHONPATH.

    Components then import what is in the jar, as on a cluster.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    given = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [path for path in given if path and path not in _OWN]
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
