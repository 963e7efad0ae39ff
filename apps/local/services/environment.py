"""What components may see of our own environment: the virtualenv's programs, not our source tree.

Components import what is in the topology's jar, in local mode as on a cluster.
"""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_OWN = {str(_ROOT), str(_ROOT / "src")}


def for_components() -> dict[str, str]:
    """Ours, with `streamparse_run` on PATH and without our source tree on PYTHONPATH."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [path for path in given if path and path not in _OWN]
    out = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    out["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{out.get('PATH', os.defpath)}"
    return out | ({"PYTHONPATH": os.pathsep.join(kept)} if kept else {})


def leave_import_path() -> None:
    """A topology's `bolts` and `spouts` are those of the directory it is in, not ours."""
    sys.path[:] = [path for path in sys.path if path not in _OWN]
