"""The typed client, and the document that it goes by."""

from collections.abc import Iterator

import pytest

from apps.serve import document
from apps.serve.client import ApiError, Client
from stormwatch.errors import InfrastructureError
from tests.models.asked import ROOT, Api, asked
from tests.models.decided_payments import T0, TOPIC


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with asked() as made:
        yield made


@pytest.fixture
def client(api: Api) -> Client:
    return Client(f"http://127.0.0.1:{api.port}", token="sw_secret")


def test_the_document_that_is_checked_in_is_that_of_the_routes() -> None:
    stored = (ROOT / "schema" / "openapi.json").read_text()
    assert stored == document.text(), "run: ./stormwatch schema json"


def test_a_program_reads_and_acts(api: Api) -> None:
    client = Client(f"http://127.0.0.1:{api.port}")
    alerts = list(client.alerts("fraud", limit=1))
    assert [alert.id for alert in alerts] == ["t27", "t18", "t9", "t0"]
    work = client.act(alerts[0].key, "acknowledge", seen=0)
    assert work == client.work(alerts[0].key) and work.status == "acknowledged"
    assert client.act(alerts[0].key, "assignee", to="ann").assignee == "ann"
    with pytest.raises(ApiError, match="was quicker") as told:
        client.act(alerts[0].key, "close", seen=1)
    assert told.value.status == 412 and told.value.work and told.value.work.version == 2
    whole = client.decision("fraud", "C1", T0 + 27_000, "t27")
    assert whole.decision.work is None and whole.model == "m1"
    assert len(list(client.decisions("fraud", "C1", limit=3))) == 10
    assert client.record(client.send("payments", b"nothing")).value == "nothing"
    assert client.now().trouble.said == "" and client.record(f"{TOPIC}/0/0").decisions


def test_what_goes_wrong_is_told_and_the_token_never(api: Api, client: Client) -> None:
    with pytest.raises(ApiError) as told:
        client.record("x")
    assert told.value.status == 401 and "sw_secret" not in f"{told.value!r}{client!r}"
    with pytest.raises(InfrastructureError, match="does not answer"):
        Client("http://127.0.0.1:9").now()
