"""What comments and docs name is there: a name that moved away misleads whoever follows it."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "apps", "benchmarks", "docs", "schema", "tests")
NAMED = re.compile(r"`(stormwatch(?:\.\w+)+)`")
SETTINGS = ("stormwatch.toml", "stormwatch.kafka.bootstrap")
"""A file, and a setting as a topology's configuration has it."""


def is_there(name: str) -> bool:
    """Whether the dotted name is a module or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_every_dotted_name_leads_somewhere() -> None:
    files = [f for d in FOLDERS for f in (ROOT / d).rglob("*") if f.suffix in (".py", ".md")]
    named = {(n, f) for f in files for n in NAMED.findall(f.read_text()) if n not in SETTINGS}
    assert len(named) > 20
    lost = sorted(f"{f.relative_to(ROOT)}: {n}" for n, f in named if not is_there(n))
    assert not lost


def test_no_test_file_imports_another() -> None:
    """What several tests play stands in tests/models: else one test's mend breaks another."""
    names = r"^(?:from|import) tests(?:\.\w+)*\.test_\w+|^from tests[\w.]* import test_"
    imports = re.compile(names, re.MULTILINE)
    files = (ROOT / "tests").rglob("*.py")
    assert not [f.name for f in files if imports.search(f.read_text())]


@pytest.mark.parametrize("name", ["stormwatch.commit", "stormwatch.state.write_timestamps.Nothing"])
def test_a_name_that_is_gone_is_seen(name: str) -> None:
    assert not is_there(name)
