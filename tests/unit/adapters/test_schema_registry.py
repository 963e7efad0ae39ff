"""The registry's client against a server of its HTTP interface."""

import json
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from apps.local.services import ports
from stormwatch.adapters.connect import schemas
from stormwatch.adapters.schema_registry import SchemaRegistry
from stormwatch.errors import RegistryUnavailable, SettingsError
from stormwatch.settings import Settings
from tests.models.serving import serving


class Registry(BaseHTTPRequestHandler):
    """Has the schema 7 for whoever is ada; 8 is broken."""

    def do_GET(self) -> None:
        code, body = 404, {"error_code": 40403, "message": "Schema not found"}
        if self.headers.get("authorization") != "Basic " + b64encode(b"ada:secret").decode():
            code = 401
        elif self.path == "/base/schemas/ids/7":
            code, body = 200, {"schema": '"string"'}
        elif self.path == "/base/schemas/ids/8":
            code, body = 200, {}
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *said: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with serving(HTTPServer(("127.0.0.1", 0), Registry)) as server:
        yield f"http://127.0.0.1:{server.server_port}/base/"


def test_a_schema_none_and_answers_that_are_none(url: str) -> None:
    settings = Settings(registry_url=url, registry_username="ada", registry_password="secret")
    ask = schemas(settings)
    assert (ask(7), ask(9)) == ('"string"', None)
    with pytest.raises(RegistryUnavailable, match="is no schema"):
        ask(8)
    with pytest.raises(RegistryUnavailable, match="STORMWATCH_REGISTRY_PASSWORD"):
        schemas(Settings(registry_url=url))(7)


def test_a_registry_that_is_away_is_an_outage_and_one_that_is_none_a_setting() -> None:
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        SchemaRegistry(Settings(registry_url=f"http://127.0.0.1:{ports.free()}")).schema(1)
    with pytest.raises(SettingsError, match="must be an address"):
        SchemaRegistry(Settings(registry_url="file:///etc"))
    with pytest.raises(SettingsError, match=r"registry\.url"):
        schemas(Settings())(1)
