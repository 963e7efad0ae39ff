"""The parse bolt with a schema registry: Apicurio where it is installed, and a double of the part
of Confluent's HTTP interface that is used."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from fastavro import parse_schema, schemaless_writer
from msgspec import structs

from apps.prove.chaos.services import TcpProxy
from bolts.parse import ParseTransactions
from stormwatch import codec
from stormwatch.codec import Parsed
from stormwatch.domains.fraud.event import Transaction
from stormwatch.records import Record
from stormwatch.testing import batch, drive, fragment
from tests.models import fake_sources
from tests.models.serving import serving

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HERE = structs.replace(fragment(0, 0), topic="transactions")
CENTS = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string"},
    {"name": "card", "type": "string"},
    {"name": "shop", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "amount", "type": CENTS},
    {"name": "currency", "type": "string"},
]
ROW = {"id": "p1", "card": "C1", "shop": "K7", "at": NOW, "amount": Decimal("9999999.99"),
       "currency": "EUR"}  # fmt: skip
MAPPING = """event = "transactions"
format = "avro"
[schema]
framing = "confluent"
{file}
[fields]
id = {{path = "id"}}
customer = {{path = "card"}}
terminal = {{path = "shop"}}
time = {{path = "at", form = "epoch_ms"}}
amount = {{path = "amount", unit = "major"}}
currency = {{path = "currency"}}
"""


def schema(*changed: dict[str, Any], without: str = "") -> dict[str, Any]:
    """The payment's, with fields changed or added, or one left out."""
    by_name = {field["name"]: field for field in FIELDS if field["name"] != without}
    by_name |= {field.get("was", field["name"]): field for field in changed}
    fields = [{k: v for k, v in field.items() if k != "was"} for field in by_name.values()]
    return {"type": "record", "name": "Payment", "namespace": "bank", "fields": fields}


class _Double(BaseHTTPRequestHandler):
    texts: list[str]

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2])
        if 1 <= number <= len(self.texts):
            self._answer(200, {"schema": self.texts[number - 1]})
        else:
            self._answer(404, {"error_code": 40403, "message": "Schema not found"})

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.texts.append(told["schema"])
        self._answer(200, {"id": len(self.texts)})

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *said: object) -> None:
        """Nothing."""


@contextmanager
def double() -> Iterator[str]:
    handler = type("Handler", (_Double,), {"texts": []})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


class Registry(NamedTuple):
    """It is reached through `proxy`, which may be cut."""

    url: str
    near: str
    proxy: TcpProxy

    def register(self, made: dict[str, Any], subject: str = "payments-value") -> int:
        """The number of a schema."""
        body = json.dumps({"schema": json.dumps(made), "schemaType": "AVRO"}).encode()
        head = {"content-type": "application/vnd.schemaregistry.v1+json"}
        asked = Request(f"{self.url}/subjects/{subject}/versions", body, head)
        with urlopen(asked, timeout=60) as answer:
            return int(json.loads(answer.read())["id"])


@pytest.fixture(
    scope="module",
    params=["double", pytest.param("apicurio", marks=pytest.mark.integration)],
)
def registry(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Registry]:
    made = double() if request.param == "double" else fake_sources.apicurio(
        tmp_path_factory.mktemp("apicurio")
    )  # fmt: skip
    with made as url:
        parts = urlsplit(url)
        proxy = TcpProxy(parts.port or 0)
        yield Registry(url, f"http://127.0.0.1:{proxy.port}{parts.path}", proxy)
        proxy.cut()


