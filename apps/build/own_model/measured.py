"""What a model folder costs, in a process of its own: CPU time a record, and memory.

python -m apps.build.own_model.measured FOLDER ROWS.npy
"""

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from stormwatch.errors import ModelError

_ROOT = Path(__file__).parents[3]
_ROUNDS, _BATCH, _SINGLE = 7, 500, 100
_LONG_S = 60.0


class Cost(NamedTuple):
    """Measured on this machine, with nothing else in the process but numpy."""

    us_1: float  # µs of CPU a record, one at a time
    us_500: float  # in batches of 500
    mb: float  # that the process grows by, with the engine


def of(folder: Path, rows: Path) -> Cost:
    """Of the model in `folder`, with rows of a .npy file. Raises ModelError where it fails."""
    environ = {
        **os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'src'}",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "apps.build.own_model.measured",
        str(folder.resolve()),
        str(rows.resolve()),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environ, timeout=_LONG_S * 2,
            cwd=_ROOT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"The model is too slow to be measured: {_LONG_S * 2:g} s.") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(f"The model fails in a process of its own: {last}") from error
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def _measure(folder: Path, file: Path) -> Cost:
    import numpy as np

    from stormwatch.models import load

    found = np.load(file)
    batch = np.resize(found, (_BATCH, found.shape[1]))
    singles = [batch[at : at + 1] for at in range(_SINGLE)]
    batch @ batch[0]  # numpy's own first buffers
    gc.collect()
    before = _resident_mb()
    model = load(folder)
    model.predict(batch)
    mb = _resident_mb() - before
    began, by_500, by_1 = time.monotonic(), list[float](), list[float]()
    while len(by_500) < _ROUNDS and (not by_500 or time.monotonic() - began < _LONG_S / 2):
        at = time.process_time()
        model.predict(batch)
        by_500.append((time.process_time() - at) / _BATCH * 1e6)
        at = time.process_time()
        for one in singles:
            model.predict(one)
        by_1.append((time.process_time() - at) / _SINGLE * 1e6)
    return Cost(round(min(by_1), 2), round(min(by_500), 3), round(max(mb, 0.0), 1))


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), Path(sys.argv[2]))))
