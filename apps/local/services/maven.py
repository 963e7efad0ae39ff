"""Jars by Maven, into its own store (~/.m2): the `mvn` on PATH, else one of our own.

Maven alone reads what the machine's owner says of mirrors, proxies and passwords, and fails where
something that is wanted cannot be had.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from apps.local.services.errors import ServiceError
from apps.local.services.home import Progress
from apps.local.services.project_clj import Dependency

STEP = "jars"
VERSION = "3.9.16"
"""Of Maven, where there is none on PATH."""
_SHA512 = (
    "ed41650d42485cfc243fad22158caf9cbb5dc408ce7a09ddb94dd42a019de929"
    "ca43065bfa450612cf12bf78b5cafa3884b96c090de326ff590448c933454af3"
)
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
"""Runs on Maven 3.6.3 (Ubuntu 22.04) and newer."""
_TIMEOUT_S = 60.0
_WANTED = re.compile(r"[-+|\\ ]*(?P<group>[^:\s]+):(?P<artifact>[^:]+):jar:(?P<rest>\S+)")
_DOWNLOADED = re.compile(r"Downloaded from \S+: \S*/(\S+\.jar)\b")
_TOLD = 12
_POM = (
    "<project><modelVersion>4.0.0</modelVersion><groupId>stormwatch</groupId>"
    "<artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>{body}</project>"
)


def resolve(
    wanted: Mapping[str, Sequence[Dependency]],
    managed: Sequence[Dependency],
    place: Path,
    progress: Progress,
) -> dict[str, list[Path]]:
    """Class paths by name, each jar of them there and whole; Maven is kept in `place` if fetched.

    Raises ServiceError with what Maven said.
    """
    program = find(place) or _fetch(place, progress)
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="resolve-", dir=place) as folder:
        project = Path(folder)
        _write(project, wanted, managed)
        progress(STEP, "asking Maven")
        _run(program, project, list(wanted), progress)
        return {name: _checked(project / name, name, wanted[name]) for name in wanted}


def find(place: Path) -> str | None:
    """The `mvn` on PATH, else the one that was fetched before."""
    own = _own(place)
    return shutil.which("mvn") or (str(own) if own.exists() else None)


def _own(place: Path) -> Path:
    return place / f"apache-maven-{VERSION}" / "bin" / "mvn"


def repository() -> str | None:
    """Where Maven itself is fetched: the mirror of its own repository in the user's settings."""
    try:
        settings = ElementTree.parse(Path.home() / ".m2" / "settings.xml")
    except (OSError, ElementTree.ParseError):
        return None
    for mirror in settings.iterfind(".//{*}mirror"):
        of = (mirror.findtext("{*}mirrorOf") or "").replace(" ", "").split(",")
        url = (mirror.findtext("{*}url") or "").strip().rstrip("/")
        if url and {"*", "central", "external:*"} & set(of):
            return url
    return None


def _fetch(place: Path, progress: Progress) -> str:
    """Maven from the user's mirror, into `place`. Raises ServiceError, also where none is named."""
    mirror = repository()
    if mirror is None:
        raise ServiceError(
            "There is no `mvn` on PATH. Maven brings the jars of Storm, Kafka and Cassandra. "
            "Install it (Debian, Ubuntu: `apt-get install maven`; macOS: `brew install maven`), or "
            "name a mirror of Maven's central repository in ~/.m2/settings.xml: it is then fetched "
            "from there. Start again after that."
        )
    progress(STEP, f"there is no `mvn` on PATH; fetching Apache Maven {VERSION}")
    archive = f"apache-maven-{VERSION}-bin.zip"
    url = f"{mirror}/org/apache/maven/apache-maven/{VERSION}/{archive}"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            content = response.read()
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ServiceError(
            f"{url} cannot be fetched: {reason}. Maven brings the jars of Storm, Kafka and "
            "Cassandra. Install it (Debian, Ubuntu: `apt-get install maven`; macOS: `brew install "
            "maven`), or see that this address is reached, then start again."
        ) from error
    if hashlib.sha512(content).hexdigest() != _SHA512:
        raise ServiceError(
            f"{url} is not Apache Maven {VERSION} as it was published: its SHA-512 is another. "
            "Install Maven (`apt-get install maven`) and start again."
        )
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            packed.extractall(folder)
        own = _own(place)
        (Path(folder) / own.relative_to(place)).chmod(0o755)
        shutil.rmtree(own.parents[1], ignore_errors=True)
        (Path(folder) / own.parents[1].name).rename(own.parents[1])
    return str(own)


