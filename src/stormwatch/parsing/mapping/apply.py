"""A mapping at work: record value in, event or rejection out. Pure, compiled once for a process."""

import csv
import sys
from collections.abc import Callable
from collections.abc import Mapping as Values
from io import StringIO
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from stormwatch.parsing.mapping import values
from stormwatch.parsing.mapping.document import (
    SPACE,
    TIMES,
    Csv,
    Field,
    Long,
    Mapping,
    MappingError,
    Sensor,
    paths_of,
)
from stormwatch.parsing.mapping.quick import Parts, written_out
from stormwatch.parsing.mapping.values import Unusable
from stormwatch.parsing.rejections import (
    DEPTH_MAX,
    UNPARSABLE,
    Refused,
    check_rest,
    code_of,
    explain,
    refuse,
)
from stormwatch.parsing.toml_document import Document
from stormwatch.records import IGNORED, Rejection

OTHERS = "*"
FAULT = "_fault"
"""The field in which a producer says why a row is no record. It is then refused with that."""
LEARN_ONLY = "_learn_only"
"""The field, "true", in which a producer says that a row is history, to be learned only."""
_decode = msgspec.json.decode
_decode_texts = msgspec.json.Decoder(dict[str, str]).decode

Get = Callable[[dict[str, Any]], Any]
Take = Callable[[dict[str, Any]], Any]
Sensors = Callable[[dict[str, Any]], dict[str, float]]
Measured = Callable[[dict[str, Any]], dict[str, Any]]
Absent = tuple[Any, ...]
"""What means that a record has no value there: None, "" and the mapping's own texts."""


class Target(NamedTuple):
    """What a domain's event asks of a mapping."""

    event: str  # "transactions"
    required: tuple[str, ...]
    optional: tuple[str, ...]
    entity: str  # the field that is the record's key
    make: Callable[[dict[str, Any], bytes, int, int], Any]
    """From the fields by name, the record's value without the card numbers that the mapping hashes,
    Kafka's time of it (ms) and future_skew (ms). Raises what `parsing.rejections` explains."""
    exponent: Callable[[str], int] = lambda currency: 2
    """Digits of a currency's minor unit. Raises KeyError for what is no currency."""
    readers: Values[str, Callable[[Any], Any]] = MappingProxyType({})
    """How a field is read that is no text, such as `values.whole`."""
    units: Values[str, Values[str, str]] = MappingProxyType({})
    """Equipment type -> sensor -> its unit; with OTHERS, a unit may have sensors of other names."""


class Mapped(NamedTuple):
    """A mapping made ready: `parse` is for a parse bolt, `entity` for a producer's record keys."""

    parse: Callable[..., Any]
    entity: Callable[[bytes], str]
    csv: Csv
    format: str  # of a record's value, a key of DECODERS
    mark: str = ""
    """What decisions name it by: its version, `#` and a hash of its text."""


def compiled(mapping: Mapping, target: Target, where: str, text: str = "") -> Mapped:
    """Make a mapping ready for its domain. `where` names it; `text` is what it was read from, for
    the lines of its faults. Raises MappingError."""
    document = Document(text, where, MappingError)
    wanted = {*target.required, *target.optional}
    if mapping.event != target.event:
        raise document.wrong("event", f'is {mapping.event}: set event = "{target.event}"')
    if unknown := sorted(set(mapping.fields) - wanted):
        raise document.wrong(
            f"fields.{unknown[0]}",
            f"is no field of {target.event}; there are "
            + ", ".join((*target.required, *target.optional)),
        )
    if missing := [name for name in target.required if name not in mapping.fields]:
        raise MappingError(
            f"{where} does not say where {', '.join(missing)} of the {target.event} comes from: "
            f"add [fields.{missing[0]}] with path, hash or constant."
        )
    if mapping.event == "readings" and target.units:
        _check_equipment(mapping, target, document)
    try:
        return _Compiled(mapping, target).mapped
    except Unusable as error:
        raise document.wrong("fields.time", error.why) from error


