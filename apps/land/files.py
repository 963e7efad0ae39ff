"""Files as a source: a folder that is watched. A file is moved when all of it is in the log."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from apps.data import mappings
from apps.data.publish import Event
from apps.data.text_files import FileError
from apps.land.appender import Append, Appender
from apps.land.figures import Figures
from apps.land.streams import Stream
from stormwatch.errors import BrokerRefused, BrokerUnavailable, PackageMissing
from stormwatch.settings import Settings

logger = logging.getLogger(__name__)

LANDED, FAILED = "landed", "failed"
"""Folders within the watched one."""
SETTLE_S = 2.0
"""A file that has not changed for so long is complete."""
AT_ONCE = 1_000
RETRY_S = 1.0
_PARTIAL = re.compile(r"^\.|(\.tmp|\.part|\.partial|\.crdownload|~)$")


def ripe(folder: Path, now: float) -> list[Path]:
    """The files of a folder that are complete, by name. `now` in s since 1970."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            stat = path.stat()
        except OSError:  # moved in between
            continue
        if path.is_file() and not _PARTIAL.search(path.name) and now - stat.st_mtime >= SETTLE_S:
            found.append(path)
    return found


def events_of(settings: Settings, stream: Stream, path: Path) -> Iterator[Event]:
    """The records of a file. Raises FileError, PackageMissing."""
    if path.suffix == ".parquet":
        return (Event(stream.key(value), value) for value in _rows(path))
    run = re.sub(r"[^A-Za-z0-9-]", "-", path.name)
    return mappings.events_of(settings, [path], stream.kind.events, run, topic=stream.topic)


def carry(
    settings: Settings, folder: Path, stream: Stream, appender: Appender, figures: Figures,
    pause: Callable[[float], bool], once: bool = False,
) -> None:  # fmt: skip
    """Land what is in the folder and what comes, until `pause` says so; `once`: what is there.

    What dies in the middle of a file begins it anew: its records end as `duplicate`.
    """
    for name in (LANDED, FAILED):
        (folder / name).mkdir(exist_ok=True)
    while True:
        for path in ripe(folder, time.time()):
            try:
                landed = _land(settings, path, stream, appender, figures, pause)
            except (FileError, BrokerRefused) as error:
                _set_aside(folder, path, str(error))
                continue
            if not landed:
                return
            _move(path, folder / LANDED)
        if once or pause(1.0):
            return


def _land(
    settings: Settings, path: Path, stream: Stream, appender: Appender, figures: Figures,
    pause: Callable[[float], bool],
) -> bool:  # fmt: skip
    events: Iterator[Event] = iter(events_of(settings, stream, path))
    while some := list(islice(events, AT_ONCE)):
        appends = [Append(stream.topic, key, stream.bounded(value)) for key, value in some]
        while True:
            try:
                appender.append(appends).result()
                break
            except BrokerRefused:
                raise
            except BrokerUnavailable as error:
                logger.warning("%s", error)
                figures.again.inc()
                if pause(RETRY_S):
                    return False
        figures.landed.labels(stream.topic).inc(len(appends))
    return True


def _rows(path: Path) -> Iterable[bytes]:
    """Rows of a Parquet file as JSON objects; what is null is left out."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise PackageMissing(
            f"{path.name} is Parquet, which needs the package pyarrow: "
            "`.venv/bin/pip install -c constraints.txt -r requirements/parquet.txt`."
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(AT_ONCE):
                for row in batch.to_pylist():
                    kept = {name: cell for name, cell in row.items() if cell is not None}
                    yield msgspec.json.encode(kept, enc_hook=_plain)
    except (pyarrow.ArrowException, OSError, NotImplementedError) as error:
        raise FileError(f"{path} cannot be read as Parquet: {error}") from error


def _plain(cell: Any) -> Any:
    """Nanosecond times, and whatever else JSON has no form for."""
    if isinstance(cell, datetime):
        return cell.isoformat()
    return str(cell)


def _move(path: Path, folder: Path) -> Path:
    """Into the folder, by its name or the next free one."""
    to, nth = folder / path.name, 1
    while to.exists():
        to = folder / f"{path.name}.{nth}"
        nth += 1
    return path.rename(to)


def _set_aside(folder: Path, path: Path, why: str) -> None:
    logger.error("%s is set aside: %s", path, why)
    moved = _move(path, folder / FAILED)
    note = moved.with_name(moved.name + ".why")
    note.write_text(why + "\n", encoding="utf-8")
