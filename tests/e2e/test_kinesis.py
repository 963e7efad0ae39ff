"""A Kinesis stream in the place of a topic, by `sparse run`: decided whole, proven, looked at."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from apps.data.kinds import BY_TOPOLOGY
from apps.local.services.home import Home
from apps.operate import ledger as ledgers
from apps.operate import ledger_verify
from apps.prove.chaos.run import Run
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.settings import Settings
from tests.e2e.ground import Ground
from tests.models import fake_sources
from tests.models.kinesis_cluster import FAST, Streams, client

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(580)]
pytest.importorskip("boto3", reason="pip install -r requirements/kinesis.txt")
FIRST, COUNT = 1_000, 3_000
START_S, REST_S = 240.0, 200.0


@pytest.fixture
def run(services: Settings, services_home: Home, tmp_path: Path) -> Iterator[Run]:
    """A project of its own with our sources."""
    made = Run(tmp_path, services_home.jars, services)
    yield made
    made.project.end()


def test_a_stream_that_is_resharded_and_a_scorer_that_is_killed(
    run: Run, services: Settings, unique: Callable[[str], str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with fake_sources.kinesalite(tmp_path) as url:
        of_kinesis = replace(
            services, source="kinesis", kinesis_endpoint=url, kinesis_reads_per_s=FAST
        )
        ground = Ground(of_kinesis, BY_TOPOLOGY["fraud"], unique("kinesis"))
        ground.settings = replace(ground.settings, topic_labels="")
        streams = Streams(client(url))
        streams.ensure_topic(ground.topic, 2, {})
        run.settings = replace(ground.settings, run_dir=".stormwatch")
        run.start("fraud")
        ground.publish(FIRST)
        with ground.looking() as look:
            run.until(lambda: look()[0] > 0, "first decisions", START_S)
            streams.split(ground.topic, 0)
            run.kill("bolts.fraud.FraudAfterSplit")
            ground.publish(COUNT)  # its first ones again
            whole = FIRST + COUNT
            run.until(lambda: look() == (whole, whole), "all decided", REST_S)
        run.stop()
        with (
            closing(connect.admin(ground.settings)) as admin,
            closing(cassandra.connect(ground.settings)) as store,
        ):
            ledger = ledgers.topic(ground.settings, admin, store, ground.topic)
            again = {"duplicate", "late"}  # late: older than ids are kept
            assert ledger.sound and set(ledger.states) <= {"scored", *again}, ledger
            assert ledger.states["scored"] == COUNT
            assert len(ledger.partitions) >= 3, "the children of the shard that was split, too"
            verified = ledger_verify.verify(ground.settings, admin, store, "fraud", ground.topic)
            assert verified.sound, verified
        with closing(connect.source(ground.settings, ground.settings.topic_alerts)) as alerts:
            assert alerts.describe() is not None, "alerts are Kafka's"
