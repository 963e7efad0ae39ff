"""Topics and tables of one system belong together."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from apps.local.run import prepare
from apps.local.services.home import silent
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.errors import StateError
from stormwatch.ledger.reconcile import START
from stormwatch.records import Fragment, LedgerRow
from stormwatch.settings import Settings
from tests.e2e.project import ROOT

pytestmark = pytest.mark.integration


def test_tables_that_outlived_their_topic_are_refused_until_both_begin_anew(
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
    for _ in range(2):  # the refusal itself makes nothing that would let the next try pass
        with pytest.raises(StateError, match=rf"no topic {here.topic_transactions}.*anew"):
            prepare.topics_and_tables(here, ROOT, silent)
    afresh = replace(here, cassandra_keyspace=unique("afresh"))
    prepare.topics_and_tables(afresh, ROOT, silent)
    with closing(connect.admin(afresh)) as admin:
        assert admin.describe(here.topic_transactions) is not None