def avro(number: int, made: dict[str, Any], row: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    schemaless_writer(stream, parse_schema(made), row)
    return b"\0" + number.to_bytes(4, "big") + stream.getvalue()


@pytest.fixture
def parsed(registry: Registry, tmp_path: Path) -> Callable[..., Any]:
    """What the bolt says of values; the mapping reads all by `newest` where one is given."""

    def parse(*values: bytes, newest: dict[str, Any] | None = None) -> Any:
        file = "" if newest is None else 'file = "newest.avsc"'
        (tmp_path / "newest.avsc").write_text(json.dumps(newest or {}))
        (tmp_path / "payments.toml").write_text(MAPPING.format(file=file))
        records = [Record(at, NOW, None, value) for at, value in enumerate(values)]
        where = structs.replace(HERE, last=len(values) - 1)
        return drive(
            ParseTransactions, batch(where, records),
            conf={
                "stormwatch.mapping.transactions": str(tmp_path / "payments.toml"),
                "stormwatch.registry.url": registry.near,
            },
        )  # fmt: skip

    return parse


def events(said: Any) -> list[Transaction]:
    values = {emit["stream"]: emit["tuple"][-1] for emit in said.emits}
    return [event for _, _, event in codec.decoder(Parsed[Transaction])(values["default"]).events]


def test_a_record_is_read_by_the_schema_that_it_names_to_the_last_digit(
    registry: Registry, parsed: Callable[..., Any]
) -> None:
    number = registry.register(schema())
    (event,) = events(parsed(avro(number, schema(), ROW)))
    assert (event.id, event.customer, event.amount, event.time) == ("p1", "C1", 999_999_999, NOW)


@pytest.mark.parametrize(("written", "newest", "row", "expected"), [
    (schema({"name": "branch", "type": "string"}), schema(), {"branch": "B"}, {}),
    (schema(without="shop"), schema({"name": "shop", "type": "string", "default": "none"}), {},
     {"terminal": "none"}),
    (schema({"name": "pan", "was": "card", "type": "string"}),
     schema({"name": "card", "type": "string", "aliases": ["pan"]}), {"pan": "C9"},
     {"customer": "C9"}),
    (schema({"name": "amount", "type": "int"}), schema({"name": "amount", "type": "long"}),
     {"amount": 12}, {"amount": 1_200}),
], ids=["removed", "added", "renamed", "widened"])  # fmt: skip
def test_older_records_are_read_as_the_newest_schema(
    registry: Registry, parsed: Callable[..., Any], written: dict[str, Any],
    newest: dict[str, Any], row: dict[str, Any], expected: dict[str, Any],
) -> None:  # fmt: skip
    number = registry.register(written, f"s{abs(hash(str(written)))}")
    (event,) = events(parsed(avro(number, written, ROW | row), newest=newest))
    whole = {"id": "p1", "customer": "C1", "terminal": "K7", "amount": 999_999_999} | expected
    assert {name: getattr(event, name) for name in whole} == whole


def test_a_schema_that_the_registry_lacks_sends_its_record_to_the_dead_letters(
    registry: Registry, parsed: Callable[..., Any]
) -> None:
    number = registry.register(schema())
    good, lost = avro(number, schema(), ROW), avro(987_654, schema(), ROW)
    said = parsed(lost, good)
    assert [event.id for event in events(said)] == ["p1"]
    values = {emit["stream"]: emit["tuple"][-1] for emit in said.emits}
    (row,) = codec.decoder(codec.Asides)(values["rejected"]).rows
    assert (row.offset, row.code, row.raw) == (0, "unknown_schema", lost)


def test_while_the_registry_is_away_the_batch_is_tried_again(
    registry: Registry, parsed: Callable[..., Any]
) -> None:
    number = registry.register(schema())
    registry.proxy.cut()
    said = parsed(avro(number, schema(), ROW))
    assert said.fails and not said.acks and not said.emits
    registry.proxy.mend()
    assert len(events(parsed(avro(number, schema(), ROW)))) == 1


def test_a_schema_that_would_break_readers_is_refused_by_the_registry(registry: Registry) -> None:
    if "ccompat" not in registry.url:
        pytest.skip("the double compares no schemas")
    registry.register(schema(), "strict-value")
    body = json.dumps({"compatibility": "BACKWARD"}).encode()
    head = {"content-type": "application/vnd.schemaregistry.v1+json"}
    asked = Request(f"{registry.url}/config/strict-value", body, head, method="PUT")
    urlopen(asked, timeout=60).close()
    with pytest.raises(HTTPError, match="409"):
        registry.register(schema({"name": "amount", "type": "boolean"}), "strict-value")
