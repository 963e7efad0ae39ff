"""Stored alerts, decisions and dead letters as CSV, JSON lines or Parquet, as a stream: memory is
that of one page however many rows there are.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from apps.data.printable import shown
from apps.operate.dlq.letters import find_all
from apps.operate.domains import chosen
from apps.serve import answers
from apps.serve.decided import ListDecided, decided
from apps.serve.fleet import FleetReader, ListFleet
from apps.serve.reader import LIMIT, ListAlerts, ListDecisions, Reader, known
from apps.serve.route import Download, Raw, Route
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.dead_letters import redaction
from stormwatch.errors import SettingsError

ROWS = 1_000_000
"""Of one export at most."""
GROUP = 5_000
"""Rows of Parquet that are written together."""
_CHUNK = 1 << 16
FORMATS = {
    "csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for the start of a formula (OWASP, "CSV Injection")."""

Row = dict[str, Any]


class Export(ListAlerts, forbid_unknown_fields=True, kw_only=True):
    """Parameters of an export: those of a list of alerts, the entity for decisions."""

    what: Annotated[
        str,
        Meta(
            pattern="^(alerts|decisions|decided|fleet|letters)$",
            description="alerts; decisions of an entity; decided: of all, within 7 days; fleet: "
            "each machine's newest; letters",
        ),
    ] = "alerts"
    format: Annotated[str, Meta(pattern="^(csv|jsonl|parquet)$")] = "csv"
    entity: Annotated[str, Meta(max_length=1_000, description="Of decisions.")] = ""
    days: Annotated[int, Meta(ge=1, le=92, description="Of decisions: days to look back.")] = 92
    rows: Annotated[int, Meta(ge=1, le=ROWS, description="At most.")] = ROWS


def exports(reader: Reader) -> list[Route]:
    """The route."""
    return [
        Route("/v1/export", Export, Raw,
              "Alerts, decisions, the fleet or dead letters as CSV, JSON lines or Parquet, as a "
              "stream.", lambda asked: exported(reader, asked)),
    ]  # fmt: skip


def exported(reader: Reader, asked: Export) -> Download:
    """The export. Raises NotFound, BadCursor, SettingsError, InfrastructureError before the first
    bytes; where the store goes away later the stream ends without its end."""
    known(asked.domain)
    rows = _bounded(_ROWS[asked.what](reader, asked), asked.rows)
    first = next(rows, None)  # what is wrong is told before anything is sent
    whole: Iterator[Row] = iter(()) if first is None else _after(first, rows)
    name = f"{asked.domain}-{asked.what}.{asked.format}"
    return Download(_WRITERS[asked.format](whole), FORMATS[asked.format], name)


