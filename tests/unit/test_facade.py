"""What the author of a bolt may import from `stormwatch`, and nothing that is not said here."""

import subprocess
import sys
from pathlib import Path

import stormwatch

ROOT = Path(__file__).parents[2]


def test_the_facade_is_exactly_this() -> None:
    assert set(stormwatch.__all__) == {
        "BATCH_FIELDS", "RECORDS", "Decided", "Decision", "EndState", "Fragment",
        "InfrastructureError", "Parsed", "Reason", "Record", "Rejection", "StormwatchError",
        "Verdict",
    }  # fmt: skip
    assert all(getattr(stormwatch, name) is not None for name in stormwatch.__all__)


def test_it_brings_no_driver_and_no_storm_along() -> None:
    code = (
        "import sys, stormwatch\n"
        "heavy = {'numpy', 'kafka', 'confluent_kafka', 'cassandra', 'streamparse', 'pystorm'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": "src"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_it_tells_type_checkers_that_it_is_typed() -> None:
    assert (ROOT / "src" / "stormwatch" / "py.typed").is_file()
