"""Event files to events, one class or function a format. See `apps.data.event_files`."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from apps.data.kinds import KINDS
from apps.data.publish import Event
from apps.data.text_files import Text
from stormwatch.domains.maintenance.sensors import ALL

HANDBOOK = b"tx_id,t,customer,terminal,amount,fraud,scenario"
HANDBOOK_START = datetime(2018, 4, 1, tzinfo=UTC)
CMAPSS_START = datetime(2000, 1, 1, tzinfo=UTC)
CMAPSS_COLUMNS = 26
REQUIRED = {kind.events: list(kind.required) for kind in KINDS}
"""Columns that a CSV file must have."""
KEYS = {kind.events: kind.key for kind in KINDS}
SENSORS = tuple(sensor.name for sensor in ALL)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_encode = msgspec.json.Encoder().encode

Format = Callable[[Text], Iterator[Event]]
"""The events of a file."""


_HOLDERS: dict[str, Any] = {
    events: msgspec.defstruct("Holder", [(key, str)]) for events, key in KEYS.items()
}


def malformed(line: bytes, what: str) -> Event:
    """A line that is no event, as JSON: its `type` says `what` it is, so that the refusal does.

    What is not UTF-8 is sent as it is; then the refusal says that.
    """
    try:
        return Event(None, _encode({"type": what, "line": line.decode()}))
    except UnicodeDecodeError:
        return Event(None, line)


def number(cell: str) -> float | str:
    """A finite decimal number, or the cell's text for the pipeline to refuse (`1_000`, `nan`)."""
    try:
        return _number(cell)
    except ValueError:
        return cell


def whole(cell: str) -> int | str:
    """A whole number, or the cell's text for the pipeline to refuse."""
    try:
        return _whole(cell)
    except ValueError:
        return cell


def _number(cell: str) -> float:
    if not _NUMBER.fullmatch(cell.strip()) or not math.isfinite(value := float(cell)):
        raise ValueError(f"{cell!r} is not a number")
    return value


def _whole(cell: str) -> int:
    if not _WHOLE.fullmatch(cell.strip()):
        raise ValueError(f"{cell!r} is not a whole number")
    return int(cell)


def _utc(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def handbook(text: Text) -> Iterator[Event]:
    """Amounts are in euro cents: the data name no currency."""
    lines = (line for line in text.lines() if line.strip())
    next(lines)  # the header
    return (_payment(line) for line in lines)


def _payment(line: bytes) -> Event:
    try:
        cells = line.decode().split(",")
        identity, seconds, customer, terminal = map(_whole, cells[:4])
        amount, _, _ = map(_number, cells[4:])
        value = {
            "type": "transaction",
            "id": f"hb-{identity}",
            "customer": f"hb-c{customer}",
            "terminal": f"hb-t{terminal}",
            "time": _utc(HANDBOOK_START + timedelta(seconds=seconds)),
            "amount": round(amount * 100),
            "currency": "EUR",
        }
    except (ValueError, OverflowError):
        return malformed(line, "a row that is not one of the handbook's transactions")
    return Event(str(value["customer"]).encode(), _encode(value))


class Cmapss:
    """Columns: engine, cycle, three settings, 21 sensors. An hour a cycle from CMAPSS_START on."""

    def __init__(self, fleet: str, run: str) -> None:
        self._fleet, self._run = fleet, run

    def __call__(self, text: Text) -> Iterator[Event]:
        return (self._reading(line) for line in text.lines() if line.strip())

    def _reading(self, line: bytes) -> Event:
        try:
            cells = line.decode().split()
            engine, cycle = map(_whole, cells[:2])
            time = CMAPSS_START + timedelta(hours=cycle)
            numbers = [number(cell) for cell in cells[2:]]
            unit = f"{self._fleet}/{self._run}/{engine}"
            sensors = dict(zip(SENSORS, numbers[3:], strict=True))
        except (ValueError, OverflowError):
            return malformed(
                line, f"a row that is not a C-MAPSS reading of {CMAPSS_COLUMNS} numbers"
            )
        value = {
            "type": "reading",
            "id": f"{self._run}-{engine}-{cycle}",
            "unit": unit,
            "time": _utc(time),
            "cycle": cycle,
            "settings": numbers[:3],
            "sensors": sensors,
        }
        return Event(unit.encode(), _encode(value))


class JsonLines:
    """Lines as they are, with the key that they name."""

    def __init__(self, events: str) -> None:
        self._field = KEYS[events]
        self._decode = msgspec.json.Decoder(_HOLDERS[events]).decode

    def __call__(self, text: Text) -> Iterator[Event]:
        return (self.event(line) for line in map(bytes.strip, text.lines()) if line)

    def event(self, value: bytes) -> Event:
        """One value."""
        try:
            return Event(getattr(self._decode(value), self._field).encode(), value)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return Event(None, value)
