"""The arrows between the rooms, read from the imports: who may know whom."""

import ast
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
DRIVERS = {"kafka", "confluent_kafka", "cassandra", "pystorm", "streamparse"}
CORE_MAY = {"stormwatch", "stormwatch_native", "msgspec", "numpy"} | set(sys.stdlib_module_names)
OUTSIDE = {"adapters", "engines", "testing"}  # rooms of the package that are not the core
APPS = ["cli", "prove", "local", "serve", "operate", "land", "build", "data"]
"""Each may import those behind it. A room that is not there yet has its place."""


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


CORE = [
    path
    for path in files("stormwatch")
    if path.relative_to(SRC / "stormwatch").parts[0] not in OUTSIDE
]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rooms(base: Path, prefix: str) -> dict[str, dict[str, set[str]]]:
    """Of each folder of `base`: the folders beside it that its files import, and the files."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in sorted(base.rglob("*.py")):
        room = path.relative_to(base).parts[0]
        for name in imports(path):
            if name.startswith(f"{prefix}."):
                other = name.split(".")[1]
                if other != room and (base / other).is_dir() and (base / room).is_dir():
                    found[room][other].add(shown(path))
    return found


def test_the_walk_sees_the_code():
    assert len(CORE) > 15
    processor = SRC / "stormwatch" / "state" / "processor.py"
    assert "stormwatch.records.Fragment" in imports(processor)
    assert "state" in rooms(SRC / "stormwatch", "stormwatch")["domains"]


@pytest.mark.parametrize("path", CORE, ids=shown)
def test_the_core_imports_itself_the_standard_library_msgspec_and_numpy(path):
    roots = {name.split(".")[0] for name in imports(path)}
    room = path.relative_to(SRC / "stormwatch").parts[0]
    # These only parse or compute.
    extra = {"rules": {"sqlglot"}, "models": {"onnxruntime"}, "parsing": {"fastavro", "google"}}
    may = CORE_MAY | extra.get(room, set())
    assert roots <= may, roots - may
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


@pytest.mark.parametrize(
    ("base", "prefix"), [(SRC / "stormwatch", "stormwatch"), (ROOT / "apps", "apps")], ids=str
)
def test_no_two_rooms_import_each_other(base: Path, prefix: str) -> None:
    found = rooms(base, prefix)
    both = {
        f"{one} and {other}: {sorted(found[one][other])}, {sorted(found[other][one])}"
        for one in list(found)
        for other in found[one]
        if one < other and one in found[other]
    }
    assert not both


def test_no_room_is_outside_of_the_order_of_apps() -> None:
    there = {path.name for path in (ROOT / "apps").iterdir() if any(path.glob("*.py"))}
    assert there <= set(APPS)
    assert not [path.name for path in (ROOT / "apps").glob("*.py") if path.name != "__init__.py"]


@pytest.mark.parametrize("room", APPS)
def test_apps_import_one_way(room: str) -> None:
    ahead = APPS[: APPS.index(room)]
    found = rooms(ROOT / "apps", "apps")[room]
    assert not {other: sorted(by) for other, by in found.items() if other in ahead}


def test_state_owns_the_protocol_of_a_domain_and_knows_no_domain() -> None:
    found = rooms(SRC / "stormwatch", "stormwatch")
    for room in ("ingest", "parsing", "dead_letters", "state", "ledger", "models"):
        assert "domains" not in found[room], found[room]["domains"]


def test_only_connect_and_the_test_kit_choose_an_implementation() -> None:
    """An adapter of a product is imported by its own folder and by the composition root."""
    chosen = {
        shown(path): sorted(name for name in imports(path) if name.startswith(products))
        for products in (("stormwatch.adapters.kafka.confluent", "stormwatch.adapters.kafka.pure"),)
        for path in files("stormwatch", "bolts", "spouts")
        if "kafka" not in path.parts
    }
    assert {path for path, names in chosen.items() if names} <= {
        "src/stormwatch/adapters/connect.py"
    }
