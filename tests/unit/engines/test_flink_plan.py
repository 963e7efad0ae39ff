"""What Flink is told, as text."""

import os
from pathlib import Path

from stormwatch.engines.flink import plan
from stormwatch.settings import Settings


def made(folder: Path, job: str, number: int, seconds: int, *, whole: bool = True) -> Path:
    place = folder / job / f"chk-{number}"
    place.mkdir(parents=True)
    if whole:
        (place / "_metadata").touch()
        os.utime(place / "_metadata", (seconds, seconds))
    return place


def test_a_job_goes_on_from_the_last_whole_checkpoint_of_whichever_start(tmp_path: Path) -> None:
    assert plan.newest(tmp_path) is None
    made(tmp_path, "first", 9, 100)
    last = made(tmp_path, "second", 2, 300)
    made(tmp_path, "second", 1, 200)
    made(tmp_path, "second", 3, 0, whole=False)
    assert plan.newest(tmp_path) == last
    told = plan.options(tmp_path, last, "/x.jar", 0.5)
    assert told["execution.state-recovery.path"] == f"file://{last}"
    assert told["execution.checkpointing.interval"] == "500ms"
    assert "execution.state-recovery.path" not in plan.options(tmp_path, None, "x", 1)


def test_a_cluster_is_told_where_python_is_on_its_machines() -> None:
    told = plan.on_cluster("flink.example:8081", "/venv/bin/python", "/venv/site-packages:/src")
    assert (told["execution.target"], told["rest.address"], told["rest.port"]) == (
        "remote", "flink.example", "8081"
    )  # fmt: skip
    assert told["python.pythonpath"] == "/venv/site-packages:/src"


def test_names_and_passwords_are_quoted() -> None:
    settings = Settings(
        kafka_security_protocol="SASL_PLAINTEXT", kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_username="o'brien", kafka_password='a"b\\c',
    )  # fmt: skip
    text = plan.table(settings, "it's")
    assert "'topic' = 'it''s'" in text
    assert """scram.ScramLoginModule required username="o''brien" password="a\\"b\\\\c";'""" in text
    assert "'properties.isolation.level' = 'read_committed'" in text


def test_the_sentence_of_our_own_error_is_found_in_javas() -> None:
    text = (
        "java.lang.RuntimeException: x\nCaused by: pemja.core.PythonException: "
        "<class 'stormwatch.errors.StateError'>: a state of version 9. Start that version.\n\tat y"
    )
    assert plan.cause(text) == "a state of version 9. Start that version."
    assert plan.cause("no space left") == "Flink ended the job: no space left"
    java = "FlinkException: Could not x.\nCaused by: y.\nCaused by: BindException: no port\n\tat z"
    assert plan.cause(java) == "Flink ended the job: BindException: no port"
