"""Avro and Protobuf by a mapping: exact values, schemas that changed, and bytes of any kind."""

import datetime
import io
import json
from base64 import b64decode, b64encode
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.fraud.parse import TARGET
from stormwatch.errors import RegistryUnavailable, SettingsError
from stormwatch.parsing.batch import CODES
from stormwatch.parsing.mapping import Mapped, MappingError, compiled, made, read, text_of
from stormwatch.parsing.mapping.framing import Schemas, no_registry
from stormwatch.records import Rejection

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FIELDS = """
[fields]
id = {path = "id"}
customer = {path = "card"}
terminal = {path = "shop"}
time = {path = "at", form = "epoch_ms"}
amount = {path = "amount", unit = "major"}
currency = {path = "currency"}
"""
PAYMENT: dict[str, Any] = {
    "type": "record", "name": "Payment", "namespace": "bank",
    "fields": [
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "card", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18,
                                    "scale": 2}},
        {"name": "currency", "type": {"type": "enum", "name": "Money", "symbols": ["EUR", "JPY"]}},
        {"name": "shop", "type": ["null", "string"], "default": None},
    ],
}  # fmt: skip
ID = "5f2c0a52-3a3f-4d26-9dc0-4f1f0a3a0e11"
ROW = {
    "id": ID, "card": "C1", "at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    "amount": Decimal("9999999.99"), "currency": "EUR", "shop": "K7",
}  # fmt: skip


def avro(schema: Any, row: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    schemaless_writer(stream, parse_schema(schema), row)
    return stream.getvalue()


def mapped(head: str, texts: dict[str, str], schemas: Schemas = no_registry) -> Mapped:
    quoted = "\n".join(f"{json.dumps(name)} = {json.dumps(text)}" for name, text in texts.items())
    text = f'event = "transactions"\n{head}\n{FIELDS}\n[schema_texts]\n{quoted}\n'
    return compiled(read(text, "m.toml"), TARGET, "m.toml", text, schemas)


def plain(schema: Any = PAYMENT) -> Mapped:
    head = 'format = "avro"\n[schema]\nfile = "p.avsc"'
    return mapped(head, {"p.avsc": json.dumps(schema)})


def parsed(one: Mapped, value: bytes) -> Any:
    return one.parse(value, NOW, future_skew_ms=60_000)


def test_a_decimal_a_time_an_enum_and_a_union_are_exact() -> None:
    event = parsed(plain(), avro(PAYMENT, ROW))
    assert (event.id, event.entity, event.amount, event.time) == (ID, "C1", 999_999_999,
                                                                  NOW)  # fmt: skip
    assert plain().entity(avro(PAYMENT, ROW)) == "C1"


def test_what_is_absent_is_told_by_its_own_name() -> None:
    refused = parsed(plain(), avro(PAYMENT, {**ROW, "shop": None}))
    assert (refused.code, refused.field) == ("missing_field", "shop")


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_a_refusal(value: bytes) -> None:
    for one in (plain(), by_protobuf()):
        found = parsed(one, value)
        assert not isinstance(found, Rejection) or found.code in CODES


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_a_record_that_was_cut_is_refused(cut: int) -> None:
    assert parsed(plain(), avro(PAYMENT, ROW)[:cut]).code == "not_of_schema"


def test_a_record_with_bytes_behind_it_is_refused() -> None:
    refused = parsed(plain(), avro(PAYMENT, ROW) + b"\0\0")
    assert refused.code == "not_of_schema"
    assert "2 bytes more" in refused.reason


def test_no_number_is_absent_and_an_endless_one_refused() -> None:
    double = json.loads(json.dumps(PAYMENT))
    double["fields"][3]["type"] = "double"
    one = plain(double)
    assert parsed(one, avro(double, {**ROW, "amount": 12.5})).amount == 1250
    assert parsed(one, avro(double, {**ROW, "amount": float("nan")})).code == "missing_field"
    assert parsed(one, avro(double, {**ROW, "amount": float("inf")})).code == "out_of_range"


def test_each_number_is_asked_once_and_an_older_record_is_read_as_the_newest_schema() -> None:
    """A field with another name (alias), one more (default), one less, an int that became long."""
    old = json.loads(json.dumps(PAYMENT))
    old["fields"][1]["name"] = "pan_token"
    old["fields"][3]["type"] = "int"
    old["fields"] += [{"name": "branch", "type": "string"}]
    old["fields"] = [one for one in old["fields"] if one["name"] != "shop"]
    newest = json.loads(json.dumps(PAYMENT))
    newest["fields"][3]["type"] = "long"
    newest["fields"][1]["aliases"] = ["pan_token"]
    newest["fields"][5] = {"name": "shop", "type": "string", "default": "unknown"}
    asked: list[int] = []
    written = {7: old}

    def schemas(number: int) -> str:
        asked.append(number)
        return json.dumps(written[number])

    head = 'format = "avro"\n[schema]\nfile = "p.avsc"\nframing = "confluent"'
    one = mapped(head, {"p.avsc": json.dumps(newest)}, schemas)
    row = {**ROW, "pan_token": "C9", "branch": "B", "amount": 12}
    for _ in range(2):
        event = parsed(one, b"\0\0\0\0\x07" + avro(old, row))
        assert (event.entity, event.terminal, event.amount) == ("C9", "unknown", 1200)
    other = json.loads(json.dumps(PAYMENT))
    other["fields"][3]["type"] = "long"
    written[8] = other
    value = b"\0\0\0\0\x08" + avro(other, {**ROW, "amount": 3})
    assert parsed(one, value).entity == "C1"
    assert asked == [7, 8]


def test_a_number_that_the_registry_lacks_is_refused_and_one_away_raises() -> None:
    head = 'format = "avro"\n[schema]\nframing = "confluent"'
    value = b"\0\0\0\0\x07" + avro(PAYMENT, ROW)
    assert parsed(mapped(head, {}, lambda number: None), value).code == "unknown_schema"
    assert parsed(mapped(head, {}, lambda number: "no"), value).code == "unknown_schema"
    assert parsed(mapped(head, {}), b"\x01" + value).code == "not_framed"
    with pytest.raises(SettingsError, match=r"registry\.url"):
        parsed(mapped(head, {}), value)

    def away(number: int) -> str:
        raise RegistryUnavailable("away")

    with pytest.raises(RegistryUnavailable):
        parsed(mapped(head, {}, away), value)


def test_json_in_the_frame_of_a_registry_is_read_behind_it() -> None:
    one = mapped('[schema]\nframing = "confluent"', {})
    row = {"id": "p1", "card": "C1", "at": NOW, "amount": 1.5, "currency": "EUR", "shop": "K"}
    assert parsed(one, b"\0\0\0\0\x01" + json.dumps(row).encode()).amount == 150
    assert parsed(one, json.dumps(row).encode()).code == "not_framed"
    twice = b'{"id":"a","id":"b"}'
    assert parsed(one, b"\0\0\0\0\x01" + twice).code == "duplicate_key"


NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


@pytest.mark.parametrize(("schema", "why"), [
    (NODE, "recurs in itself"),
    ({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": {"type": "array", "items": "null"}}]}, "take no bytes"),
    ({"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": {
        "type": "record", "name": "E", "fields": []}}}]}, "take no bytes"),
    ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "Lost"}]}, "Lost"),
    ("}", "cannot be used"),
])  # fmt: skip
def test_a_schema_that_could_ask_for_endless_work_or_is_none_is_refused(
    schema: Any, why: str
) -> None:
    with pytest.raises(MappingError, match=why):
        plain(schema)


