"""Lines of event files to events, one class or function a format. See `apps.data.event_files`."""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from apps.data.kinds import KINDS
from apps.data.publish import Event
from stormwatch.domains.maintenance.sensors import ALL

HANDBOOK = b"tx_id,t,customer,terminal,amount,fraud,scenario"
HANDBOOK_START = datetime(2018, 4, 1, tzinfo=UTC)
CMAPSS_START = datetime(2000, 1, 1, tzinfo=UTC)
CMAPSS_COLUMNS = 26
REQUIRED = {kind.events: list(kind.required) for kind in KINDS}
"""Columns that a CSV file must have."""
_KEYS = {kind.events: kind.key for kind in KINDS}
_SENSORS = tuple(sensor.name for sensor in ALL)
_SETTING = re.compile(r"setting\d")
_encode = msgspec.json.Encoder().encode

Reader = Callable[[bytes], Event]


_HOLDERS: dict[str, Any] = {
    events: msgspec.defstruct("Holder", [(key, str)]) for events, key in _KEYS.items()
}


def split_csv(line: bytes) -> list[str] | None:
    """The cells of a CSV line, None if it is broken."""
    try:
        return next(csv.reader([line.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None


def _utc(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def handbook(line: bytes) -> Event:
    """Amounts are in euro cents: the data name no currency."""
    try:
        number, seconds, customer, terminal, amount, _, _ = line.decode().split(",")
        value = {
            "type": "transaction",
            "id": f"hb-{int(number)}",
            "customer": f"hb-c{int(customer)}",
            "terminal": f"hb-t{int(terminal)}",
            "time": _utc(HANDBOOK_START + timedelta(seconds=int(seconds))),
            "amount": round(float(amount) * 100),
            "currency": "EUR",
        }
    except (ValueError, OverflowError):
        return Event(None, line)
    return Event(str(value["customer"]).encode(), _encode(value))


class Cmapss:
    """Columns: engine, cycle, three settings, 21 sensors. An hour a cycle from CMAPSS_START on."""

    def __init__(self, fleet: str, run: str) -> None:
        self._fleet, self._run = fleet, run

    def __call__(self, line: bytes) -> Event:
        cells = line.split()
        try:
            engine, cycle = int(cells[0]), int(cells[1])
            numbers = [float(cell) for cell in cells[2:]]
            time = CMAPSS_START + timedelta(hours=cycle)
            sensors = dict(zip(_SENSORS, numbers[3:], strict=True))
        except (ValueError, IndexError, OverflowError):
            return Event(None, line)
        unit = f"{self._fleet}/{self._run}/{engine}"
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
        self._field = _KEYS[events]
        self._decode = msgspec.json.Decoder(_HOLDERS[events]).decode

    def __call__(self, line: bytes) -> Event:
        try:
            return Event(getattr(self._decode(line), self._field).encode(), line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return Event(None, line)


class Csv:
    """`names` are the header's."""

    def __init__(self, names: list[str], events: str) -> None:
        self._names, self._key, self._readings = names, _KEYS[events], events == "readings"

    def __call__(self, line: bytes) -> Event:
        cells = split_csv(line)
        if cells is None or len(cells) != len(self._names):
            return Event(None, line)
        row = {name: cell for name, cell in zip(self._names, cells, strict=True) if cell}
        if row.get(self._key) is None:
            return Event(None, line)
        value = (
            _reading(row) if self._readings else row | _whole(row, "amount") | _whole(row, "rating")
        )
        return Event(row[self._key].encode(), _encode(value))


def _reading(row: dict[str, str]) -> dict[str, object]:
    known = {name: row[name] for name in row if name in (*REQUIRED["readings"], "type")}
    settings = sorted(name for name in row if _SETTING.fullmatch(name))
    sensors = [name for name in row if name not in known and name not in settings]
    return {
        **known,
        **_whole(row, "cycle"),
        "settings": [_number(row[name]) for name in settings],
        "sensors": {name: _number(row[name]) for name in sensors},
    }


def _whole(row: dict[str, str], name: str) -> dict[str, object]:
    """The field as a whole number, or as its text, for the pipeline to refuse."""
    text = row.get(name)
    if text is None:
        return {}
    return {name: int(text)} if re.fullmatch(r"-?\d{1,18}", text) else {name: text}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
