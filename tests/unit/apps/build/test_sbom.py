"""The list of what an image holds, and what its labels say."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from apps.build import sbom

ROOT = Path(__file__).parents[4]
SYSTEM = {"ID": "debian", "VERSION_ID": "12"}
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Package: not a field, but a line of the description

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b-0
"""


def test_debians_packages_are_those_that_are_installed() -> None:
    assert [each["purl"] for each in sbom.of_debian(STATUS, SYSTEM)] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
        "pkg:deb/debian/tzdata@2025b-0?arch=all&distro=debian-12",
    ]


def test_jars_are_named_by_where_maven_keeps_them(tmp_path: Path) -> None:
    jar = (
        tmp_path / "org" / "apache" / "storm" / "storm-client" / "2.8.3" / "storm-client-2.8.3.jar"
    )
    jar.parent.mkdir(parents=True)
    jar.touch()
    assert [each["purl"] for each in sbom.of_maven(tmp_path)] == [
        "pkg:maven/org.apache.storm/storm-client@2.8.3"
    ]


def test_the_same_packages_give_the_same_bytes_and_each_is_named_once() -> None:
    command = [sys.executable, str(ROOT / "apps" / "build" / "sbom.py"), "it"]
    first, second = (subprocess.run(command, capture_output=True, check=True) for _ in range(2))
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)
    refs = [each["bom-ref"] for each in found["components"] if "bom-ref" in each]
    assert len(refs) == len(set(refs))
    assert any(ref.startswith("pkg:pypi/msgspec@") for ref in refs)


def test_images_are_labelled_with_the_projects_version() -> None:
    said = re.search(r'image\.version="([^"]+)"', (ROOT / "Dockerfile").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert said and said[1] == project["version"]
