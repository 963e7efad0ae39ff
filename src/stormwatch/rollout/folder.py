"""A model's folder as one artefact: its plain files, by name."""

import re
from pathlib import Path

import msgspec

from stormwatch.errors import ModelError

MOST_BYTES = 200_000_000
"""Of a model: each scoring process loads it."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_read = msgspec.msgpack.Decoder(dict[str, bytes]).decode


def pack(folder: Path) -> bytes:
    """The same bytes for the same files. Raises ModelError."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        size = sum(path.stat().st_size for path in paths)
        if size > MOST_BYTES:
            raise ModelError(
                f"{folder} has {size / 1e6:,.0f} MB; a model of at most {MOST_BYTES / 1e6:,.0f} MB "
                "can be pushed. Make it smaller."
            )
        files = {path.name: path.read_bytes() for path in paths}
    except OSError as error:
        raise ModelError(
            f"{folder} is no folder of a model: {error.strerror}. One is made by "
            "./stormwatch model add."
        ) from error
    if wrong := [name for name in files if not _NAME.fullmatch(name)]:
        raise ModelError(
            f"{folder} has a file named {wrong[0]!r}. Rename it: letters, digits, . _ -"
        )
    return msgspec.msgpack.encode(files)


def unpack(artefact: bytes, folder: Path) -> None:
    """Into a folder that is there. Raises ModelError for what is no packed folder."""
    try:
        files = _read(artefact)
    except msgspec.DecodeError as error:
        raise ModelError(f"an artefact of the registry is no model's folder: {error}") from error
    for name, data in files.items():
        if not _NAME.fullmatch(name):
            raise ModelError(f"an artefact of the registry has a file named {name!r}")
        (folder / name).write_bytes(data)