def _check_equipment(mapping: Mapping, target: Target, document: Document) -> None:
    """Raises MappingError for a type that is not known, a sensor it has not, or another unit."""
    if (units := target.units.get(mapping.equipment)) is None:
        why = f"is {mapping.equipment!r}, which is no type of the setting maintenance.equipment; "
        raise document.wrong("equipment", f"{why}there are {', '.join(target.units)}")
    sensors = {} if isinstance(mapping.sensors, str) else mapping.sensors
    for name, one in sensors.items():
        if name not in units and OTHERS not in units:
            why = f"is no sensor of {mapping.equipment}; there are {', '.join(units)}"
            raise document.wrong(f"sensors.{name}", why)
        wanted = units.get(name, "")
        if isinstance(one, Sensor) and one.unit and wanted and one.unit != wanted:
            why = f"is in {one.unit}, and the type {mapping.equipment} has it in {wanted}: "
            raise document.wrong(f"sensors.{name}", f"{why}nothing is converted")


class _Compiled:
    """See `compiled`."""

    def __init__(self, mapping: Mapping, target: Target) -> None:
        self._mapping, self._target = mapping, target
        self._absent: Absent = (None, "", *mapping.absent)
        self._amounts: dict[int, Take] = {}
        self._money = mapping.fields.get("amount")
        self._is_signed = self._money is not None and self._money.negative in ("refund", "spent")
        reads = {
            name: values.time(field) if name in TIMES else target.readers.get(name, values.text)
            for name, field in mapping.fields.items()
            if name != "amount"
        }
        self._digits = -1
        if self._money is not None and (digits := self._known_digits()) is not None:
            self._digits = digits
            reads["amount"] = values.amount(self._money, digits)
            self._money = None
        takes = {
            name: _taken(mapping.fields[name], read, self._absent) for name, read in reads.items()
        }
        self._measured = _measured(mapping, self._absent) if mapping.event == "readings" else None
        self._key = takes[target.entity]
        self._constants = {
            name: takes.pop(name)({})
            for name, field in mapping.fields.items()
            if field.constant is not None and name in takes
        }
        self._takes = takes
        keys = {name: key for name in takes if (key := self._key_of(name))}
        texts = [name for name in keys if reads[name] is values.text]
        self._texts = tuple((name, keys[name]) for name in texts)
        """Fields that are the text at one place: name and key."""
        self._read = tuple((name, keys[name], reads[name]) for name in keys if name not in texts)
        """Those that are read from what stands at one place."""
        self._fields = tuple((name, take) for name, take in takes.items() if name not in keys)
        self._decoded = None if mapping.format == "json" else DECODERS[mapping.format](mapping)
        self._is_flat = mapping.envelope == "none" and mapping.only is None
        self._all_texts = True
        """No record had anything but texts yet: which costs less to know."""
        self._cards = [_get([path], self._absent) for path in mapping.card_numbers]
        self._only = None if mapping.only is None else _get([mapping.only.path], self._absent)
        parse = self._written_out() if self._is_plain() else self.parse
        self.mapped = Mapped(parse, self.entity, mapping.csv, mapping.format)

    def _is_plain(self) -> bool:
        """Whether a record may be a flat object of texts, one key a field."""
        mapping = self._mapping
        hashed = [mapping.fields[name].hash or [] for name, _ in self._fields]
        return (
            mapping.format == "json" and self._is_flat and self._money is None
            and not self._is_signed and not mapping.absent and not mapping.card_numbers
            and all(paths and not any("." in path for path in paths) for paths in hashed)
        )  # fmt: skip

    def _written_out(self) -> Callable[..., Any]:
        return written_out(
            Parts(
                self._mapping.fields, self._target.required, self._constants, self._texts,
                self._read, tuple(name for name, _ in self._fields), self._digits,
                self._measured,
                self._target.make, self.parse, FAULT, LEARN_ONLY,
            )
        )  # fmt: skip

    def parse(self, value: bytes, timestamp: int, *, future_skew_ms: int) -> Any:
        """The event of a record, or a Rejection that names the record's own field."""
        try:
            record = self._record(value)
            found = self._constants.copy()
            get = record.get
            for name, key in self._texts:
                if (text := get(key)) and text.__class__ is str:
                    found[name] = text
                else:
                    self._take(name, self._takes[name], record, found, value)
            for name, key, read in self._read:
                try:
                    found[name] = read(record[key])
                except (KeyError, Unusable):
                    self._take(name, self._takes[name], record, found, value)
            for name, take in self._fields:
                if (got := take(record)) is not None:
                    found[name] = got
                else:
                    self._take(name, take, record, found, value)
            if self._money is not None:
                take = self._amount_in(found["currency"])
                self._take("amount", take, record, found, value)
            self._mark(record, found)
            if self._measured is not None:
                found.update(self._measured(record))
            seen = self._hidden(record, value) if self._cards else value
            return self._target.make(found, seen, timestamp, future_skew_ms)
        except msgspec.ValidationError as error:
            return self._refused(value, error)
        except UNPARSABLE as error:
            return explain(value, error, self._target.event)

    def entity(self, value: bytes) -> str:
        """The entity of a record alone. Raises what `parse` explains."""
        return str(self._key(self._record(value)))

    def _take(
        self, name: str, take: Take, record: dict[str, Any], found: dict[str, Any], value: bytes
    ) -> None:
        """A field that is not simply there. Raises Refused."""
        if (got := take(record)) is not None:
            found[name] = got
        elif name in self._target.required:
            raise self._missing(name, value)

    def _mark(self, record: dict[str, Any], found: dict[str, Any]) -> None:
        """What the sign of an amount says, and whether the record is history."""
        if self._is_signed and found["amount"] < 0:
            found["amount"] = -found["amount"]
            if found.get("kind") != "reversal":
                found["kind"] = "refund"
        if LEARN_ONLY in record:
            found["learn_only"] = True

    def _key_of(self, name: str) -> str:
        """The key whose value the field is read from, where that is all; else ""."""
        field = self._mapping.fields[name]
        changed = bool(field.prefix) or field.lookup is not None or bool(self._mapping.absent)
        path = field.path if isinstance(field.path, str) else ""
        return "" if changed or "." in path else path

    def _known_digits(self) -> int | None:
        """Digits of the minor unit where every record has the same currency, and it is one."""
        currency = self._mapping.fields.get("currency")
        if currency is None or currency.constant is None:
            return None
        try:
            return self._target.exponent(str(currency.constant))
        except KeyError:
            return None  # every record is refused by its name

    def _record(self, value: bytes) -> dict[str, Any]:
        record: dict[str, Any] | None = None
        if self._decoded is not None:
            record = self._decoded(value)
            quotes = value.count(b'"')
        elif self._all_texts:
            try:
                record = _decode_texts(value)
                quotes = 4 * len(record)
            except msgspec.ValidationError:
                self._all_texts = False
        if record is None:
            record = _decode(value)
            if record.__class__ is not dict:
                raise refuse("wrong_type", "", "is not a JSON object", value)
            quotes = _quotes(record, 0)
        # More quotes: escapes, or a key that is there twice.
        if value.count(b'"') != quotes:
            check_rest(value)
        if FAULT in record:
            raise refuse("wrong_type", "", f"is {record[FAULT]}", value)
        if self._is_flat:
            return record
        is_history = LEARN_ONLY in record
        record = _unwrapped(record, self._mapping.envelope, value)
        if is_history:
            record[LEARN_ONLY] = True
        if self._only is not None:
            self._check_kind(record)
        return record

    def _amount_in(self, currency: str) -> Take:
        try:
            digits = self._target.exponent(currency)
        except KeyError:
            why = "is not an ISO 4217 code of money, in capitals"
            raise refuse("unknown_currency", "currency", why, currency) from None
        return self._amount_of(digits)

    def _amount_of(self, digits: int) -> Take:
        if digits not in self._amounts:
            assert self._money is not None
            reader = values.amount(self._money, digits)
            self._amounts[digits] = _taken(self._money, reader, self._absent)
        return self._amounts[digits]

    def _missing(self, name: str, value: bytes) -> Exception:
        return refuse("missing_field", self._source(name), "is missing", value)

    def _source(self, name: str) -> str:
        """The record's own name of a field."""
        field = self._mapping.fields.get(name)
        return (paths_of(field)[0] if field and field.path else name) or name

    def _check_kind(self, record: dict[str, Any]) -> None:
        only = self._mapping.only
        assert only is not None and self._only is not None
        kind = self._only(record)
        if str(kind) not in only.values:
            what = f"makes no {self._target.event}; these are {', '.join(only.values)}"
            if only.others == "ignore":
                raise Refused(IGNORED)
            raise refuse("unknown_type", only.path, what, str(kind))

    def _hidden(self, record: dict[str, Any], value: bytes) -> bytes:
        for get in self._cards:
            if (card := get(record)) not in self._absent:
                value = value.replace(str(card).encode(), b"#")
        return value

    def _refused(self, value: bytes, error: msgspec.ValidationError) -> Rejection:
        message, _, path = str(error).partition(" - at `$")
        name = path.rstrip("`").lstrip(".")
        why = f"cannot be used as `{name}`, {message[:1].lower()}{message[1:]}"
        return refuse(code_of(message), self._source(name), why, value).rejection