@pytest.mark.parametrize(("head", "why"), [
    ('format = "avro"', "needs file"),
    ('format = "protobuf"\n[schema]\nfile = "p.desc"', "message"),
    ('[schema]\nfile = "p.avsc"', "json does not need"),
    ('format = "avro"\n[schema]\nfile = "p.avsc"\nmessage = "M"', "of protobuf"),
    ('format = "avro"\n[schema]\nfile = "other.avsc"', "did not come along"),
])  # fmt: skip
def test_a_mapping_that_says_too_little_or_too_much_is_refused(head: str, why: str) -> None:
    with pytest.raises(MappingError, match=why):
        mapped(head, {"p.avsc": json.dumps(PAYMENT)})


def described() -> descriptor_pb2.FileDescriptorSet:
    """What protoc makes of: message Other {}  message Payment { … }"""
    found = descriptor_pb2.FileDescriptorSet()
    stamp = found.file.add(name="google/protobuf/timestamp.proto", package="google.protobuf")
    stamp.syntax = "proto3"
    one = stamp.message_type.add(name="Timestamp")
    one.field.add(name="seconds", number=1, type=3, label=1)
    one.field.add(name="nanos", number=2, type=5, label=1)
    file = found.file.add(name="p.proto", package="bank", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    money = file.enum_type.add(name="Money")
    for number, name in enumerate(("EUR", "JPY")):
        money.value.add(name=name, number=number)
    file.message_type.add(name="Other")
    payment = file.message_type.add(name="Payment")
    for number, (name, kind) in enumerate({"id": 9, "card": 9, "shop": 9, "amount": 4}.items(), 1):
        payment.field.add(name=name, number=number, type=kind, label=1)
    payment.field.add(name="at", number=5, type=11, label=1, type_name=".google.protobuf.Timestamp")
    payment.field.add(name="currency", number=6, type=14, label=1, type_name=".bank.Money")
    payment.field.add(name="tags", number=7, type=9, label=3)
    return found


def by_protobuf(framing: str = "none", message: str = "bank.Payment", of: Any = None) -> Mapped:
    text = b64encode((of or described()).SerializeToString()).decode()
    head = f'format = "protobuf"\n[schema]\nfile = "p.desc"\nmessage = "{message}"\n'
    quoted = f'framing = "{framing}"\n{FIELDS}\n[schema_texts]\n"p.desc" = "{text}"\n'
    whole = 'event = "transactions"\n' + head + quoted
    whole = whole.replace('unit = "major"', 'unit = "minor"').replace("epoch_ms", "epoch_ns")
    return compiled(read(whole, "m.toml"), TARGET, "m.toml", whole)


def payment(of: Any = None, **changed: Any) -> bytes:
    pool = DescriptorPool()
    for one in (of or described()).file:
        pool.Add(one)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("bank.Payment"))
    fields = {"id": "p1", "card": "C1", "shop": "K", "amount": 1_234_567_891, "currency": 1,
              "tags": ["a", "b"]} | changed  # fmt: skip
    made = kind(**{name: value for name, value in fields.items() if value is not None})
    made.at.seconds, made.at.nanos = NOW // 1000, 123_000_000
    return bytes(made.SerializeToString())


