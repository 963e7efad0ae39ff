"""Settings: which source wins, what is refused, and what reaches a worker."""

from dataclasses import replace
from pathlib import Path

import pytest

from stormwatch.errors import SettingsError
from stormwatch.settings import SERVICES_FILE, Settings, explain, load, to_conf, to_environ


def test_environment_over_file_over_running_services_over_default(tmp_path: Path) -> None:
    def found() -> tuple[str, str]:
        told = {value.key: value.source for value in explain(environ, tmp_path)}
        return load(environ, root=tmp_path).kafka_bootstrap, told["kafka.bootstrap"]

    environ: dict[str, str] = {}
    assert found() == (Settings().kafka_bootstrap, "default")
    services = tmp_path / ".stormwatch" / SERVICES_FILE
    services.parent.mkdir()
    services.write_text('{"settings": {"kafka.bootstrap": "running:1"}}')
    assert found() == ("running:1", "running services")
    (tmp_path / "stormwatch.toml").write_text('[kafka]\nbootstrap = "file:1"\n')
    assert found() == ("file:1", "stormwatch.toml")
    environ["STORMWATCH_KAFKA_BOOTSTRAP"] = "environment:1"
    assert found() == ("environment:1", "STORMWATCH_KAFKA_BOOTSTRAP")


def test_environment_makes_the_same_settings_beside_conf_and_without(tmp_path: Path) -> None:
    """On a worker secrets come by environment alone."""
    here = replace(
        Settings(), kafka_password="hunter2", cassandra_password="hunter3", cache_mb=7,
        topology_chain=False, work_timeout_s=2.5, cassandra_request_timeout_s=1.5,
    )  # fmt: skip
    conf, environ = to_conf(here), to_environ(here)
    assert load(environ, conf) == here
    assert "hunter" not in str(conf)
    assert load(environ, root=tmp_path) == here
    assert to_environ(Settings()) == {}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KAFKA_PARTITIONS", "many", "kafka.partitions .* 'many'; it must be a whole number"),
        ("KAFKA_PARTITIONS", "0", "kafka.partitions .* at least 1"),
        ("TOPOLOGY_CHAIN", "perhaps", "topology.chain .* true or false"),
        ("KAFKA_CLIENT", "other", "kafka.client .* allowed: auto, confluent, kafka-python"),
        ("TOPOLOGY_WORK_TIMEOUT_S", "60", "must be below topology.message_timeout_s"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load({f"STORMWATCH_{name}": value}, conf={})


@pytest.mark.parametrize(
    ("text", "said"),
    [("[kafka]\nbootstap = 'a:1'\n", "unknown setting 'kafka.bootstap'"), ("[kafka", "not valid")],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "stormwatch.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        load({}, root=tmp_path)