def _csv_line(mapping: Mapping) -> Callable[[bytes], dict[str, Any]]:
    """A record's value as one row: its cells by the names of the columns. Raises Refused."""
    names = mapping.csv.names
    how: dict[str, Any] = {"quotechar": mapping.csv.quote, "strict": True}
    how["delimiter"] = mapping.csv.delimiter

    def take(value: bytes) -> dict[str, Any]:
        try:
            line = value.decode()
        except UnicodeDecodeError as error:
            why = f"is not UTF-8 from byte {error.start}"
            raise refuse("not_utf8", "", why, value[error.start :]) from error
        if not line.strip():
            raise Refused(Rejection("empty", "the record's value is empty"))
        try:
            if mapping.csv.delimiter == SPACE:
                rows = [line.split()]
            else:
                rows = list(csv.reader(StringIO(line, newline=""), **how))
        except csv.Error as error:
            raise refuse("wrong_type", "", f"is no line of CSV: {error}", value) from error
        if len(rows) != 1 or len(rows[0]) != len(names):
            cells = f"{len(rows)} lines" if len(rows) != 1 else f"{len(rows[0])} cells"
            why = f"has {cells}, and the mapping names {len(names)} columns of one line"
            raise refuse("wrong_type", "", why, value)
        return dict(zip(names, rows[0], strict=True))

    return take


