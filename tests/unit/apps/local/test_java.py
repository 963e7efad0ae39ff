"""Which Java runs what: by service, and a refusal that says what to do."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.local.doctor import machine
from apps.local.services import cassandra, java
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, silent
from apps.local.services.java import CASSANDRA, KAFKA, cassandra_options, major
from stormwatch.settings import Settings

Fake = Callable[[str], Path]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """The home of a Java that only tells a version."""

    def make(version: str) -> Path:
        home = tmp_path / f"java-{version}"
        program = home / "bin" / "java"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        program.chmod(0o755)
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
        return home

    return make


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("sh: something else", 0),
    ],
)
def test_java_version(text: str, version: int) -> None:
    assert major(text) == version


@pytest.mark.parametrize("need", [KAFKA, CASSANDRA])
def test_an_old_java_is_refused_with_the_next_step(
    fake: Fake, need: java.Need, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake("11.0.2")))
    with pytest.raises(ServiceError, match=r"Java 11; \w+ needs Java 17.*Debian 12: `apt-get"):
        java.java(need)


def test_a_missing_java_is_refused_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match=r"no `java` on PATH.*openjdk-21-jre-headless"):
        java.java(KAFKA)


@pytest.mark.parametrize("version", ["17.0.15", "18.0.2", "21.0.5", "23.0.1"])
def test_17_to_23_run_everything(fake: Fake, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake(version)))
    found = java.java(CASSANDRA)
    assert found == java.java(KAFKA)
    manager = ["-Djava.security.manager=allow"] if found.version > 17 else []
    assert cassandra_options(found.version) == manager


def test_the_option_is_fatal_on_24_and_is_not_given_there() -> None:
    assert not cassandra_options(24)
    assert not cassandra_options(25)


def test_24_is_refused_for_cassandra_alone_and_its_own_java_is_named(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake("24.0.1")))
    monkeypatch.setattr(java, "_JVMS", tmp_path / "none")
    assert java.java(KAFKA).version == 24
    with pytest.raises(ServiceError) as refused:
        java.java(CASSANDRA)
    told = str(refused.value)
    assert "is Java 24; Cassandra needs Java 17 to 23" in told
    assert "apt-get install openjdk-21-jre-headless" in told
    assert "export STORMWATCH_CASSANDRA_JAVA_HOME=" in told


def test_a_fitting_java_beside_it_is_named(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake("25.0.3")))
    beside = fake("21.0.5")
    monkeypatch.setattr(java, "_JVMS", beside.parent)
    with pytest.raises(ServiceError, match=f"STORMWATCH_CASSANDRA_JAVA_HOME={beside}`") as refused:
        java.java(CASSANDRA)
    assert "apt-get" not in str(refused.value)
    assert java.java(CASSANDRA, str(beside)).version == 21


def test_a_folder_without_java_is_told_by_the_name_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"cassandra\.java_home is \S+, but"):
        java.java(CASSANDRA, str(tmp_path))


@pytest.mark.parametrize(("storm", "first"), [("2.8.3", 17), ("3.0.0", 21)])
def test_the_java_of_storm_follows_from_its_version(tmp_path: Path, storm: str, first: int) -> None:
    clj = f'(defproject x "1" :dependencies [[org.apache.storm/storm-core "{storm}"]])'
    (tmp_path / "project.clj").write_text(clj)
    assert java.storm(tmp_path).first == first


def test_doctor_judges_by_service(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake("25.0.3")))
    monkeypatch.setattr(java, "_JVMS", tmp_path / "none")
    good, bad = machine.check_java([(KAFKA, ""), (CASSANDRA, "")])
    assert good.ok
    assert "25 at" in good.what
    assert "Kafka" in good.what
    assert not bad.ok
    assert "Cassandra needs Java 17 to 23" in bad.what
    own = fake("21.0.5")
    assert all(found.ok for found in machine.check_java([(KAFKA, ""), (CASSANDRA, str(own))]))


def test_cassandra_is_refused_before_a_jar_is_fetched(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORMWATCH_CASSANDRA_JAVA_HOME", str(fake("25.0.3")))
    with pytest.raises(ServiceError, match="Cassandra needs Java 17 to 23"):
        cassandra.plan(Home.of(Settings(), tmp_path), silent)


def test_the_pattern_of_cassandras_log_has_no_comma_in_its_times() -> None:
    """What follows one is taken for a time zone: logback then fails and logs nothing at all."""
    text = (Path(cassandra.__file__).parent / "resources" / "logback.xml").read_text()
    found = re.search(r"%d\{([^}]*)\}", text)
    assert found and "," not in found[1]
