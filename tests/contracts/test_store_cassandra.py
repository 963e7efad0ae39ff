"""What only Cassandra can show: TTLs, wire form, outages, and what is said of them."""

import importlib
import inspect
import pkgutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cassandra as driver
import pytest
from cassandra.cluster import Session
from cassandra.query import UNSET_VALUE
from hypothesis import given
from hypothesis import strategies as st

from apps.operate.state import reset
from apps.prove.chaos.services import TcpProxy
from apps.prove.verdict.tables import stored
from stormwatch.adapters.cassandra import rows as wire
from stormwatch.adapters.cassandra import session as cassandra_session
from stormwatch.adapters.cassandra import store as adapter
from stormwatch.adapters.cassandra.schema import batch_limits
from stormwatch.errors import SchemaError, SettingsError, StoreUnavailable
from stormwatch.ledger.reconcile import START
from stormwatch.partitioner import stripe_of
from stormwatch.records import DecisionKey, LedgerRow, StateRow
from stormwatch.settings import Settings
from tests.contracts.store_rows import (
    NOW,
    aside,
    decision,
    fragment,
    ledger_row,
    outcomes,
    state,
)

DAY_S = 86_400
SRC = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module")
def session(keyspace: Settings) -> Iterator[Session]:
    session = cassandra_session.open_session(keyspace)
    session.set_keyspace(keyspace.cassandra_keyspace)
    yield session
    session.cluster.shutdown()


@pytest.mark.integration
def test_no_request_waits_for_the_answer_to_another(session: Session) -> None:
    """Nagle's algorithm and delayed acks together cost small batches 40 ms."""
    (pool,) = session.get_pools()
    for connection in pool.get_connections():
        made = connection._socket
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.integration
def test_where_up_has_each_write_wait_for_the_disk_few_partitions_share_a_request(
    keyspace: Settings, session: Session
) -> None:
    assert batch_limits(session, keyspace) == wire.Shared(
        wire.SHARED_BYTES_MAX, wire.SHARED_PARTITIONS_SYNCED
    )


def test_every_row_has_the_given_timestamp_and_a_ttl(
    keyspace: Settings, session: Session, unique: Callable[[str], str]
) -> None:
    few = replace(
        keyspace, ttl_states_d=3, ttl_decisions_d=5, ttl_dead_letters_d=7, ttl_ledger_d=11
    )
    store, name = adapter.connect(few), unique("d")
    of = fragment(name)
    store.write_outcomes(
        outcomes(name, [decision(alert=True)], stamp=41, of=of, set_aside=[aside(1)])
    )
    store.write_states(name, [state(stamp=42)])
    store.write_meter(name, "c", "i", b"{}")
    for table, column, days, stamp in (
        ("decisions", "body", 5, 41), ("alerts", "body", 5, 41), ("dead_letters", "raw", 7, 41),
        ("states", "state", 3, 42), ("ledger", "bitmaps", 11, 41), ("meters", "body", 1, None),
    ):  # fmt: skip
        where = {"ledger": "topic", "meters": "topology"}.get(table, "domain")
        asked = f"SELECT TTL({column}), WRITETIME({column}) FROM {table} WHERE {where} = %s"
        until = time.monotonic() + 10  # nobody waits for a meter to be written
        while not (rows := list(session.execute(f"{asked} ALLOW FILTERING", [name]))):
            assert time.monotonic() < until, table
            time.sleep(0.05)
        ((ttl, written),) = rows
        assert days * DAY_S - 60 < ttl <= days * DAY_S, table
        assert written == (stamp or written), table
    store.close()


@pytest.mark.integration
def test_the_operators_delete_wins(
    on_cassandra: adapter.CassandraStore, session: Session, unique: Callable[[str], str]
) -> None:
    name = unique("d")
    on_cassandra.write_states(name, [state(stamp=2**50 - 1)])
    session.execute("DELETE FROM states WHERE domain = %s AND stripe = 0", [name])
    assert on_cassandra.load_states(name, {0: ["entity-0"]}) == {}
    on_cassandra.write_states(name, [state(stamp=2**50 - 1)])
    assert on_cassandra.load_states(name, {0: ["entity-0"]}) == {}