def _after(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _bounded(rows: Iterator[Row], most: int) -> Iterator[Row]:
    for count, row in enumerate(rows):
        if count == most:
            return
        yield row


def _alerts(reader: Reader, asked: Export) -> Iterator[Row]:
    fields = {name: getattr(asked, name) for name in ListAlerts.__struct_fields__}
    yield from _pages(reader.alerts, ListAlerts(**fields | {"limit": LIMIT}))


def _decisions(reader: Reader, asked: Export) -> Iterator[Row]:
    if not asked.entity:
        raise SettingsError("entity: whose decisions? Name a customer or a machine.")
    question = ListDecisions(
        asked.domain, asked.entity, limit=LIMIT, days=asked.days, after=asked.after
    )
    yield from _pages(reader.decisions, question)


def _decided(reader: Reader, asked: Export) -> Iterator[Row]:
    names = set(ListDecided.__struct_fields__) & set(Export.__struct_fields__)
    fields = {name: getattr(asked, name) for name in names}
    until = asked.until or now_ms()  # what is decided while it streams is not of it
    question = ListDecided(**fields | {"limit": LIMIT, "until": until})
    yield from _pages(lambda page: decided(reader, page), question)


def _fleet(reader: Reader, asked: Export) -> Iterator[Row]:
    found = FleetReader(reader.archive).fleet(ListFleet(asked.domain))
    for machine in sorted(found.machines, key=lambda one: one.decision.entity):
        yield row_of(machine.decision) | {"pace_ms": machine.pace}


def _letters(reader: Reader, asked: Export) -> Iterator[Row]:
    masked = redaction.names(reader.settings.mask_fields)
    for letter in find_all(reader.archive, chosen(reader.settings, asked.domain)):
        told = letter.shown(masked)
        del told["acts"]
        yield told | {"timestamp": _time(letter.stored.row.timestamp)}


_ROWS: dict[str, Callable[[Reader, Export], Iterator[Row]]] = {
    "alerts": _alerts, "decisions": _decisions, "decided": _decided, "fleet": _fleet,
    "letters": _letters,
}  # fmt: skip


def _pages(ask: Callable[[Any], answers.Page], question: Any) -> Iterator[Row]:
    while True:
        page = ask(question)
        yield from map(row_of, page.decisions)
        if page.next is None:
            return
        question = msgspec.structs.replace(question, after=page.next)


def row_of(one: answers.Summary) -> Row:
    """A decision as a row: flat, times in ISO 8601, UTC."""
    work = one.work
    return {
        "domain": one.domain, "entity": one.entity, "id": one.id, "time": _time(one.time),
        "outcome": one.outcome, "score": one.score, "alert": one.alert,
        "reasons": "; ".join(reason.text for reason in one.reasons),
        "rules": " ".join(reason.code for reason in one.reasons), "model": one.model,
        "degraded": one.degraded, "timestamp": _time(one.timestamp), "record": one.record,
        "status": work.status if work else "", "assignee": work.assignee if work else "",
        "label": work.label if work else "",
    }  # fmt: skip


def _time(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(ms)


def cell(value: Any) -> Any:
    """What a spreadsheet shows as the text it is: no formula, no control character."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = shown(value)
    return f"'{text}" if text.startswith(_FORMULA) or value.startswith(_FORMULA) else text


def _csv(rows: Iterable[Row]) -> Iterator[bytes]:
    out = io.StringIO()
    table = csv.writer(out)
    headed = False
    for row in rows:
        if not headed:
            table.writerow(row)
            headed = True
        table.writerow(map(cell, row.values()))
        if out.tell() > _CHUNK:
            yield _taken(out)
    yield _taken(out)


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode()


def _jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    some = bytearray()
    for row in rows:
        some += msgspec.json.encode(row) + b"\n"
        if len(some) > _CHUNK:
            yield bytes(some)
            some.clear()
    yield bytes(some)


class _Buffer(io.RawIOBase):
    """Where Parquet is written to; what was written is taken away."""

    def __init__(self) -> None:
        self.held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.held += data
        return len(data)

    def taken(self) -> bytes:
        """What came since."""
        some, self.held = bytes(self.held), bytearray()
        return some


def _parquet(rows: Iterable[Row]) -> Iterator[bytes]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise SettingsError(
            "format: Parquet needs the package pyarrow, which is not installed where the server "
            "runs. `pip install pyarrow` there, or take csv or jsonl."
        ) from error
    return _row_groups(rows, pyarrow)


def _row_groups(rows: Iterable[Row], pyarrow: Any) -> Iterator[bytes]:
    buffer = _Buffer()
    writer: Any = None
    some: list[Row] = []

    def flushed() -> bytes:
        nonlocal writer
        table = pyarrow.Table.from_pylist(some, schema=None if writer is None else writer.schema)
        writer = writer or pyarrow.parquet.ParquetWriter(buffer, table.schema)
        writer.write_table(table)
        some.clear()
        return buffer.taken()

    for row in rows:
        some.append(row)
        if len(some) == GROUP:
            yield flushed()
    if some or writer is None:
        yield flushed()
    writer.close()
    yield buffer.taken()


_WRITERS: dict[str, Callable[[Iterable[Row]], Iterator[bytes]]] = {
    "csv": _csv, "jsonl": _jsonl, "parquet": _parquet,
}  # fmt: skip