DECODERS: dict[str, Callable[[Mapping], Callable[[bytes], dict[str, Any]]]] = {"csv": _csv_line}
"""Formats of a record's value beside JSON, by the mapping's `format`: Avro, Protobuf and others
have their place here."""


def _quotes(value: Any, depth: int) -> int:
    """Quotes in the JSON of a value; fewer than there are where it is nested too deep."""
    if value.__class__ is str:
        return 2
    quotes = 0
    if value.__class__ is dict and depth < DEPTH_MAX:
        quotes = 2 * len(value)
        for each in value.values():
            if each.__class__ is str:
                quotes += 2
            elif each.__class__ is dict or each.__class__ is list:
                quotes += _quotes(each, depth + 1)
    elif value.__class__ is list and depth < DEPTH_MAX:
        for each in value:
            quotes += _quotes(each, depth + 1)
    return quotes


def _taken(field: Field, read: Callable[[Any], Any], absent: Absent) -> Take:
    """What gives a field's value of a record; None where it is absent."""
    if field.constant is not None:
        constant = read(field.constant)
        return lambda record: constant
    if field.hash is not None:
        return _hashed(field.hash, field.prefix, absent)
    paths = paths_of(field)
    get, default = _get(paths, absent), field.default

    def take(record: dict[str, Any]) -> Any:
        value = get(record)
        if value in absent:
            if default is None:
                return None
            value = default
        try:
            return read(value)
        except Unusable as error:
            raise refuse(error.code, paths[0], error.why, str(value)) from None

    read = _changed(field, read)
    if len(paths) == 1 and "." not in paths[0]:
        return _plainly(paths[0], read, take, absent)
    return take


def _plainly(path: str, read: Callable[[Any], Any], take: Take, absent: Absent) -> Take:
    """`take` for a field that is there and has one name: what nearly every record comes to."""
    more = absent[2:]

    def taken(record: dict[str, Any]) -> Any:
        if (value := record.get(path)) and not (more and value in more):
            try:
                return read(value)
            except Unusable:
                pass  # it is told by the longer way
        return take(record)

    return taken