@pytest.mark.integration
def test_an_entity_whose_state_was_deleted_by_hand_can_be_started_afresh(
    on_cassandra: adapter.CassandraStore, session: Session, keyspace: Settings,
    unique: Callable[[str], str],
) -> None:  # fmt: skip
    """Else each start would find it without a state, for `gc_grace_seconds` and longer."""
    name, stripe = unique("d"), stripe_of("ann", keyspace.layout_stripes)
    first = StateRow(stripe, "ann", b"first", 41)
    on_cassandra.write_states(name, [first])
    assert on_cassandra.find_state(name, stripe, "ann") == first
    session.execute("DELETE FROM states WHERE domain = %s AND stripe = %s", [name, stripe])
    assert on_cassandra.find_state(name, stripe, "ann") is None
    done = reset(on_cassandra, keyspace, name, "ann", time.time_ns() // 10**6, deleted=True)
    later = StateRow(stripe, "ann", b"later", done.stamp + 1)
    on_cassandra.write_states(name, [later])
    assert on_cassandra.find_state(name, stripe, "ann") == later


@pytest.mark.integration
@given(
    texts=st.lists(st.text(max_size=20), max_size=8),
    times=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8, max_size=8),
)
def test_lists_are_packed_as_the_driver_packs_them(
    on_cassandra: adapter.CassandraStore, texts: list[str], times: list[int]
) -> None:
    cql = on_cassandra._cql
    assert cql.load.bind(("d", 1, texts)).values[2] == wire.text_list(texts)
    keys = [DecisionKey(0, t, n, t[::-1]) for t, n in zip(texts, times, strict=False)]
    bound = cql.find.bind(("d", 1, 2, [(k.entity, k.time, k.id) for k in keys]))
    assert bound.values[3] == wire.key_list(keys)


@pytest.mark.integration
def test_rows_are_packed_as_the_driver_packs_them(on_cassandra: adapter.CassandraStore) -> None:
    cql = on_cassandra._cql
    d = decision(5, alert=True, entity="é", score=-1.5)
    (rows,) = wire.decision_rows(b"dom", 77, 3_600_000, [d])
    cells = (d.entity, d.time, d.id, d.outcome, d.score, d.body, d.timestamp)
    period = d.time // 3_600_000
    assert rows == [cql.decision.bind(("dom", d.stripe, period, *cells, True, 77)).values]
    ((day, rows),) = wire.alert_rows(b"dom", 77, "t", 3, [d]).items()
    assert rows == [cql.alert.bind(("dom", day, "t", 3, d.stripe, *cells, 77)).values]
    s = state(5)
    (rows,) = wire.state_rows(b"dom", [s])
    assert rows == [cql.state.bind(("dom", s.stripe, s.entity, s.blob, s.stamp)).values]
    a = aside(9, key=None)
    ((day, rows),) = wire.aside_rows(b"dom", 77, "t", 3, 2, [a]).items()
    head = ("dom", day, "t", 3, a.state, 2, a.offset, a.timestamp, a.code, a.reason, a.component)
    assert rows == [cql.aside.bind((*head, UNSET_VALUE, a.raw, 77)).values]


