"""The TOML of a mapping: what may stand in it, and sentences for what may not.

A mapping names the kind of event it makes, the format of the records, and for each field of the
event where its value comes from. Nothing is guessed when records come: what is ambiguous here is
refused here, with the line.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stormwatch.errors import SettingsError
from stormwatch.parsing.toml_document import Document

Path = Annotated[str, Meta(min_length=1, max_length=200)]


class MappingError(SettingsError):
    """A mapping cannot be used. Names the file, the line where it is known, and what is allowed."""


class Field(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where one field of the event comes from. Exactly one of path, hash and constant is given.

    `path`: one dotted path into the record, or several, of which the first that is present and not
    empty wins. `hash`: paths whose values make a stable id. `constant`: always this.
    """

    path: Path | list[Path] | None = None
    hash: list[Path] | None = None
    constant: str | int | float | None = None
    default: str | int | float | None = None  # where no path is present
    lookup: dict[str, str] | None = None  # the record's text -> the event's
    prefix: str = ""  # put before the text, such as "hb-"

    # of times
    form: str | None = None
    """rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns, step, or a pattern of strptime."""
    zone: str | None = None  # of a pattern without one, as in the tz database
    twice: Literal["refuse", "earlier", "later"] = "refuse"
    """A local time that happens twice, when clocks are set back."""
    never: Literal["refuse", "shift"] = "refuse"
    """A local time that never happens, when clocks are set forward; shift: as if they were not."""
    since: str | None = None  # of steps: RFC 3339, the time of step 0
    step_s: float | None = None  # of steps: seconds

    # of amounts
    unit: Literal["major", "minor"] | None = None
    negative: Literal["refuse", "absolute", "refund", "spent"] = "refuse"
    """What a sign means: absolute, nothing; refund, that a negative amount goes back to the
    customer; spent, that a positive one does."""
    fraction: Literal["refuse", "round"] = "refuse"
    """Of the currency's minor unit: refuse, or round half to even."""
    decimal_sign: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""


class Only(msgspec.Struct, forbid_unknown_fields=True):
    """Which records are events of this kind: those whose text at `path` is one of `values`."""

    path: Path
    values: Annotated[list[str], Meta(min_length=1)]
    others: Literal["refuse", "ignore"] = "refuse"
    """refuse: rejected as `unknown_type` and kept; ignore: counted, and passed over."""


