"""A Kafka and a Cassandra that the settings name are used, over TLS; nothing is started."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from apps.local.services import lifecycle, registry
from apps.local.services.health import listens
from apps.local.services.home import Home, silent
from stormwatch.settings import Settings, variable
from tests.e2e import secured
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

FRAUD = ("--topology", "fraud", "--seconds", "8", "--rate", "100")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> secured.Certificates:
    return secured.certificates(tmp_path_factory.mktemp("tls") / "files")


@pytest.fixture(scope="module")
def theirs(
    files: secured.Certificates, tmp_path_factory: pytest.TempPathFactory, services_home: Home
) -> Iterator[Settings]:
    """Settings that lead to the secured services."""
    home = replace(services_home, run_dir=tmp_path_factory.mktemp("theirs"))
    try:
        with registry.locked(home):
            entries = lifecycle.ensure(home, secured.plans(files), silent)
        settings = secured.settings_for(lifecycle.with_entries(Settings(), entries), files)
        secured.admit(settings)
        yield settings
    finally:
        with registry.locked(home):
            lifecycle.halt(home, list(registry.read(home)), silent)


def commands(run: Started) -> list[str]:
    """The command lines of what a run has started and not ended."""
    return [" ".join(process.cmdline()) for process in run.look()]


@pytest.mark.parametrize(
    ("client", "mechanism"), [("confluent", secured.SCRAM), ("kafka-python", "PLAIN")]
)
def test_what_the_settings_name_is_used_and_nothing_is_started(
    theirs: Settings,
    own_dir: Path,
    tmp_path: Path,
    runs: list[Started],
    unique: Callable[[str], str],
    client: str,
    mechanism: str,
) -> None:
    report = tmp_path / "r.json"
    own = ("cassandra.keyspace", "kafka.group", "topic.transactions", "topic.control")
    names = {key: unique("tls") for key in own}
    given = replace(theirs, kafka_client=client, kafka_sasl_mechanism=mechanism)
    run = Started(own_dir, *FRAUD, "--report", str(report), **secured.environ(given, names))
    runs.append(run)
    run.until(" scored ")
    running = commands(run)
    assert any("LocalCluster" in command for command in running)
    assert not any("kafka.Kafka" in c or "CassandraDaemon" in c for c in running)
    assert not (own_dir / "services.json").exists()
    assert not any(secured.PASSWORD in command for command in running)
    assert run.wait(300) == 0, run.text
    made = json.loads(report.read_text())
    found = made["topologies"]["fraud"]
    assert made["ok"], made
    assert found["published"] > 300
    assert found["unaccounted"] == 0
    assert not run.left()
    host, _, port = theirs.kafka_bootstrap.partition(":")
    assert listens(host, int(port)), "theirs goes on"
    assert secured.PASSWORD not in run.text
    written = [path for path in own_dir.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if secured.PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("client", "setting"),
    [
        ("confluent", "kafka.password"),
        ("kafka-python", "kafka.password"),
        ("confluent", "kafka.ssl_ca"),
        ("kafka-python", "kafka.ssl_ca"),
        ("confluent", "cassandra.password"),
        ("confluent", "cassandra.ssl_ca"),
    ],
)
def test_what_is_wrong_with_the_way_in_is_told(
    theirs: Settings,
    files: secured.Certificates,
    own_dir: Path,
    runs: list[Started],
    client: str,
    setting: str,
) -> None:
    wrong = str(files.stranger) if setting.endswith("ssl_ca") else "wrong"
    given = replace(theirs, kafka_client=client)
    run = Started(own_dir, *FRAUD, **secured.environ(given, {setting: wrong}))
    runs.append(run)
    assert run.wait(90) == 1, run.text
    assert variable(setting) in run.text
    assert "Traceback" not in run.text
    assert not run.left()
