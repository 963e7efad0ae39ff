"""Numbered files of tables: what stores of several products share. Nothing is asked of a store."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stormwatch.errors import SchemaError

FOLDERS = {"cql": "schema/cql", "sql": "schema/spanner"}
"""Where the files of a kind are, from the root."""


class Migration(NamedTuple):
    """One numbered file."""

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def read(directory: Path, kind: str = "cql") -> list[Migration]:
    """The files `NNNN_name.KIND`, by number. Raises SchemaError unless they are 1, 2, 3, …"""
    out = []
    for path in sorted(directory.glob(f"*.{kind}")):
        if not (match := re.fullmatch(rf"(\d{{4}})_(\w+)\.{kind}", path.name)):
            raise SchemaError(f"{path} is not named NNNN_name.{kind}. Rename it.")
        text = path.read_text()
        bare = re.sub(r"--.*", "", text)
        statements = tuple(s.strip() for s in bare.split(";") if s.strip())
        checksum = hashlib.sha256(text.encode()).hexdigest()
        out.append(Migration(int(match[1]), match[2], checksum, statements))
    if [m.version for m in out] != list(range(1, len(out) + 1)) or not out:
        raise SchemaError(
            f"{directory} must contain 0001_….{kind}, 0002_….{kind}, … without gaps; it contains "
            f"{', '.join(f'{m.version:04}' for m in out) or 'none'}. Restore {FOLDERS[kind]}."
        )
    return out


def verify(
    applied: Mapping[int, str], files: Sequence[Migration], where: str, kind: str = "cql"
) -> None:
    """Raise SchemaError for tables newer than the files, or a file that was changed after it was
    applied. `where`: the keyspace or database, in words."""
    if applied and max(applied) > files[-1].version:
        raise SchemaError(
            f"The tables of {where} are of version {max(applied)}, newer than these "
            f"files' {files[-1].version}. Use the Stormwatch that made them."
        )
    for file in files:
        if applied.get(file.version, file.checksum) != file.checksum:
            raise SchemaError(
                f"schema {file.version:04}_{file.name}.{kind} was changed after it was applied to "
                f"{where}. Restore it and put the change into a new file, "
                f"{files[-1].version + 1:04}_….{kind}."
            )
