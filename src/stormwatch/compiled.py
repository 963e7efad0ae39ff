"""The optional compiled core (`native/`, docs/native-core.md): found where it is of this very code.

Python is the reference. An extension says of which reference it was built; one of another would
decide as that did, so it is not used.
"""

import logging
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

SOURCES = "0aaabec17e1b2fb6"
"""Of `native/`, which workers do not have: `digest` of its files. A test holds it to them."""

REFERENCE = (
    "compiled.py", "epochs.py", "records.py", "domains/fraud/event.py",
    "domains/fraud/features.py", "domains/fraud/habits.py", "domains/fraud/rates.py",
    "domains/fraud/state.py", "domains/maintenance/alarms.py", "domains/maintenance/domain.py",
    "domains/maintenance/event.py", "domains/maintenance/features.py",
    "domains/maintenance/health/clock.py", "domains/maintenance/health/suspects.py",
    "domains/maintenance/health/wearing.py", "domains/maintenance/judging.py",
    "domains/maintenance/memory.py", "domains/maintenance/native.py",
    "domains/maintenance/reorder.py", "domains/maintenance/sensors.py",
    "domains/maintenance/state.py", "models/conditions.py", "models/distribution.py",
    "models/interval.py", "models/networks.py", "models/tree_contributions.py", "models/trees.py",
    "state/envelope.py", "state/judge.py", "state/processor.py", "state/write_timestamps.py",
)  # fmt: skip
"""What the compiled core does the same as. With any change of these it has to be built anew."""

_PACKAGE = Path(__file__).parent


def digest(files: list[Path]) -> str:
    """Of the contents of files, in this order."""
    found = blake2b(digest_size=8)
    for file in files:
        told = file.read_bytes()
        found.update(len(told).to_bytes(8, "big") + told)
    return found.hexdigest()


@cache
def fingerprint() -> str:
    """What a compiled core of this code says of itself."""
    return digest([_PACKAGE / name for name in REFERENCE])


@cache
def core() -> ModuleType | None:
    """The compiled core; None where there is none, or none of this code, which is logged once."""
    found, wrong = look()
    if wrong:
        logging.getLogger(__name__).warning("%s", wrong)
    return None if wrong else found


def look() -> tuple[ModuleType | None, str]:
    """The extension that is installed, and why it is not used; "" where it is, or there is none."""
    try:
        import stormwatch_native
    except ModuleNotFoundError:
        return None, ""
    except ImportError as error:
        return None, (
            f"the compiled core that is installed cannot be loaded ({error}): all is decided in "
            "Python. Build it on this kind of machine: ./stormwatch native build"
        )
    if fingerprint() != stormwatch_native.FINGERPRINT:
        return stormwatch_native, (
            "the compiled core that is installed was built of other code: all is decided in "
            "Python. Build it anew: ./stormwatch native build"
        )
    return stormwatch_native, ""
