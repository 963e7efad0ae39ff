"""docs/models.md, word for word: each framework's section is run from the text of the page."""

import os
import re
import runpy
import shlex
import subprocess
import venv
from pathlib import Path

import pytest

from apps.cli.__main__ import main
from stormwatch.domains.fraud import Fraud
from stormwatch.models import card_of, load
from tests.models import pumps

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert found, title
    return found[1]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(title), re.M | re.S)


def commands(title: str) -> list[list[str]]:
    return [shlex.split(line) for block in blocks(title, "sh") for line in block.splitlines()]


def write_scripts(title: str, folder: Path) -> None:
    for block in blocks(title, "python"):
        name = block.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(block, encoding="utf-8")


def run_here(title: str, folder: Path, without: str = "") -> None:
    """In this process: its commands, and its scripts as the commands name them; `without` those of
    another environment, by what stands in them."""
    write_scripts(title, folder)
    for program, *arguments in commands(title):
        if without and any(without in argument for argument in arguments):
            continue
        if program == ".venv/bin/python":
            runpy.run_path(arguments[0])
        else:
            assert program == "./stormwatch"
            with pytest.raises(SystemExit) as ended:
                raise SystemExit(main(arguments))
            assert ended.value.code == 0, arguments


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        run_here("Rows to train on", made)
    return made


@pytest.mark.parametrize(
    ("title", "name", "kind", "needs"),
    [
        ("LightGBM", "lgb", "trees", "lightgbm"),
        ("XGBoost", "xgb", "trees", "xgboost"),
        ("scikit-learn", "lr", "onnx", "skl2onnx"),
        ("ONNX", "mlp", "onnx", "skl2onnx"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of frameworks: as a reader sees them, on the screen
def test_a_section_makes_a_model_that_the_domain_uses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, title: str, name: str, kind: str, needs: str
) -> None:
    pytest.importorskip(needs, reason=f"the section needs {needs}: requirements/*.txt")
    if kind == "onnx":
        pytest.importorskip("onnxruntime", reason="requirements/onnx.txt is not installed")
    monkeypatch.chdir(folder)
    run_here(title, folder)
    card = Fraud.load(folder / "models" / name).card
    assert card.kind == kind and card.distribution
    assert card.measured["rows_compared"] >= 500
    assert card.measured["greatest_difference"] <= 1e-5
    assert card.measured["adds_mb"] <= 60


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands of the section about machines were run, but for the one with PyTorch."""
    made = tmp_path_factory.mktemp("machines")
    names = ("pumps.csv", "failures.csv", "pumps.toml", "pump.toml")
    for own, named in zip(pumps.write(made), names, strict=True):
        own.rename(made / named)
    kind = made / "pump.toml"
    kind.write_text(kind.read_text().replace("over = [6, 24]\n", ""))  # as a GRU takes them
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        run_here("A model of your own machines", made, without="gru_machines")
    return made


def test_a_model_of_ones_own_machines_and_rows_to_train_on(machines: Path) -> None:
    card = load(machines / "models" / "pump").card
    assert card.feature_set == "failure-pump-1" and "within 24 hours" in card.target
    assert "by unit and time: 14 units before" in card.split
    assert (machines / "models" / "pump" / "report.md").exists()
    assert (machines / "rows.csv").read_text().startswith("entity,time,label,vibration,pressure\n")


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_model_of_the_last_readings_in_an_environment_of_its_own(
    machines: Path, tmp_path: Path
) -> None:
    python = own_environment(tmp_path / "venv", "torch.txt")
    run_there("A model of your own machines", machines, python, only="gru_machines")
    card = card_of(machines / "models" / "pump-gru")
    assert card.window == 24 and card.measured["greatest_difference"] <= 1e-5


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("title", "requirements", "names"),
    [
        ("PyTorch", "torch.txt", ["gru"]),
        ("Keras and LiteRT", "keras.txt", ["gru-keras", "litert"]),
    ],
)
def test_a_section_of_a_large_framework_in_an_environment_of_its_own(
    folder: Path, tmp_path: Path, title: str, requirements: str, names: list[str]
) -> None:
    python = own_environment(tmp_path / "venv", requirements)
    run_there(title, folder, python)
    for name in names:
        assert (folder / "models" / name / "card.json").exists()


def run_there(title: str, folder: Path, python: str, only: str = "") -> None:
    """Its commands by another interpreter; `only` those in which this stands."""
    if not (folder / "docs").exists():
        (folder / "docs").symlink_to(ROOT / "docs")
    environ = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"}
    for program, *arguments in commands(title):
        if not any(only in argument for argument in arguments):
            continue
        command = [python, *(["-m", "apps.cli"] if program == "./stormwatch" else []), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def own_environment(place: Path, requirements: str) -> str:
    """A virtualenv with these packages, or the one that STORMWATCH_VENV_TORCH or _KERAS names; the
    test is skipped where they cannot be installed."""
    if made := os.environ.get(f"STORMWATCH_VENV_{requirements.removesuffix('.txt').upper()}"):
        return str(Path(made) / "bin" / "python")
    venv.create(place, with_pip=True)
    python = str(place / "bin" / "python")
    done = subprocess.run(
        [
            python, "-m", "pip", "install", "-q", "-r", "requirements.txt",
            "-r", f"requirements/{requirements}",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"requirements/{requirements} cannot be installed: {done.stderr[-300:]}")
    return python


def test_every_command_of_the_page_is_of_a_section_that_is_run() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.M)
    run = {"Rows to train on", "LightGBM", "XGBoost", "scikit-learn", "ONNX", "PyTorch",
           "Keras and LiteRT", "A model of your own payments",
           "A model of your own machines"}  # fmt: skip
    assert {title for title in titles if blocks(title, "sh")} == run
