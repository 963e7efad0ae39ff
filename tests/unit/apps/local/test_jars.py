"""The jars that project.clj names: read, brought by Maven, and checked before they are believed."""

import hashlib
import io
import json
import os
import py_compile
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from apps.local.services import jars, maven, project_clj
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, silent
from apps.local.services.project_clj import Dependency, Name
from apps.local.storm import jar as topology_jar
from stormwatch.settings import Settings

ROOT = Path(__file__).parents[4]
CLJ = """\
(defproject x "1"
  :dependencies [[org.apache.storm/storm-core "2.8.3"]]
  :managed-dependencies [[org.x/heavy "2" :exclusions [org.y/left-out]]]
  :profiles {:worker {:dependencies ^:replace [[org.apache.storm/storm-client "2.8.3"]]}
             :kafka {:dependencies ^:replace [[org.apache.kafka/kafka_2.13 "4.4.0"]]}
             :cassandra {:dependencies ^:replace [[org.apache.cassandra/cassandra-all "5.0.9"]]}})
"""
MAVEN = """\
#!{python}
# A Maven that brings what a file beside it says.
import json, pathlib, re, sys
here = pathlib.Path(__file__).parent
(here / "calls").open("a").write("called\\n")
says = json.loads((here / "says.json").read_text())
project = pathlib.Path(sys.argv[sys.argv.index("-f") + 1]).parent
(here / "poms").write_text("".join(p.read_text() for p in sorted(project.rglob("pom.xml"))))
print("[INFO] Downloaded from central: https://where/plugin-1.jar (1 kB at 1 kB/s)")
for name in re.findall("<module>(.*?)</module>", (project / "pom.xml").read_text()):
    told = says["wanted"].get(name, says["wanted"][""])
    lines = [f"{{line}}:compile" for line in told]
    (project / name / "wanted.txt").write_text("\\n".join(["x:y:pom:1", *lines]))
    for jar in says["brought"].get(name, says["brought"][""]):
        print(f"[INFO] Downloaded from central: https://where/{{jar}} (1 kB at 1 kB/s)")
    paths = says["brought"].get(name, says["brought"][""])
    (project / name / "classpath.txt").write_text(":".join(str(here / jar) for jar in paths))
if says.get("fails"):
    print("[INFO] x\\n[ERROR] Could not find artifact org.x:heavy:jar:2 in central\\n[ERROR] ")
    sys.exit(1)
"""


