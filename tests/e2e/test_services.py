"""Services are started, found, reused and ended, for real."""

import pytest

from apps.services.health import cassandra_answers, kafka_answers
from stormwatch.settings import Settings

pytestmark = pytest.mark.integration


def test_fixtures_lead_to_answering_services(services: Settings) -> None:
    host, _, port = services.kafka_bootstrap.rpartition(":")
    assert kafka_answers(host, int(port))
    assert cassandra_answers(services.cassandra_contact_points, services.cassandra_port)
