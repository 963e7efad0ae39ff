"""A model that cannot be used: nothing is started, and it is said why; no record is touched."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from apps.prove.chaos.environment import Environment
from apps.prove.chaos.traffic import mixed
from apps.prove.verdict import judge, tables
from stormwatch.adapters import connect
from stormwatch.domains.fraud.domain import SHIPPED

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

COUNT = 500


def broken(environment: Environment, folder: Path) -> str:
    """What is said to a start with that model, which is refused."""
    environment.prepare()
    environment.publish(mixed(COUNT))
    environment.start(fraud_model=str(folder))
    assert environment.run.wait(timeout=300) not in (None, 0), environment.said()
    said = environment.said()
    assert "SW113 topology fraud: " in said and "not started" in said, said
    return said


def untouched(environment: Environment) -> None:
    """Nothing was decided, set aside or passed over; with a good model all of it is."""
    settings = environment.settings
    with closing(connect.admin(settings)) as admin:
        committed = admin.committed(settings.kafka_group, settings.topic_transactions)
    assert {each.offset for each in committed.values()} <= {0}, committed
    assert judge.differences(tables.Tables(), tables.of_cassandra(settings)) == []
    ledger = environment.ledger()
    assert (ledger.in_flight, ledger.unaccounted) == (COUNT, 0)
    environment.start(fraud_model="")
    environment.drain(COUNT, 240)
    environment.stop()
    environment.check()


def test_a_truncated_model_ends_the_run_and_no_record_suffers(environment: Environment) -> None:
    folder = environment.project.root / "model"
    shutil.copytree(SHIPPED, folder)
    artefact = folder / "trees.msgpack"
    artefact.write_bytes(artefact.read_bytes()[:-100])
    said = broken(environment, folder)
    assert f"{artefact} (" in said and "truncated or changed. Restore both files or" in said, said
    assert "./stormwatch train" in said, said
    untouched(environment)


@pytest.mark.slow
def test_a_missing_model_ends_the_run_and_no_record_suffers(environment: Environment) -> None:
    folder = environment.project.root / "nowhere"
    said = broken(environment, folder)
    assert f"{folder / 'card.json'} cannot be read (No such file or directory)" in said, said
    assert "name another model folder in the settings" in said, said
    untouched(environment)