def test_protobuf_is_read_whole_numbers_moments_and_enums_exactly() -> None:
    event = parsed(by_protobuf(), payment())
    assert (event.amount, event.currency, event.time) == (1_234_567_891, "JPY", NOW + 123)


def test_a_field_that_the_descriptor_does_not_know_is_passed_over() -> None:
    assert parsed(by_protobuf(), payment() + b"\xa2\x06\x01x").id == "p1"


def evolved(of: str, **changed: Any) -> Any:
    """The descriptors with a field of the payment changed, or without it."""
    found = described()
    fields = found.file[1].message_type[1].field
    (at,) = [n for n, each in enumerate(fields) if each.name == of]
    if not changed:
        del fields[at]
    for key, value in changed.items():
        setattr(fields[at], key, value)
    return found


def test_protobuf_by_a_descriptor_that_changed_since() -> None:
    """A field added, one removed, one renamed, a number widened: as Protobuf has it, by numbers."""
    older = evolved("tags")
    assert parsed(by_protobuf(of=older), payment()).id == "p1", "one that was added is passed over"
    assert parsed(by_protobuf(), payment(of=older, tags=None)).id == "p1"
    assert parsed(by_protobuf(), payment(of=evolved("shop"), shop=None)).field == "shop"
    renamed = payment(of=evolved("card", name="pan"), card=None, pan="C9")
    assert parsed(by_protobuf(), renamed).entity == "C9"
    narrow = payment(of=evolved("amount", type=13), amount=1_234_567_890)
    assert parsed(by_protobuf(), narrow).amount == 1_234_567_890


def test_a_protobuf_message_that_was_cut_or_is_another_is_refused() -> None:
    assert parsed(by_protobuf(), payment()[:-1]).code == "not_of_schema"
    framed = by_protobuf("confluent")
    head = b"\0\0\0\0\x09"
    assert parsed(framed, head + b"\x02\x02" + payment()).id == "p1"  # one index: 1
    assert parsed(framed, head + b"\0" + payment()).code == "unknown_type"  # the first: Other
    assert parsed(framed, head + b"\x80").code == "not_framed"
    with pytest.raises(MappingError, match=r"bank\.Other, bank\.Payment"):
        by_protobuf(message="bank.Nothing")


def test_the_schema_beside_a_mapping_travels_in_its_text(tmp_path: Path) -> None:
    (tmp_path / "p.avsc").write_text(json.dumps(PAYMENT, indent=1))
    file = tmp_path / "m.toml"
    head = 'event = "transactions"\nformat = "avro"\n[schema]\nfile = "p.avsc"\n'
    file.write_text(head + FIELDS)
    text = text_of(str(file))
    assert text_of(text) == text
    (tmp_path / "p.avsc").unlink()
    one = made(text, TARGET)
    assert parsed(one, avro(PAYMENT, ROW)).id == ID
    with pytest.raises(MappingError, match=r"p\.avsc of the mapping"):
        text_of(str(file))
    text = text_of(text.replace("EUR", "CHF"))
    assert made(text, TARGET).mark != one.mark, "a decision names the schema, too"


def test_a_descriptor_set_travels_in_base64(tmp_path: Path) -> None:
    raw = described().SerializeToString()
    (tmp_path / "p.desc").write_bytes(raw)
    head = 'event = "transactions"\nformat = "protobuf"\n'
    schema = '[schema]\nfile = "p.desc"\nmessage = "bank.Payment"\n'
    (tmp_path / "m.toml").write_text(head + schema + FIELDS)
    found = read(text_of(str(tmp_path / "m.toml")), "m").schema_texts["p.desc"]
    assert b64decode(found) == raw
