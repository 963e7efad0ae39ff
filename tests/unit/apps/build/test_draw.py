"""Pictures of topologies: what the docs show is what `draw` gives today."""

import os
import shutil
from pathlib import Path
from typing import ClassVar

import pytest
from streamparse import Bolt, Grouping, Spout, Stream, Topology
from typer.testing import CliRunner

from apps.build.draw import mermaid, page, written
from apps.build.lint import load
from apps.cli.__main__ import app

ROOT = Path(__file__).parents[4]
NAMES = sorted(path.stem for path in (ROOT / "topologies").glob("*.py"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The topologies where no settings are but the defaults."""
    for name in [name for name in os.environ if name.startswith("STORMWATCH_")]:
        monkeypatch.delenv(name)
    shutil.copytree(ROOT / "topologies", tmp_path / "topologies")
    return tmp_path


def test_the_docs_show_the_topologies_as_they_are(root: Path) -> None:
    shown = (ROOT / "docs" / "topologies.md").read_text()
    assert shown == page(root, NAMES), (
        "docs/topologies.md shows other topologies. Run: ./stormwatch draw --out docs/topologies.md"
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_component_stream_and_table_is_in_the_picture(root: Path, name: str) -> None:
    topology = load(root / "topologies" / f"{name}.py")
    drawn = mermaid(topology)
    for spec in topology.specs:
        assert f"<b>{spec.name}</b> × {spec.par}<br/>{spec.component_cls.__name__}" in drawn
        tables = [name for name in written(spec.component_cls) if not name.startswith("topic_")]
        told = f'c_{spec.name} -- "{"<br/>".join(tables)}" --> cassandra'
        assert (told in drawn) == bool(tables)
    arrows = [
        line for line in drawn.splitlines() if " -- " in line and " c_" in line.split("-->")[1]
    ]
    assert len(arrows) == sum(len(spec.inputs) for spec in topology.specs)


class Words(Spout):
    outputs: ClassVar = [Stream(["word"]), Stream(["why"], name="bad")]

    def next_tuple(self) -> None:
        """Nothing."""


class Count(Bolt):
    outputs: ClassVar = ["word"]

    def process(self, tup: object) -> None:
        """Nothing."""


class Plain(Topology):
    """Not of this project's bases."""

    words = Words.spec(par={"prod": 3, "beta": 1})
    end = Count.spec(inputs={words: Grouping.fields("word"), words["bad"]: Grouping.GLOBAL}, par=2)
    all = Count.spec(inputs={end: Grouping.ALL})


def test_plain_streamparse_topologies_are_drawn_too() -> None:
    assert mermaid(Plain) == (
        "flowchart LR\n"
        '    c_words(["<b>words</b> × 3 (prod) or 1 (beta)<br/>Words"])\n'
        '    c_end["<b>end</b> × 2<br/>Count"]\n'
        '    c_all["<b>all</b> × 1<br/>Count"]\n'
        '    c_words -- "bad: global" --> c_end\n'
        '    c_words -- "fields(word)" --> c_end\n'
        '    c_end -- "all" --> c_all\n'
    )


def test_the_command_writes_one_picture_or_a_page_of_all(tmp_path: Path) -> None:
    run = CliRunner().invoke
    alone = run(app, ["draw", "fraud"])
    assert alone.output.startswith("flowchart LR\n")
    out = tmp_path / "page.md"
    assert run(app, ["draw", "--out", str(out)]).exit_code == 0
    assert alone.output in out.read_text()
    assert out.read_text().count("```mermaid") == len(NAMES)
    missing = run(app, ["draw", "nope"])
    assert "Topologies there are: fraud" in str(missing.exception)