def _changed(field: Field, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`read`, with the field's lookup before it and its prefix behind it."""
    lookup, prefix = field.lookup, field.prefix
    if lookup is None and not prefix:
        return read

    def changed(value: Any) -> Any:
        if lookup is not None:
            if (known := lookup.get(values.text(value))) is None:
                raise Unusable("out_of_range", "is not in the mapping's lookup")
            value = known
        return prefix + read(value) if prefix else read(value)

    return changed


def _hashed(paths: list[str], prefix: str, absent: Absent) -> Take:
    gets = [(path, _get([path], absent)) for path in paths]

    def take(record: dict[str, Any]) -> str:
        found = []
        for path, get in gets:
            if (value := get(record)) in absent:
                raise refuse("missing_field", path, "is missing, an id is made of it", "")
            found.append(value if value.__class__ is str else repr(value))
        return prefix + values.stable_id(tuple(found))

    return take


def _get(paths: list[str], absent: Absent) -> Get:
    """What gives the first of the paths that is present and not absent; else None or ""."""
    if len(paths) == 1 and "." not in paths[0]:
        path = paths[0]
        return lambda record: record.get(path)
    steps = [(path, path.split(".")) for path in paths]

    def get(record: dict[str, Any]) -> Any:
        for path, inner in steps:
            value = record.get(path)  # a key may hold a dot
            if value is None and len(inner) > 1:
                value = record
                for step in inner:
                    value = value.get(step) if isinstance(value, Values) else None
            if value not in absent:
                return value
        return None

    return get


def _unwrapped(record: dict[str, Any], envelope: str, value: bytes) -> dict[str, Any]:
    """The event's own object within its envelope."""
    if envelope == "none":
        return record
    if envelope == "cloudevents":
        inner, name = record.get("data"), "data"
    else:  # Debezium: with a schema it stands in `payload`; a delete has no `after`
        change = record.get("payload", record)
        inner = change.get("after") if isinstance(change, Values) else None
        name = "after"
    if inner.__class__ is not dict:
        raise refuse("missing_field", name, f"is no object: is this a {envelope} envelope?", value)
    found: dict[str, Any] = inner
    return found


def _measured(mapping: Mapping, absent: Absent) -> Measured:
    """What gives `settings` and `sensors` of a record, and their equipment type. What has no value
    is left out of them."""
    equipment = mapping.equipment
    read = values.number_with_comma if mapping.decimal_sign == "," else values.number
    settings = _settings(mapping, read, absent)
    if mapping.long is not None:
        sensors = _one_sensor(mapping.long, read, absent)
    elif isinstance(mapping.sensors, str):
        sensors = _rest(mapping, read, absent)
    else:
        sensors = _named(mapping.sensors, read, absent)

    def take(record: dict[str, Any]) -> dict[str, Any]:
        return {"equipment": equipment, "settings": settings(record), "sensors": sensors(record)}

    return take if isinstance(mapping.sensors, str) else _at_once(mapping, mapping.sensors, take)


def _settings(
    mapping: Mapping, read: Callable[[Any], float], absent: Absent
) -> Callable[[dict[str, Any]], tuple[float, ...]]:
    """What gives all settings, by their places; none where one of them is absent."""
    gets = [(path, _get([path], absent)) for path in mapping.settings]

    def take(record: dict[str, Any]) -> tuple[float, ...]:
        found = [(path, get(record)) for path, get in gets]
        if any(value in absent for _, value in found):
            return ()
        return tuple([_number(path, value, read) for path, value in found])

    return take if gets else lambda record: ()


def _number(path: str, value: Any, read: Callable[[Any], float]) -> float:
    try:
        return read(value)
    except Unusable as error:
        raise refuse(error.code, path, error.why, str(value)) from None


_Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]