@pytest.mark.integration
def test_an_outage_is_told_in_time_and_ends(
    keyspace: Settings, unique: Callable[[str], str]
) -> None:
    proxy, name = TcpProxy(keyspace.cassandra_port), unique("d")
    limited = replace(keyspace, cassandra_port=proxy.port, cassandra_request_timeout_s=1.0)
    store = adapter.connect(limited)
    batch = outcomes(name, [decision(i) for i in range(300)])
    keys = [DecisionKey(r.stripe, r.entity, r.time, r.id) for r in batch.decisions]
    calls: list[Callable[[], object]] = [
        lambda: store.write_outcomes(batch),
        lambda: store.write_states(name, [state()]),
        lambda: store.write_aside(name, [aside(0)], batch.ledger, 1),
        lambda: store.load_states(name, {0: ["entity-0"]}),
        lambda: store.find_decisions(name, keys),
        lambda: list(store.ledger(name, 0, 0, 0, 9)),
        lambda: store.ledger_starts(name),
        lambda: store.alerts(name, 5),
        lambda: store.set_aside(name, 5),
        lambda: store.meters(name),
    ]
    try:
        for fault in (proxy.hang, proxy.cut):
            store.write_outcomes(batch)
            fault()
            for call in calls:
                began = time.monotonic()
                with pytest.raises(StoreUnavailable, match=r"Cassandra did not .*doctor"):
                    call()
                assert time.monotonic() - began < 3.5
            store.write_meter(name, "c", "i", b"lost")
            proxy.mend()
            recovered(lambda: store.write_outcomes(batch), within=10)
            for call in calls:
                call()
        assert len(store.find_decisions(name, keys)) == 300
    finally:
        store.close()
        proxy.cut()


def recovered(call: Callable[[], object], within: float) -> None:
    deadline = time.monotonic() + within
    while True:
        try:
            call()
            return
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.integration
def test_a_full_socket_is_waited_for(keyspace: Settings, unique: Callable[[str], str]) -> None:
    proxy, name = TcpProxy(keyspace.cassandra_port), unique("d")
    store = adapter.connect(replace(keyspace, cassandra_port=proxy.port))
    proxy.pause = 0.01
    rows = [aside(i, raw=bytes([i]) * 200_000) for i in range(60)]
    store.write_aside(name, rows, ledger_row(fragment(name, 0, 59), rejected=[0]), 1)
    proxy.pause = 0.0
    assert len(store.set_aside(name, 100)) == 60
    store.close()
    proxy.cut()


@pytest.mark.integration
def test_answers_may_come_in_crumbs(keyspace: Settings, unique: Callable[[str], str]) -> None:
    proxy, name = TcpProxy(keyspace.cassandra_port), unique("d")
    store = adapter.connect(replace(keyspace, cassandra_port=proxy.port))
    batch = outcomes(name, [decision(i) for i in range(3)])
    store.write_outcomes(batch)
    proxy.piece, proxy.pause = 3, 0.002
    keys = [DecisionKey(r.stripe, r.entity, r.time, r.id) for r in batch.decisions]
    assert len(store.find_decisions(name, keys)) == 3
    store.close()
    proxy.cut()


@pytest.mark.integration
def test_tables_that_are_not_there_are_told_with_their_remedy(keyspace: Settings) -> None:
    with pytest.raises(SchemaError, match=r"give its tables whole.*schema apply"):
        stored(replace(keyspace, cassandra_keyspace="nowhere"))


@pytest.mark.integration
def test_connecting_is_bounded_and_leaves_no_thread(keyspace: Settings) -> None:
    proxy = TcpProxy(keyspace.cassandra_port)
    limited = replace(keyspace, cassandra_port=proxy.port, cassandra_request_timeout_s=1.0)
    for fault in (proxy.hang, proxy.cut):
        proxy.mend()
        fault()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="accept a connection"):
            adapter.connect(limited)
        assert time.monotonic() - began < 5
    proxy.mend()
    adapter.connect(limited).close()
    proxy.cut()


def test_a_host_without_a_name_is_told() -> None:
    with pytest.raises(StoreUnavailable, match=r"no-such-host\.invalid"):
        adapter.connect(Settings(cassandra_contact_points="no-such-host.invalid"))


@pytest.mark.parametrize("name", ["", "Upper", "a-b", 'x"; DROP', "9a", "a" * 49])
def test_a_keyspace_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"cassandra\.keyspace"):
        adapter.connect(Settings(cassandra_keyspace=name))


def test_a_certificate_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path / "absent.pem", Path(__file__)):
        with pytest.raises(SettingsError, match=r"cassandra\.ssl_ca.*PEM"):
            adapter.connect(Settings(cassandra_ssl_ca=str(file)))


