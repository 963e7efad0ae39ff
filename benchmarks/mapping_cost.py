"""What a mapping costs a record over the native format: `python -m benchmarks.mapping_cost`.

The same payments (and readings) as rows of texts of another shape, as native JSON, and payments as
Avro and Protobuf, in turns in one process. Each figure is the best of many short rounds, so that
what else runs hardly counts.
"""

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from io import BytesIO
from time import perf_counter
from typing import Any

import msgspec

from stormwatch.domains.fraud import parse as payments
from stormwatch.domains.maintenance import parse as readings
from stormwatch.parsing.mapping import made

ROUNDS, RECORDS = 400, 200
BEGIN = 1_767_225_600
EVENT = 'event = "transactions"\n'
PAYMENTS = (
    EVENT
    + """[fields]
id = { path = "trans_num" }
customer = { path = "card" }
terminal = { hash = ["merchant"] }
time = { path = "unix_time", form = "epoch_s" }
amount = { path = "amt", unit = "major" }
currency = { constant = "USD" }
merchant = { path = "merchant" }
"""
)
AVRO: dict[str, Any] = {
    "type": "record", "name": "Payment",
    "fields": [{"name": name, "type": "string"} for name in (
        "trans_num", "card", "merchant", "amt", "category", "city_pop")]
    + [{"name": "unix_time", "type": "long"}, {"name": "lat", "type": "double"},
       {"name": "long", "type": "double"}],
}  # fmt: skip
NAMES = tuple(f"s{nth:02}" for nth in range(20))
READINGS = """
event = "readings"
settings = ["load"]
[fields]
id = { path = "no" }
unit = { path = "pump" }
time = { path = "at", form = "epoch_s" }
[sensors]
""" + "".join(f'{name} = "{name}"\n' for name in NAMES)


def payment(nth: int) -> dict[str, str]:
    return {
        "card": f"card-{nth % 80:03}", "lat": "39.59", "long": "-75.65", "city_pop": "59250",
        "trans_num": f"{nth:08}e729e51e9cce0e266985d0ba", "trans_date": "2026-01-01",
        "trans_time": "00:08:01", "unix_time": str(BEGIN + 60 * nth), "category": "gas_transport",
        "amt": f"{10 + nth % 90}.{nth % 100:02}", "is_fraud": "0", "merchant": f"Shop {nth % 50}",
        "merch_lat": "40.339727", "merch_long": "-76.065753", "_file": "a.csv", "_row": str(nth),
    }  # fmt: skip


def reading(nth: int) -> dict[str, str]:
    sensors = {name: f"{20 + nth % 7}.{at:02}" for at, name in enumerate(NAMES)}
    return {"no": f"r{nth}", "pump": f"p{nth % 9}", "at": str(BEGIN + 60 * nth), "load": "0.5"} | (
        sensors | {"_file": "a.csv", "_row": str(nth)}
    )


def as_avro(rows: Sequence[dict[str, str]]) -> tuple[Callable[..., Any], list[bytes]]:
    """The mapping of payments for Avro, and the rows as such records."""
    from fastavro import parse_schema, schemaless_writer

    head = f'format = "avro"\n[schema]\nfile = "p.avsc"\n{PAYMENTS}'.replace(EVENT, "")
    text = f'{EVENT}{head}[schema_texts]\n"p.avsc" = {json.dumps(json.dumps(AVRO))}\n'
    schema, values = parse_schema(AVRO), []
    for row in rows:
        stream = BytesIO()
        more = {name: float(row[name]) for name in ("lat", "long")}
        schemaless_writer(stream, schema, row | more | {"unix_time": int(row["unix_time"])})
        values.append(stream.getvalue())
    return made(text, payments.TARGET).parse, values


def as_protobuf(rows: Sequence[dict[str, str]]) -> tuple[Callable[..., Any], list[bytes]]:
    """The mapping of payments for Protobuf, and the rows as such messages."""
    from google.protobuf import descriptor_pb2, message_factory
    from google.protobuf.descriptor_pool import DescriptorPool

    found = descriptor_pb2.FileDescriptorSet()
    file = found.file.add(name="p.proto", package="bank", syntax="proto3")
    message = file.message_type.add(name="Payment")
    kinds = {"string": 9, "long": 3, "double": 1}
    for number, each in enumerate(AVRO["fields"], 1):
        message.field.add(name=each["name"], number=number, type=kinds[each["type"]], label=1)
    pool = DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("bank.Payment"))
    values = []
    for row in rows:
        numbers = {name: float(row[name]) for name in ("lat", "long")}
        texts = {each["name"]: row[each["name"]] for each in AVRO["fields"]}
        one = texts | numbers | {"unix_time": int(row["unix_time"])}
        values.append(bytes(kind(**one).SerializeToString()))
    head = 'format = "protobuf"\n[schema]\nfile = "p.desc"\nmessage = "bank.Payment"\n'
    text = b64encode(found.SerializeToString()).decode()
    whole = f'{EVENT}{head}{PAYMENTS.replace(EVENT, "")}[schema_texts]\n"p.desc" = "{text}"\n'
    return made(whole, payments.TARGET).parse, values


def best(parses: Sequence[tuple[Callable[..., Any], Sequence[bytes]]]) -> list[float]:
    """Microseconds a record of each, in turns."""
    found = [float("inf")] * len(parses)
    for _ in range(ROUNDS):
        for at, (parse, values) in enumerate(parses):
            begun = perf_counter()
            for value in values:
                parse(value, -1, future_skew_ms=0)
            found[at] = min(found[at], (perf_counter() - begun) / len(values) * 1e6)
    return found


def main() -> int:
    for name, toml, row, domain in (
        ("payments", PAYMENTS, payment, payments), ("readings", READINGS, reading, readings),
    ):  # fmt: skip
        mapped = made(toml, domain.TARGET).parse
        rows = [msgspec.json.encode(row(nth)) for nth in range(RECORDS)]
        native = [domain.to_wire(mapped(value, -1, future_skew_ms=0)) for value in rows]
        ours, theirs = best([(domain.parse, native), (mapped, rows)])
        print(
            f"{name}: native {ours:.2f} µs, mapped {theirs:.2f} µs a record: "
            f"{theirs - ours:+.2f} µs, {theirs / ours:.2f} times"
        )
    texts = [payment(nth) for nth in range(RECORDS)]
    mapped = made(PAYMENTS, payments.TARGET).parse
    rows = [msgspec.json.encode(one) for one in texts]
    usual, avro, proto = best([(mapped, rows), as_avro(texts), as_protobuf(texts)])
    print(
        f"payments: mapped JSON {usual:.2f} µs, Avro {avro:.2f} µs: {avro / usual:.2f} times; "
        f"Protobuf {proto:.2f} µs: {proto / usual:.2f} times"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
