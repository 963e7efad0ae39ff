"""Settings: which source wins, what is refused, and what reaches a worker."""

from dataclasses import replace
from pathlib import Path

import pytest

from stormwatch.errors import SettingsError
from stormwatch.settings import (
    SERVICES_FILE,
    Settings,
    explain,
    load,
    to_conf,
    to_environ,
    variable,
)


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


def test_files_whose_text_travels_are_of_the_project_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stormwatch.toml").write_text(
        '[mapping]\ntransactions = ["preset:nab", "own/a.toml", "/b.toml"]\n'
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    environ = {"STORMWATCH_MAINTENANCE_EQUIPMENT": "milling, pump.toml"}
    found = load(environ, root=tmp_path)
    assert found.mapping_transactions == f"preset:nab,{tmp_path}/own/a.toml,/b.toml"
    assert found.maintenance_equipment == f"milling,{tmp_path}/pump.toml"
    assert load(to_environ(found), root=elsewhere) == found
    text = 'event = "transactions"\n[fields.id]\npath = "a.b, c"\n'
    assert load({"STORMWATCH_MAPPING_READINGS": text}).mapping_readings == text


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
        ("KAFKA_PARTITIONS", "1.9", "kafka.partitions .* '1.9'; it must be a whole number"),
        ("KAFKA_PARTITIONS", "inf", "it must be a whole number"),
        ("CASSANDRA_PORT", "70000", "cassandra.port .* at most 65535"),
        ("TTL_STATES_D", "7301", "ttl.states_d .* at most 7300"),
        ("KAFKA_REQUEST_TIMEOUT_S", "inf", "kafka.request_timeout_s .* finite number"),
        ("MODEL_DEADLINE_S", "nan", "model.deadline_s .* finite number"),
        (
            "KAFKA_REQUEST_TIMEOUT_S",
            "300",
            r"kafka.request_timeout_s \(300\), twice, .* below "
            r"topology.subprocess_timeout_s \(120\): .* Storm kills a component that is silent",
        ),
        ("RUN_DIR", "", "run_dir .* must not be empty"),
        ("KAFKA_GROUP", " ", "kafka.group .* must not be empty"),
        ("KAFKA_BOOTSTRAP", "", "kafka.bootstrap .* is '', but it must contain a host"),
        ("KAFKA_BOOTSTRAP", ",", "it must contain a host"),
        ("KAFKA_BOOTSTRAP", "SSL://b:9093", "security_protocol is PLAINTEXT: write host:port "),
        ("KAFKA_BOOTSTRAP", "::1", r"IPv6 address in brackets, as in \[::1\]:9092"),
        ("KAFKA_BOOTSTRAP", "a:x", "the port of 'a:x' must be a number from 1 to 65535"),
        ("KAFKA_BOOTSTRAP", "a:0", "must be a number from 1 to 65535"),
        ("KAFKA_BOOTSTRAP", ":9092", "':9092' is not an address: write host:port"),
        ("KAFKA_BOOTSTRAP", "http://a/b", "write host:port without http://"),
        ("CASSANDRA_CONTACT_POINTS", "a:9042", "'a:9042' is no host: .* port is cassandra.port"),
        ("CASSANDRA_CONTACT_POINTS", "", "it must contain a host"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load({f"STORMWATCH_{name}": value}, conf={})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kafka]\nbootstap = 'a:1'\n", "unknown setting 'kafka.bootstap'"),
        ("[kafka", "not valid"),
        ("a = '\xff'", "not valid TOML"),
        ("run_dir = 5", "run_dir .* is 5; it must be a text"),
        ("[kafka]\npartitions = 1.9", "kafka.partitions .* is 1.9; it must be a whole number"),
        ("[kafka]\npartitions = true", "it must be a whole number"),
        ("[kafka]\ngroup = ['a', 'b']", "kafka.group .* it must be a text"),
        ("[kafka]\nbootstrap = ['a:1', 2]", "kafka.bootstrap .* a text or a list of texts"),
        ("[kafka]\npassword = 12", r"kafka.password .* is \*{8}; it must be a text"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "stormwatch.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=said):
        load({}, root=tmp_path)


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("broker1", "broker1:9092"),
        (" a:1 , b,", "a:1,b:9092"),
        ("PLAINTEXT://a:1,plaintext://b/", "a:1,b:9092"),
        ("[::1]:9093,[fe80::1%eth0]", "[::1]:9093,[fe80::1%eth0]:9092"),
    ],
)
def test_brokers_are_written_in_one_way_for_every_command_and_client(
    written: str, taken: str
) -> None:
    assert load({"STORMWATCH_KAFKA_BOOTSTRAP": written}, conf={}).kafka_bootstrap == taken
    assert load({}, conf={"stormwatch.kafka.bootstrap": taken}).kafka_bootstrap == taken


def test_a_file_may_list_hosts_and_words_of_the_environment_have_types(tmp_path: Path) -> None:
    (tmp_path / "stormwatch.toml").write_text(
        "[kafka]\nbootstrap = ['a:1', 'b']\n[cassandra]\ncontact_points = ['h1', '::1']\n"
        "[mask]\nfields = ['iban', 'name']\n"
    )
    environ = {"STORMWATCH_TOPOLOGY_CHAIN": "no", "STORMWATCH_CACHE_MB": " 7 "}
    found = load(environ, root=tmp_path)
    assert (found.kafka_bootstrap, found.cassandra_contact_points) == ("a:1,b:9092", "h1,::1")
    assert (found.mask_fields, found.topology_chain, found.cache_mb) == ("iban,name", False, 7)


@pytest.mark.parametrize("text", ["", '{"settings": {"kafka.boo', "[]", '{"settings": 5}', "\xff"])
def test_a_cut_record_of_services_is_one_sentence(tmp_path: Path, text: str) -> None:
    services = tmp_path / ".stormwatch" / SERVICES_FILE
    services.parent.mkdir()
    services.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"services.json, .* cannot be read .* then delete it"):
        load({}, root=tmp_path)


@pytest.mark.parametrize(
    "key", ["mapping.transactions", "mapping.readings", "maintenance.equipment"]
)
def test_a_workers_environment_cannot_name_a_file_in_place_of_the_text_that_was_sent(
    key: str,
) -> None:
    """`sparse run` hands its settings on in the environment, and the file is not in the jar."""
    name = key.replace(".", "_")
    environ = {variable(key): "mine.toml"}
    assert getattr(load(environ, conf={f"stormwatch.{key}": "a\nb"}), name) == "a\nb"
    assert getattr(load(environ, conf={}), name) == "mine.toml", "of an older topology"
