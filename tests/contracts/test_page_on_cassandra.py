"""The number on the page is that of the API is that of the rows in Cassandra, as cqlsh has them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stormwatch.adapters.cassandra import store as adapter
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.metrics import Snapshot
from stormwatch.settings import Settings
from tests.models.asked import ROOT, Api, asked, look_often
from tests.models.browser import DRIVER, WITHOUT, Browser, opened
from tests.models.decided_payments import CUSTOMERS, SETTINGS, Decided

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(DRIVER is None, reason=WITHOUT),
]
Rows = Callable[[str, str], list[Any]]


@pytest.fixture
def stored(cassandra: Settings, unique: Callable[[str], str]) -> Iterator[adapter.CassandraStore]:
    """In a keyspace of its own, laid out as the settings say."""
    mine = replace(cassandra, cassandra_keyspace=unique("page"))
    assert mine.layout_stripes == SETTINGS.layout_stripes
    adapter.apply(mine, ROOT / "schema" / "cql")
    store = adapter.connect(mine)
    yield store
    store.close()


@pytest.fixture
def rows(stored: adapter.CassandraStore) -> Rows:
    """Some columns of a whole table, past all that the API reads by."""
    where = stored._settings.cassandra_keyspace
    return lambda columns, table: [
        tuple(row) for row in stored._session.execute(f"SELECT {columns} FROM {where}.{table}")
    ]


@pytest.fixture
def api(stored: adapter.CassandraStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    look_often(monkeypatch)
    with asked(world=Decided(stored)) as made:
        yield made


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with opened(tmp_path) as made:
        yield made


def test_what_the_page_counts_is_what_cassandra_has(api: Api, rows: Rows, browser: Browser) -> None:
    page = f"http://127.0.0.1:{api.port}/"
    api.world.meter(now_ms() + 60_000, 30)
    browser.open(page)
    for burst in (0, 60):  # more than the stream tells of at once
        api.world.alerts_of([f"customer-{i}" for i in range(burst)])
        alerts = rows("entity, id", "alerts")
        cases = Counter(entity for entity, _ in alerts)
        assert (len(alerts), len(cases)) == (4 + burst, 1 + burst)
        told = api.json("/v1/alerts", domain="fraud", limit=500)["decisions"]
        assert Counter((one["entity"], one["id"]) for one in told) == Counter(alerts)
        browser.open("about:blank")  # so that the view is opened anew
        browser.open(f"{page}#fraud")
        words = f"{len(cases)} open case{'s' if burst else ''}"
        browser.until(lambda text, words=words: words in text)  # type: ignore[misc]

    name = CUSTOMERS[0]
    decisions = [id_ for entity, id_ in rows("entity, id", "decisions") if entity == name]
    told = api.json("/v1/decisions", domain="fraud", entity=name, limit=500)["decisions"]
    assert sorted(one["id"] for one in told) == sorted(decisions) and len(decisions) == 10

    letters = rows("state, code", "dead_letters")
    told = api.json("/v1/set-aside", domain="fraud")["records"]
    assert Counter((one["state"], one["code"]) for one in told) == Counter(letters)
    (body,) = (one for (one,) in rows("body", "meters"))
    snapshot = msgspec.json.decode(body, type=Snapshot)
    (figures,) = api.json("/v1/now")["rates"]["figures"]
    assert figures["decided"] == sum(snapshot.ends.values()) == 30
    assert figures["alerts"] == snapshot.alerts == 1
    browser.open(f"{page}#quality/fraud")
    browser.until(lambda text: all(code in text for _, code in letters) and "scored 30" in text)
    browser.open(f"{page}#now")
    browser.until(lambda text: f"alerts of {sum(snapshot.ends.values())} decided" in text)
    assert browser.complaints() == []
