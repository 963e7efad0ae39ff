"""What is inside an image: Debian's packages, Python's and jars, as CycloneDX 1.6 in JSON.

    python sbom.py NAME > sbom.cdx.json

The Dockerfile runs it as the last step of each image, with the Python whose packages are listed; so
it needs nothing beside Python. The same content gives the same bytes: no time, no random number.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from platform import freedesktop_os_release
from urllib.parse import quote

DPKG = Path("/var/lib/dpkg/status")
MAVEN = Path("/opt/stormwatch/.m2/repository")

Component = dict[str, str]


def document(
    name: str, components: list[Component], system: Mapping[str, str]
) -> dict[str, object]:
    """A CycloneDX document of an image called `name`; `system` is /etc/os-release."""
    base = {"type": "operating-system", "name": system["ID"]}
    if "VERSION_ID" in system:
        base["version"] = system["VERSION_ID"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "bom-ref": name}},
        "components": [base, *sorted(components, key=lambda one: one["purl"])],
    }


def of_debian(status: str, system: Mapping[str, str]) -> Iterator[Component]:
    """The installed packages of dpkg's status file."""
    for paragraph in status.split("\n\n"):
        pairs = (line.partition(": ") for line in paragraph.splitlines() if line[:1].strip())
        fields = {key: value for key, _, value in pairs}
        if fields.get("Status", "").endswith(" installed"):
            more = f"?arch={fields['Architecture']}&distro={_distro(system)}"
            where = f"deb/{system['ID']}"
            yield _library(where, fields["Package"], fields["Version"], more)


def of_python() -> Iterator[Component]:
    """The packages that this Python imports, each once."""
    found = {
        (one.metadata["Name"].lower().replace("_", "-"), one.version) for one in distributions()
    }
    for name, version in found:
        yield _library("pypi", name, version)


def of_maven(store: Path) -> Iterator[Component]:
    """The jars below a store of Maven's: group/artifact/version/artifact-version.jar."""
    for jar in store.rglob("*.jar"):
        *group, artifact, version, _ = jar.relative_to(store).parts
        yield _library(f"maven/{'.'.join(group)}", artifact, version)


def _library(where: str, name: str, version: str, more: str = "") -> Component:
    purl = f"pkg:{where}/{quote(name)}@{quote(version)}{more}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _distro(system: Mapping[str, str]) -> str:
    return "-".join(filter(None, (system["ID"], system.get("VERSION_ID"))))


def main(name: str) -> None:
    """Print the document of the machine, or image, that this runs in."""
    system = freedesktop_os_release()
    status = DPKG.read_text() if DPKG.exists() else ""  # another base than Debian
    found = [*of_debian(status, system), *of_python(), *of_maven(MAVEN)]
    unique = {one["purl"]: one for one in found}  # the same jar may be there for two classifiers
    json.dump(document(name, list(unique.values()), system), sys.stdout, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