def _write(
    project: Path, wanted: Mapping[str, Sequence[Dependency]], managed: Sequence[Dependency]
) -> None:
    """A project with a module for each class path: one Maven brings them all."""
    modules = "".join(f"<module>{name}</module>" for name in wanted)
    body = f"<modules>{modules}</modules>"
    (project / "pom.xml").write_text(_POM.format(name="class-paths", body=body))
    fixed = f"<dependencyManagement>{_listed(managed)}</dependencyManagement>"
    for name, dependencies in wanted.items():
        (project / name).mkdir()
        pom = _POM.format(name=name, body=fixed + _listed(dependencies))
        (project / name / "pom.xml").write_text(pom)


def _listed(dependencies: Sequence[Dependency]) -> str:
    return f"<dependencies>{''.join(map(_element, dependencies))}</dependencies>"


def _element(dependency: Dependency) -> str:
    def named(group: str, artifact: str) -> str:
        return f"<groupId>{escape(group)}</groupId><artifactId>{escape(artifact)}</artifactId>"

    excluded = "".join(f"<exclusion>{named(*name)}</exclusion>" for name in dependency.exclusions)
    return (
        f"<dependency>{named(*dependency.name)}<version>{escape(dependency.version)}</version>"
        f"<exclusions>{excluded}</exclusions></dependency>"
    )


def _run(program: str, project: Path, names: Sequence[str], progress: Progress) -> None:
    """First what is wanted is written down, then it is brought."""
    command = [
        program, "-B", "-f", str(project / "pom.xml"),
        f"{_PLUGIN}:tree", "-DoutputFile=wanted.txt",
        f"{_PLUGIN}:build-classpath", "-Dmdep.outputFile=classpath.txt",
    ]  # fmt: skip
    # It lives for seconds: compiling well what runs once would take longer.
    options = f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC {os.environ.get('MAVEN_OPTS', '')}"
    last: deque[str] = deque(maxlen=_TOLD)
    with subprocess.Popen(
        command,
        cwd=project,
        env=os.environ | {"MAVEN_OPTS": options},
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout
        count = 0
        for line in process.stdout:
            last.append(line.rstrip())
            total = _DOWNLOADED.search(line) and len({j for n in names for j in _of(project / n)})
            if total:  # before that Maven fetches what it needs itself
                count += 1
                progress(STEP, f"{min(count, total)} of {total} downloaded")
    if process.returncode:
        errors = [line for line in last if line.startswith("[ERROR]")][:3] or list(last)
        raise ServiceError(
            "Maven did not bring the jars:\n" + "\n".join(errors) + "\n"
            "See that its repository is reached (a mirror or proxy belongs in ~/.m2/settings.xml) "
            "and that it has the versions of project.clj, then start again."
        )


def _of(module: Path) -> Iterator[tuple[str, str, str]]:
    """Group, artifact and version (with a classifier before it) of what a class path must hold."""
    try:
        lines = (module / "wanted.txt").read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        if found := _WANTED.match(line):
            yield found["group"], found["artifact"], found["rest"].rpartition(":")[0]


def _checked(module: Path, name: str, asked: Sequence[Dependency]) -> list[Path]:
    """The class path, if each jar that is wanted is on it and whole."""
    text = (module / "classpath.txt").read_text().strip()
    jars = [Path(entry) for entry in text.split(os.pathsep) if entry]
    names = {jar.name for jar in jars}
    wanted = {
        f"{artifact}-{'-'.join(rest.split(':')[::-1])}.jar" for _, artifact, rest in _of(module)
    }
    wanted |= {f"{each.name.artifact}-{each.version}.jar" for each in asked}
    if absent := sorted(wanted - names):
        raise ServiceError(
            f"Maven left out of the jars of {name}: {', '.join(absent)}. Start again; if that "
            "stays, `mvn --version` should tell 3.6.3 or newer."
        )
    if broken := [str(jar) for jar in jars if not zipfile.is_zipfile(jar)]:
        raise ServiceError(
            f"These jars of {name} are cut off or damaged: {', '.join(broken)}. Delete them and "
            "start again: Maven fetches them anew."
        )
    return jars
