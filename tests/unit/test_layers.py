"""Dependencies point inward: topologies -> bolts, spouts -> adapters -> core. Apps may use all."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
DRIVERS = {"kafka", "confluent_kafka", "cassandra", "pystorm", "streamparse"}
CORE_MAY = {"stormwatch", "msgspec", "numpy"} | set(sys.stdlib_module_names)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((SRC / folder).rglob("*.py"))]


CORE = [p for p in files("stormwatch") if "adapters" not in p.parts and "testing" not in p.parts]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_walk_sees_the_code():
    assert len(CORE) > 15
    assert "stormwatch.records.Fragment" in imports(SRC / "stormwatch" / "state" / "processor.py")


@pytest.mark.parametrize("path", CORE, ids=shown)
def test_the_core_imports_itself_the_standard_library_msgspec_and_numpy(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert roots <= CORE_MAY, roots - CORE_MAY
    outward = {name for name in imports(path) if name.startswith("stormwatch.adapters")}
    assert not outward


@pytest.mark.parametrize("path", CORE, ids=shown)
def test_the_core_asks_no_clock_and_no_environment(path):
    if path.name == "settings.py":
        return
    text = path.read_text()
    for asked in ("time.time", "datetime.now", "os.environ", "monotonic(", "perf_counter"):
        assert asked not in text, f"{asked}: time and settings are arguments in the core"


@pytest.mark.parametrize("path", files("bolts", "spouts"), ids=shown)
def test_components_know_no_kafka_and_no_cassandra_driver(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & (DRIVERS - {"streamparse", "pystorm"})
    assert not roots & {"apps", "topologies"}


@pytest.mark.parametrize("path", files("stormwatch/adapters"), ids=shown)
def test_adapters_import_neither_components_nor_apps(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"apps", "topologies", "bolts", "spouts"}


@pytest.mark.parametrize("path", sorted((ROOT / "topologies").glob("*.py")), ids=shown)
def test_a_topology_file_holds_one_class_and_only_wiring(path):
    tree = ast.parse(path.read_text())
    assert sum(isinstance(node, ast.ClassDef) for node in tree.body) == 1
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    roots = {name.split(".")[0] for name in imports(path)}
    assert roots <= {"streamparse", "bolts", "spouts", "stormwatch"}


def test_every_topology_has_its_workers_requirements():
    for path in (ROOT / "topologies").glob("*.py"):
        text = (ROOT / "virtualenvs" / f"{path.stem}.txt").read_text()
        assert "streamparse" in text, "streamparse refuses to build a virtualenv without it"
