"""A mapping at work: record value in, event or rejection out. Pure, compiled once for a process."""

from collections.abc import Callable
from collections.abc import Mapping as Values
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from stormwatch.parsing.mapping import values
from stormwatch.parsing.mapping.decoding import DECODERS, LEARN_ONLY, quotes_in, unwrapped
from stormwatch.parsing.mapping.document import (
    TIMES,
    Csv,
    Mapping,
    MappingError,
    Sensor,
    paths_of,
)
from stormwatch.parsing.mapping.framing import Schemas, UnusableSchema, framed, no_registry
from stormwatch.parsing.mapping.quick import Parts, written_out
from stormwatch.parsing.mapping.sensors import measured_by
from stormwatch.parsing.mapping.taking import Absent, Take, getter, taken
from stormwatch.parsing.mapping.values import Unusable
from stormwatch.parsing.rejections import (
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
_decode = msgspec.json.decode
_decode_texts = msgspec.json.Decoder(dict[str, str]).decode


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
    paths: Values[str, str] = MappingProxyType({})
    """Of fields and sensors that stand at one place of a record: where."""


def compiled(
    mapping: Mapping, target: Target, where: str, text: str = "", schemas: Schemas = no_registry
) -> Mapped:
    """Make a mapping ready for its domain. `where` names it; `text` is what it was read from, for
    the lines of its faults; `schemas` asks the registry. Raises MappingError; PackageMissing where
    the package of its format is not installed."""
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
        return _Compiled(mapping, target, schemas).mapped
    except UnusableSchema as error:
        raise document.wrong("schema", str(error)) from error
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


def _paths(mapping: Mapping) -> dict[str, str]:
    found = {name: one.path for name, one in mapping.fields.items() if isinstance(one.path, str)}
    sensors = {} if isinstance(mapping.sensors, str) else mapping.sensors
    return found | {
        name: one.path if isinstance(one, Sensor) else one for name, one in sensors.items()
    }


class _Compiled:
    """See `compiled`."""

    def __init__(self, mapping: Mapping, target: Target, schemas: Schemas) -> None:
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
            name: taken(mapping.fields[name], read, self._absent) for name, read in reads.items()
        }
        self._measured = measured_by(mapping, self._absent) if mapping.event == "readings" else None
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
        self._is_json = mapping.format == "json"
        self._decoded = None if self._is_json else DECODERS[mapping.format](mapping, schemas)
        self._is_framed = self._is_json and mapping.schema.framing != "none"
        self._is_flat = mapping.envelope == "none" and mapping.only is None
        self._all_texts = True
        """No record had anything but texts yet: which costs less to know."""
        self._cards = [getter([path], self._absent) for path in mapping.card_numbers]
        self._only = None if mapping.only is None else getter([mapping.only.path], self._absent)
        parse = self._written_out() if self._is_plain() else self.parse
        self.mapped = Mapped(parse, self.entity, mapping.csv, mapping.format, paths=_paths(mapping))

    def _is_plain(self) -> bool:
        """Whether a record may be a flat object of texts, one key a field."""
        mapping = self._mapping
        hashed = [mapping.fields[name].hash or [] for name, _ in self._fields]
        return (
            self._is_json and not self._is_framed and self._is_flat and self._money is None
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
            return self._made(found, seen, timestamp, future_skew_ms)
        except msgspec.ValidationError as error:
            return self._refused(value, error)
        except UNPARSABLE as error:
            return explain(value, error, self._target.event)

    def entity(self, value: bytes) -> str:
        """The entity of a record alone. Raises what `parse` explains."""
        return str(self._key(self._record(value)))

    def _made(self, found: dict[str, Any], seen: bytes, timestamp: int, future_skew_ms: int) -> Any:
        """The event, or a Rejection by the record's names, which are those that may be masked."""
        try:
            return self._target.make(found, seen, timestamp, future_skew_ms)
        except Refused as error:
            code, reason, name = msgspec.structs.astuple(error.rejection)
            return Rejection(code, reason, self._source(name))

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
        if self._is_framed:
            _, value = framed(value)
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
            quotes = quotes_in(record, 0)
        # More quotes: escapes, or a key that is there twice.
        if value.count(b'"') != quotes:
            check_rest(value)
        if FAULT in record:
            raise refuse("wrong_type", "", f"is {record[FAULT]}", value)
        if self._is_flat:
            return record
        is_history = LEARN_ONLY in record
        record = unwrapped(record, self._mapping.envelope, value)
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
            self._amounts[digits] = taken(self._money, reader, self._absent)
        return self._amounts[digits]

    def _missing(self, name: str, value: bytes) -> Exception:
        return refuse("missing_field", self._source(name), "is missing", value)

    def _source(self, name: str) -> str:
        """The record's own name of a field, or of a sensor."""
        if (field := self._mapping.fields.get(name)) is not None:
            return paths_of(field)[0] if field.path else name
        sensors = self._mapping.sensors
        sensor = None if isinstance(sensors, str) else sensors.get(name.removeprefix("sensors."))
        return sensor.path if isinstance(sensor, Sensor) else sensor or name

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