def test_every_error_of_the_driver_is_translated() -> None:
    known = cassandra_session.UNAVAILABLE + cassandra_session.REFUSED
    missing = {
        f"{error.__module__}.{error.__name__}"
        for module in modules()
        for _, error in inspect.getmembers(module, inspect.isclass)
        if issubclass(error, Exception)
        and error.__module__.startswith("cassandra")
        and not issubclass(error, known)
    }
    assert missing == set()


def modules() -> Iterator[object]:
    """All of the driver but what we cannot reach: other reactors, mappers, optional packages."""
    unused = {
        "cqlengine", "datastax", "graph", "metrics", "column_encryption", "numpy_parser",
        "geventreactor", "twistedreactor", "eventletreactor", "asyncioreactor", "asyncorereactor",
    }  # fmt: skip
    for found in pkgutil.walk_packages(driver.__path__, "cassandra."):
        if not unused & set(found.name.split(".")):
            yield importlib.import_module(found.name)


def test_causes_are_sentences() -> None:
    settings = Settings(cassandra_username="ann", cassandra_password="secret")
    for error, said in (
        (driver.OperationTimedOut(), "no answer within 5 s"),
        (driver.Unavailable("x", 6, 2, 1), "Unavailable"),
        (driver.AuthenticationFailed("bad"), "STORMWATCH_CASSANDRA_PASSWORD"),
        (cassandra_session.NoHostAvailable("none", {"h": ConnectionRefusedError(111, "refused")}),
         "ConnectionRefusedError"),
        (cassandra_session.NoHostAvailable("none", []), "none"),
        (OSError("broken"), "broken"),
    ):  # fmt: skip
        with (
            pytest.raises(StoreUnavailable, match=said) as told,
            cassandra_session.translated(settings, "read states"),
        ):
            raise error
        assert "secret" not in str(told.value)
        assert told.value.__cause__ is error
    with (
        pytest.raises(StoreUnavailable, match="no answer within 60 s"),
        cassandra_session.translated(settings, "give its tables whole", 60.0),
    ):
        raise driver.OperationTimedOut
    with (
        pytest.raises(SchemaError, match="schema apply"),
        cassandra_session.translated(settings, "read states"),
    ):
        raise driver.InvalidRequest("unconfigured table")


def test_nothing_is_printed_on_stdout() -> None:
    code = (
        "import logging; logging.basicConfig(level=logging.WARNING)\n"
        "from dataclasses import replace\n"
        "from stormwatch.adapters.cassandra import store as cassandra\n"
        "from stormwatch.errors import StoreUnavailable\n"
        "from stormwatch.settings import Settings\n"
        "try: cassandra.connect(Settings(cassandra_port=9))\n"
        "except StoreUnavailable: raise SystemExit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(SRC)}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, b"", b"")


@pytest.mark.integration
def test_days_are_indexed_again_after_a_failed_write(
    keyspace: Settings, unique: Callable[[str], str]
) -> None:
    proxy, name = TcpProxy(keyspace.cassandra_port), unique("d")
    limited = replace(keyspace, cassandra_port=proxy.port, cassandra_request_timeout_s=1.0)
    store = adapter.connect(limited)
    batch = outcomes(name, [decision(alert=True, timestamp=NOW)])
    proxy.cut()
    with pytest.raises(StoreUnavailable):
        store.write_outcomes(batch)
    proxy.mend()
    recovered(lambda: store.write_outcomes(batch), within=10)
    assert store.alerts(name, 5) == batch.decisions
    store.close()
    proxy.cut()


@pytest.mark.integration
def test_a_value_that_cassandra_refuses_is_no_outage(
    on_cassandra: adapter.CassandraStore, unique: Callable[[str], str]
) -> None:
    name = unique("d")
    with pytest.raises(SchemaError, match="too large"):
        on_cassandra.write_outcomes(outcomes(name, [decision(entity="x" * 70_000)]))
    start = LedgerRow(fragment(name, 3, 2), START, {}, 0)
    on_cassandra.write_aside(name, [], start, 1)  # the store goes on
    on_cassandra.write_aside(name, [], ledger_row(fragment(name), late=[1]), 1)