def _at_once(mapping: Mapping, sensors: dict[str, str | Sensor], take: Measured) -> Measured:
    """`take`, for records where each sensor and setting is a number, or a text that is one by
    JSON's rules: read all at once. What is not goes the longer way, which tells it."""
    paths = _paths_of_sensors(sensors)
    names, keys = list(paths), [*paths.values(), *mapping.settings]
    odd = any("." in key or not key.isprintable() or {*key} & {*'"\\'} for key in keys)
    if odd or len({*keys}) < len(keys) or mapping.decimal_sign != "." or not names:
        return take
    if any(_is_number(text) for text in mapping.absent):
        return take  # -999, say: no value
    if any(isinstance(one, Sensor) and one.lookup is not None for one in sensors.values()):
        return take  # a number may be a word for another one
    fields = [(f"f{nth}", _Finite | msgspec.UnsetType, msgspec.UNSET) for nth in range(len(keys))]
    renamed = {f"f{nth}": key for nth, key in enumerate(keys)}
    cells = msgspec.defstruct("Cells", fields, rename=renamed, gc=False)
    convert, tuple_of, unset = msgspec.convert, msgspec.structs.astuple, msgspec.UNSET
    equipment, count = mapping.equipment, len(names)

    def taken(record: dict[str, Any]) -> dict[str, Any]:
        try:
            found = tuple_of(convert(record, cells, strict=False))
        except msgspec.ValidationError:
            return take(record)
        settings = found[count:]
        if unset not in found:
            measured = dict(zip(names, found, strict=False))
        else:
            pairs = zip(names, found, strict=False)
            measured = {name: value for name, value in pairs if value is not unset}
            settings = () if unset in settings else settings
        return {"equipment": equipment, "settings": settings, "sensors": measured}

    return taken


def _is_number(text: str) -> bool:
    try:
        values.number(text)
    except Unusable:
        return False
    return True


def _paths_of_sensors(sensors: dict[str, str | Sensor]) -> dict[str, str]:
    return {name: one.path if isinstance(one, Sensor) else one for name, one in sensors.items()}


def _named(
    sensors: dict[str, str | Sensor], read: Callable[[Any], float], absent: Absent
) -> Sensors:
    gets = []
    for name, one in sensors.items():
        path, reader = (one, read) if isinstance(one, str) else (one.path, _state(one, read))
        gets.append((name, path, _get([path], absent), reader))

    def take(record: dict[str, Any]) -> dict[str, float]:
        return {
            name: _number(path, value, reader)
            for name, path, get, reader in gets
            if (value := get(record)) not in absent
        }

    return take


def _state(sensor: Sensor, read: Callable[[Any], float]) -> Callable[[Any], float]:
    """What reads a sensor that may tell a state in words."""
    if (lookup := sensor.lookup) is None:
        return read

    def known(value: Any) -> float:
        if (number := lookup.get(values.text(value))) is None:
            raise Unusable("out_of_range", "is not in the mapping's lookup")
        return number

    return known


def _one_sensor(long: Long, read: Callable[[Any], float], absent: Absent) -> Sensors:
    name_of = _taken(Field(path=long.sensor, lookup=long.names), values.text, absent)
    value_of = _get([long.value], absent)
    list_of = None if long.at is None else _get([long.at], absent)

    def several(record: dict[str, Any]) -> dict[str, float]:
        assert list_of is not None
        if (elements := list_of(record)).__class__ is not list:
            raise refuse("wrong_type", long.at or "", "is no list of sensors", repr(elements))
        found = {}
        for element in elements:
            if element.__class__ is dict and (name := name_of(element)) is not None:
                try:
                    found[name] = read(value_of(element))
                except Unusable:
                    continue  # no number, so no sensor
        return found

    if list_of is not None:
        return several

    def take(record: dict[str, Any]) -> dict[str, float]:
        if (name := name_of(record)) is None or (value := value_of(record)) in absent:
            return {}
        return {name: _number(long.value, value, read)}

    return take


def _rest(mapping: Mapping, read: Callable[[Any], float], absent: Absent) -> Sensors:
    known = {
        "_file", "_row", LEARN_ONLY, *mapping.settings, *mapping.without, *mapping.card_numbers,
    }  # fmt: skip
    for field in mapping.fields.values():
        known |= {*paths_of(field), *(field.hash or ())}
    if mapping.only is not None:
        known.add(mapping.only.path)
    named = {path.partition(".")[0] for path in known} | known

    inner = None
    if mapping.sensors_at is not None:
        inner, named = _get([mapping.sensors_at], absent), {*mapping.without}

    def take(record: dict[str, Any]) -> dict[str, float]:
        found = {}
        if inner is not None:
            if (within := inner(record)).__class__ is not dict:
                what = "is no object of sensors"
                raise refuse("wrong_type", mapping.sensors_at or "", what, repr(within))
            record = within
        for name, value in record.items():
            if name not in named and value not in absent:
                try:
                    found[name] = read(value)
                except Unusable:
                    continue  # no number, so no sensor
        return found

    return take