class Sensor(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where one sensor's value comes from."""

    path: Path
    unit: str = ""
    """Has to be the one that the equipment type names, where it names one. Nothing is converted."""
    lookup: dict[str, float] | None = None
    """The record's text -> the number that is measured, of a sensor that tells a state in words."""


class Long(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Records of one sensor each: its name is at `sensor`, what it measured at `value`."""

    at: Path | None = None
    """A list in the record whose elements have these paths, a sensor each. Elements whose value is
    no number are passed over."""
    sensor: Path
    value: Path
    names: dict[str, str] | None = None
    """The record's name -> the sensor's; others are refused. Without it a name stays as it is."""


SPACE = "space"
REST = "rest"
"""For `sensors`: every number, or text that is one, at the top of the record which nothing else in
the mapping names."""


class Csv(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How rows are read: of a file, by `publish`, `dev` and `map`, which make JSON of them; where
    `format` is csv, of each record's value."""

    delimiter: Annotated[str, Meta(max_length=5)] = ""
    """One character, or "space" for runs of blanks; "" for whichever of , ; | and tab fits."""
    quote: Literal['"', "'"] = '"'
    names: list[Path] = []
    """Of the columns, in a file that has no header."""


class Schema(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What values are written by, where `format` is avro or protobuf, and what stands before them.

    With the framing confluent an Avro value names its writer's schema, which the registry of the
    setting `registry.url` has; `file` is then the schema to read it as, and may be left out.
    """

    framing: Literal["none", "confluent"] = "none"
    """confluent: a zero byte and four of the schema's number come first, as Confluent's serializers
    write it; of JSON too."""
    file: Path | None = None
    """Beside the mapping: an Avro schema (.avsc), or the descriptor set that protoc makes by
    `--include_imports --descriptor_set_out` (.desc)."""
    message: str = ""
    """Of Protobuf: the full name of the message, such as bank.Payment."""


class Mapping(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping as it stands in its file."""

    event: Literal["transactions", "readings"]
    version: Annotated[str, Meta(min_length=1, max_length=40)] = "1"
    topic: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]{1,249}$")] | None = None
    """The Kafka topic of these records; else that of the setting `topic.<event>`."""
    rekey: bool = False
    """The topic is not keyed by the entity: the events are repartitioned by it."""
    format: Literal["json", "csv", "avro", "protobuf"] = "json"
    """Of a record's value: one JSON object; one line of CSV, told by `csv`, which then names the
    columns and the delimiter; or one record of Avro or Protobuf, told by `schema`."""
    envelope: Literal["none", "debezium", "cloudevents"] = "none"
    card_numbers: list[Path] = []
    """Fields that hold card numbers in clear: they may be hashed, and nothing else."""
    only: Only | None = None
    absent: list[str] = []
    """Texts that mean that there is no value, such as "NA"; an empty one always does."""
    csv: Csv = msgspec.field(default_factory=Csv)
    schema: Schema = msgspec.field(default_factory=Schema)
    schema_texts: dict[str, str] = {}
    """File of `schema` -> what is in it, of a descriptor set in base64: put here by whoever reads
    the mapping's file, for workers do not have it."""
    fields: dict[str, Field]

    # of readings
    equipment: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "any"
    """The equipment type of every unit in these records."""
    settings: list[Path] = []
    """Numbers that say how the unit was run, in this order; none where one has no value."""
    sensors: dict[str, Path | Sensor] | str = {}
    """Sensor name -> where its value is; or REST."""
    sensors_at: Path | None = None
    """Of REST: an object in the record whose fields are meant, and not the record's own."""
    without: list[Path] = []
    """Of REST: fields that are no sensors."""
    long: Long | None = None
    decimal_sign: Literal[".", ","] = "."
    """Of sensors, settings and other numbers; an amount has its own."""


TIMES = ("time", "until")
"""Fields of events that are times."""
TIME_FORMS = ("rfc3339", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "step")


def read(text: str, where: str) -> Mapping:
    """The mapping that `text` is; `where` names it in messages. Raises MappingError."""
    document = Document(text, where, MappingError)
    raw = document.tables()
    # One by one: msgspec does not name a table's key.
    for table, kind in (("fields", Field), ("sensors", Path | Sensor)):
        for name, one in raw[table].items() if isinstance(raw.get(table), dict) else ():
            document.converted(one, kind, f"{table}.{name}")
    mapping: Mapping = document.converted(raw, Mapping)
    for name, field in mapping.fields.items():
        if why := _contradiction(name, field, mapping):
            raise document.wrong(f"fields.{name}", why)
    if why := _csv_contradiction(mapping):
        raise document.wrong("csv", why)
    if why := _schema_contradiction(mapping):
        raise document.wrong("schema", why)
    for key, why in _of_readings(mapping):
        raise document.wrong(key, why)
    return mapping


def _csv_contradiction(mapping: Mapping) -> str:
    csv = mapping.csv
    if mapping.format == "csv" and not (csv.names and csv.delimiter):
        return 'needs names and delimiter where format = "csv": a record has no header'
    if mapping.format == "csv" and mapping.envelope != "none":
        return f"cannot be within the envelope {mapping.envelope}, which is of JSON"
    if len(csv.delimiter) > 1 and csv.delimiter != SPACE:
        return f'has the delimiter {csv.delimiter!r}: give one character, or "{SPACE}"'
    if twice := sorted({name for name in csv.names if csv.names.count(name) > 1}):
        return f"names two columns {', '.join(twice)}: one of them would be lost"
    return ""


def _schema_contradiction(mapping: Mapping) -> str:
    schema, kind = mapping.schema, mapping.format
    if kind not in ("avro", "protobuf") and (schema.file or schema.message):
        return f"has file or message, which {kind} does not need: they are of avro and protobuf"
    if kind == "csv" and schema.framing != "none":
        return f"has the framing {schema.framing}, which no line of CSV has"
    if kind == "avro" and schema.framing == "none" and not schema.file:
        return "needs file, the schema that the records are written by: they do not name one"
    if kind == "avro" and schema.message:
        return "has a message, which is of protobuf: an Avro schema has one record"
    if kind == "protobuf" and not (schema.file and schema.message):
        return "needs file (a descriptor set) and message (the full name) where format is protobuf"
    return ""


def _of_readings(mapping: Mapping) -> Iterator[tuple[str, str]]:
    """(key, why) of what cannot be meant so in a mapping with sensors, or in one without."""
    if mapping.event != "readings":
        for key in ("equipment", "settings", "sensors", "sensors_at", "without", "long"):
            if getattr(mapping, key) != _plain(key):
                yield key, f"is of readings, and {mapping.event} have none"
        return
    if isinstance(mapping.sensors, str) and mapping.sensors != REST:
        yield "sensors", f'is a table of sensors, or "{REST}"'
    given = [key for key in ("sensors", "long") if getattr(mapping, key)]
    if len(given) == 2 or (not given and "event" not in mapping.fields):
        have = " and ".join(given) or "none"
        yield "sensors", f"needs exactly one of sensors and [long], and has {have}"
    for key in ("without", "sensors_at"):
        if getattr(mapping, key) and mapping.sensors != REST:
            yield key, f'belongs to sensors = "{REST}"'


def _plain(key: str) -> Any:
    field = next(one for one in msgspec.structs.fields(Mapping) if one.name == key)
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _contradiction(name: str, field: Field, mapping: Mapping) -> str:
    """Why the field cannot be meant so; "" where it can."""
    given = [one for one in ("path", "hash", "constant") if getattr(field, one) is not None]
    if len(given) != 1:
        have = " and ".join(given) or "none"
        return f"needs exactly one of path, hash and constant, and has {have}"
    cards = set(mapping.card_numbers)
    if cards & {*_paths(field.path)}:
        return "would keep a card number in clear: a path of card_numbers may only be hashed"
    is_time = name in TIMES
    if not is_time and (field.form or field.zone or field.since or field.step_s):
        return f"has keys of a time (form, zone, since, step_s); only {' and '.join(TIMES)} are"
    if is_time:
        return _time_contradiction(field)
    if name == "amount" and field.unit is None:
        return 'needs unit = "major" (12.50) or "minor" (1250): which is not guessed'
    return ""


def _time_contradiction(field: Field) -> str:
    form = field.form or ""
    if form not in TIME_FORMS and "%" not in form:
        have = f"and not {form!r}" if form else "or a pattern such as %Y-%m-%d %H:%M"
        return f"needs form = one of {', '.join(TIME_FORMS)}, {have}"
    is_step = form == "step"
    if is_step != (field.since is not None and field.step_s is not None):
        return "needs since (the time of step 0) and step_s (seconds of a step) for form step alone"
    is_local = form not in TIME_FORMS and "%z" not in form
    if is_local != (field.zone is not None):
        return "needs zone for a pattern without an offset from UTC (%z), and for that alone"
    return ""


def _paths(path: str | list[str] | None) -> list[str]:
    return [path] if isinstance(path, str) else list(path or ())


def paths_of(field: Field) -> list[str]:
    """The paths that the field's value may come from, first choice first."""
    return _paths(field.path)
