"""Topics and tables of one system belong together."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from apps.local.run import prepare
from apps.local.services.health import cassandra_answers, kafka_answers
from apps.local.services.home import silent
from apps.operate import ledger
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.ledger.reconcile import START
from stormwatch.records import Fragment, LedgerRow
from stormwatch.settings import Settings
from tests.e2e.project import ROOT

pytestmark = pytest.mark.integration


def test_fixtures_lead_to_answering_services(services: Settings) -> None:
    host, _, port = services.kafka_bootstrap.rpartition(":")
    assert kafka_answers(host, int(port))
    assert cassandra_answers(host, services.cassandra_port)


def test_tables_that_outlived_their_topic_say_nothing_of_the_new_one(
    services: Settings, unique: Callable[[str], str]
) -> None:
    name = unique("lost")
    here = replace(
        services,
        topic_transactions=f"{name}.transactions",
        topic_control=f"{name}.control",
        cassandra_keyspace=name,
    )
    prepare.ensure_tables(here, ROOT, silent)
    start = LedgerRow(Fragment(here.topic_transactions, 0, 1, 0, -1, 1, 0), START, {}, 0)
    with closing(cassandra.connect(here)) as store:
        store.write_aside("fraud", [], start, 1)
    prepare.topics_and_tables(here, ROOT, silent)
    with closing(connect.admin(here)) as admin, closing(cassandra.connect(here)) as store:
        found = ledger.topic(here, admin, store, here.topic_transactions)
    assert (found.states, found.known, found.in_flight) == ({}, False, 0)
