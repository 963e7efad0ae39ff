"""A sample of the rows that a model was trained on: CSV with a column for each feature.

It may also have the columns `label` (1: a fraud), `score` (what the model itself gave of the row)
and `entity` (whose row it is; of sequences, in order of time).
"""

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.build.own_model.source import Floats
from stormwatch.errors import ModelError


class Sample(NamedTuple):
    """As it stands in the file."""

    rows: Floats
    label: Floats | None
    score: Floats | None
    entity: list[str] | None


def read(path: Path, feature_names: tuple[str, ...]) -> Sample:
    """Raises ModelError for a file without a column for each feature, or with more than numbers."""
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            header = [name.strip() for name in file.readline().rstrip("\r\n").split(",")]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read as CSV: {error}.") from error
    lacking = [name for name in feature_names if name not in header]
    if lacking:
        raise ModelError(
            f"{path} has no column for {len(lacking)} of {len(feature_names)} features, the first "
            f"is {lacking[0]!r}. Its header names a column for each: ./stormwatch model rows "
            "writes such a file."
        )
    extra = [name for name in ("label", "score") if name in header]
    columns = [header.index(name) for name in (*feature_names, *extra)]
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=columns, ndmin=2)
    except ValueError as error:
        raise ModelError(f"{path} has something other than numbers: {error}.") from error
    rows = table[:, : len(feature_names)]
    if not np.isfinite(rows).all():
        line, column = np.argwhere(~np.isfinite(rows))[0]
        raise ModelError(
            f"{path}, line {line + 2}: {feature_names[column]} is {rows[line, column]}. Features "
            "are finite numbers."
        )
    found = {name: table[:, len(feature_names) + at] for at, name in enumerate(extra)}
    entity = None
    if "entity" in header:
        entity = np.loadtxt(
            path, delimiter=",", skiprows=1, usecols=header.index("entity"), dtype=str, ndmin=1
        ).tolist()
    return Sample(rows, found.get("label"), found.get("score"), entity)
