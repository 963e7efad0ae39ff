"""Models of the registry as folders of this machine, one for each artefact, kept for the next."""

import os
import shutil
import tempfile
from pathlib import Path

from stormwatch.errors import ModelError
from stormwatch.rollout import folder as packed


def folder_of(name: str, artefact: bytes) -> Path:
    """The folder that holds this artefact, which is named `name`. Raises ModelError.

    Written whole or not at all, by whichever process is first; one that was changed since is
    written again.
    """
    root = Path(tempfile.gettempdir()) / f"stormwatch-models-{os.getuid()}"
    place = root / name
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        if root.stat().st_uid != os.getuid():
            raise ModelError(f"{root} is another user's. Remove it, or set TMPDIR.")
        if place.is_dir() and _is(place, artefact):
            return place
        made = Path(tempfile.mkdtemp(dir=root, prefix="."))
        try:
            packed.unpack(artefact, made)
            if place.is_dir():
                shutil.rmtree(place)
            made.rename(place)
        except OSError:
            if not (place.is_dir() and _is(place, artefact)):  # else another process was first
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"{place} cannot be written ({error.strerror}): a model is unpacked there. Make room, "
            "or set TMPDIR."
        ) from error
    return place


def _is(place: Path, artefact: bytes) -> bool:
    try:
        return packed.pack(place) == artefact
    except ModelError:
        return False