class World:
    """A project, and a Maven on PATH that does as it is told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home.of(Settings(), root)
        self.bin = root / "bin"
        self.bin.mkdir()
        (root / "project.clj").write_text(CLJ)
        (self.bin / "mvn").write_text(MAVEN.format(python=sys.executable))
        (self.bin / "mvn").chmod(0o755)
        self.wanted = {
            "": ["| +- a:a:jar:1"],
            "storm": [
                "+- org.apache.storm:storm-core:jar:2.8.3",
                "   +- f:flux-core:jar:2",
                "   +- s:snakeyaml:jar:2",
                "   \\- z:reload4j:jar:1",
            ],
            "worker": ["+- org.apache.storm:storm-client:jar:2.8.3"],
            "kafka": ["+- org.apache.kafka:kafka_2.13:jar:4.4.0", "\\- n:n:jar:linux:7"],
            "cassandra": ["+- org.apache.cassandra:cassandra-all:jar:5.0.9"],
        }
        self.brought = {
            "": ["a-1.jar"],
            "storm": [
                "storm-core-2.8.3.jar",
                "reload4j-1.jar",
                "snakeyaml-2.jar",
                "flux-core-2.jar",
            ],
            "worker": ["storm-client-2.8.3.jar"],
            "kafka": ["kafka_2.13-4.4.0.jar", "n-7-linux.jar"],
            "cassandra": ["cassandra-all-5.0.9.jar"],
        }
        for name in (name for names in self.brought.values() for name in names):
            with zipfile.ZipFile(self.bin / name, "w") as packed:
                packed.writestr("x", "")
        self.say()

    def say(self, **more: bool) -> None:
        says = {"wanted": self.wanted, "brought": self.brought} | more
        (self.bin / "says.json").write_text(json.dumps(says))

    @property
    def calls(self) -> int:
        return (self.bin / "calls").read_text().count("called")

    def names(self, profile: str) -> list[str]:
        return [jar.name for jar in jars.classpath(self.home, profile, silent)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}{os.pathsep}{os.environ['PATH']}")
    return made


def test_the_projects_own_file_is_read_as_leiningen_reads_it() -> None:
    project = project_clj.read(ROOT)
    named = {d.name.artifact for d in project.dependencies}
    assert {"storm-core", "flux-core"} == named
    assert project.managed[0].exclusions == (Name("org.clojars.bipinprasad", "carbonite"),)
    assert next(d.name.artifact for d in project.profiles["kafka"]) == "kafka_2.13"
    assert project.profiles["base"] == project.dependencies, "without ^:replace it is added to"
    assert project.profiles["uberjar"] == ()


def test_a_profile_without_replace_adds_to_the_project() -> None:
    project = project_clj.parse(
        '(defproject x "1" ; a comment ( [\n :description "a \\"[b" #_(:left "out")\n'
        ' :dependencies [[a "1" :exclusions [b [c/d]]] #_[no "0"]]\n'
        ' :profiles {:p {:dependencies [[e/f "2"]]}})'
    )
    a = Dependency(Name("a", "a"), "1", (Name("b", "b"), Name("c", "d")))
    assert project.dependencies == (a,)
    assert project.profiles["p"] == (a, Dependency(Name("e", "f"), "2"))


@pytest.mark.parametrize(
    "text", ["", "(x)", '(defproject x "1', '(defproject x "1" :dependencies [[a "1"]',
             '(defproject x "1" :dependencies [[a]])', '(defproject x "1" :dependencies a)',
             '(defproject x "1" :dependencies [[a "1" :classifier "b"]])'],
)  # fmt: skip
def test_what_is_no_project_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "project.clj").write_text(text)
    with pytest.raises(ServiceError, match=r"project\.clj is not a project that can be read"):
        project_clj.read(tmp_path)


def test_one_maven_brings_all_class_paths_and_they_are_cached(world: World) -> None:
    assert world.names(jars.KAFKA) == ["kafka_2.13-4.4.0.jar", "n-7-linux.jar"]
    assert world.names(jars.STORM) == [
        "storm-core-2.8.3.jar",
        "flux-core-2.jar",
        "snakeyaml-2.jar",
    ], "without the loop of loggers, and with the snakeyaml that is inside flux-core"

    assert world.calls == 1
    poms = (world.bin / "poms").read_text()
    excluded = "<groupId>org.y</groupId><artifactId>left-out</artifactId></exclusion>"
    assert poms.count(excluded) == 4, "what is managed holds in each class path"
    (world.root / "project.clj").write_text(CLJ + ";; other versions\n")
    world.names(jars.CASSANDRA)
    (world.bin / "cassandra-all-5.0.9.jar").unlink()
    with pytest.raises(ServiceError, match="cut off or damaged"):
        world.names(jars.CASSANDRA)
    assert world.calls == 3, "once for another project.clj, once for a jar that was gone"


def test_progress_is_one_line_that_counts_to_all(world: World) -> None:
    told: list[tuple[str, str]] = []
    jars.classpath(world.home, jars.KAFKA, lambda step, detail: told.append((step, detail)))
    assert {step for step, _ in told} == {"jars"}
    assert told[0] == ("jars", "asking Maven")
    assert told[-1] == ("jars", "8 of 8 downloaded")


def test_a_resolver_that_drops_jars_is_not_believed(world: World) -> None:
    world.brought["kafka"] = ["kafka_2.13-4.4.0.jar"]
    world.say()
    with pytest.raises(ServiceError, match=r"left out of the jars of kafka: n-7-linux\.jar"):
        world.names(jars.KAFKA)
    world.wanted["kafka"], world.brought["kafka"] = ["+- n:n:jar:7"], ["a-1.jar"]
    world.say()
    with pytest.raises(ServiceError, match=r"kafka_2\.13-4\.4\.0\.jar, n-7\.jar"):
        world.names(jars.KAFKA)
    assert not list(world.home.jars.glob("*.jars")), "nothing of it is kept"


def test_a_jar_that_is_cut_off_is_told(world: World) -> None:
    (world.bin / "storm-core-2.8.3.jar").write_bytes(b"PK\x03\x04 half of it")
    with pytest.raises(ServiceError, match=r"storm are cut off or damaged: \S*storm-core-2\.8\.3"):
        world.names(jars.STORM)


def test_a_maven_that_fails_is_quoted(world: World) -> None:
    world.say(fails=True)
    with pytest.raises(
        ServiceError, match=r"(?s)Could not find artifact org\.x:heavy.*settings\.xml"
    ):
        world.names(jars.KAFKA)


def test_a_project_without_a_profile_is_told(world: World) -> None:
    (world.root / "project.clj").write_text(CLJ.replace(":kafka", ":other"))
    with pytest.raises(ServiceError, match="has no profile kafka"):
        world.names(jars.KAFKA)


# Maven itself, where there is none


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose repository is a folder, with no `mvn` on PATH; the archive to be fetched."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(f"apache-maven-{maven.VERSION}/bin/mvn", "#!/bin/sh\nexit 0\n")
    name = f"apache-maven-{maven.VERSION}-bin.zip"
    served = tmp_path / "served" / "org/apache/maven/apache-maven" / maven.VERSION / name
    served.parent.mkdir(parents=True)
    served.write_bytes(archive.getvalue())
    monkeypatch.setattr(maven, "_SHA512", hashlib.sha512(archive.getvalue()).hexdigest())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2" / "settings.xml").write_text(
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors><mirror><id>m</id>'
        f"<url>{(tmp_path / 'served').as_uri()}/</url><mirrorOf>central, other</mirrorOf>"
        "</mirror></mirrors></settings>"
    )
    return served


def test_maven_is_fetched_into_the_project_from_the_users_mirror(
    nobody: Path, tmp_path: Path
) -> None:
    place = tmp_path / "jars"
    assert maven.find(place) is None
    program = Path(maven._fetch(place, silent))
    assert os.access(program, os.X_OK)
    assert program.is_relative_to(place)
    assert maven.find(place) == str(program)
    assert [path.name for path in place.iterdir()] == [f"apache-maven-{maven.VERSION}"]


def test_another_archive_than_the_published_is_not_run(nobody: Path, tmp_path: Path) -> None:
    nobody.write_bytes(nobody.read_bytes() + b"x")
    with pytest.raises(ServiceError, match="SHA-512 is another"):
        maven._fetch(tmp_path / "jars", silent)
    assert maven.find(tmp_path / "jars") is None


def test_a_repository_that_is_not_reached_is_told_with_what_to_do(
    nobody: Path, tmp_path: Path
) -> None:
    nobody.unlink()
    with pytest.raises(ServiceError, match=r"cannot be fetched: .*apt-get install maven"):
        maven._fetch(tmp_path / "jars", silent)


def test_without_maven_and_without_a_mirror_it_is_said_what_to_install(
    nobody: Path, tmp_path: Path
) -> None:
    (tmp_path / ".m2" / "settings.xml").unlink()
    with pytest.raises(ServiceError, match=r"no `mvn` on PATH.*apt-get install maven"):
        maven._fetch(tmp_path / "jars", silent)


# The topology's jar


def test_the_topologys_jar_holds_the_source_and_is_built_without_leiningen(tmp_path: Path) -> None:
    source = tmp_path / "src"
    (source / "bolts" / "__pycache__").mkdir(parents=True)
    (source / "bolts" / "a.py").write_text("A = 1\n")
    (source / "bolts" / "__pycache__" / "a.pyc").touch()
    first, second = (topology_jar.pack(source, tmp_path / name) for name in ("1.jar", "2.jar"))
    with zipfile.ZipFile(first) as packed:
        assert packed.namelist() == ["META-INF/MANIFEST.MF", "resources/bolts/a.py"]
        assert packed.read("resources/bolts/a.py") == b"A = 1\n"
    assert first.read_bytes() == second.read_bytes()


def test_byte_code_of_the_same_source_goes_along_and_is_taken_where_it_is_unpacked(
    tmp_path: Path,
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "fresh.py").write_text("def f(): return f.__code__.co_filename\n")
    (source / "stale.py").write_text("A = 1\n")
    for name in ("fresh", "stale"):
        py_compile.compile(str(source / f"{name}.py"), doraise=True)
    (source / "stale.py").write_text("A = 1 + 1\n")
    packed = zipfile.ZipFile(topology_jar.pack(source, tmp_path / "t.jar"))
    tag = sys.implementation.cache_tag
    assert sorted(packed.namelist())[1:] == [
        f"resources/__pycache__/fresh.{tag}.pyc", "resources/fresh.py", "resources/stale.py",
    ]  # fmt: skip
    packed.extractall(tmp_path)
    at = tmp_path / "resources"
    code = "import fresh, stale; print(fresh.f(), stale.A)"
    told = subprocess.run(
        [sys.executable, "-v", "-c", code], cwd=at, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert told.stdout.split() == [str(at / "fresh.py"), "2"]
    assert f"{at / '__pycache__' / f'fresh.{tag}.pyc'} matches" in told.stderr


def test_a_project_with_jars_of_its_own_inside_needs_leiningen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project.clj").write_text(CLJ)
    monkeypatch.setenv("PATH", str(tmp_path))
    build = topology_jar.builder(tmp_path, lambda **_: "", tmp_path, tmp_path)
    with pytest.raises(ServiceError, match="Leiningen.*is not on PATH"):
        build()


def test_storm_version_is_that_of_project_clj(tmp_path: Path) -> None:
    (tmp_path / "project.clj").write_text(CLJ)
    assert jars.storm_version(tmp_path) == "2.8.3"
    (tmp_path / "project.clj").write_text("(defproject x)")
    with pytest.raises(ServiceError, match="names no"):
        jars.storm_version(tmp_path)
